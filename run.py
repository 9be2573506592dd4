"""Captures the estimated age and gender of faces at a camera, and sends them to S3.

    python3 run.py                            a window on the camera
    python3 run.py --headless --every 60      no window: a capture each minute
    python3 run.py --flush                    send the queued captures

Space captures, s saves the picture; Escape, q or closing the window quits. Environment variables
say where captures are sent: see settings.py. Without a bucket they stay on this machine.
"""

from age_gender.start import run

import contextlib
from pathlib import Path

import settings
from age_gender.command_line import Parser, log, number_between, plural, progress
from age_gender.live import options

# Imports that are slow are in the functions, so that --help and a mistyped option answer at once.


def get_args(argv=None):
    parser = Parser(
        description="Find faces at a camera and estimate their age and gender; Space captures them."
    )
    options.add(parser)
    captures = parser.add_argument_group("captures")
    captures.add_argument(
        "--save_faces", action="store_true", help="also store a picture of each face"
    )
    captures.add_argument(
        "--embeddings",
        action="store_true",
        help="also store the face embedding: 128 numbers by which a person can be recognised",
    )
    captures.add_argument(
        "--consent", action="store_true", help="ask on the screen before each capture (y, n)"
    )
    captures.add_argument(
        "--retention_days",
        type=number_between(0, 36500),
        help="delete queued captures that are older, sent or not",
    )
    captures.add_argument(
        "--output_dir",
        type=Path,
        help="folder for the pictures and tables that s saves (default: saved)",
    )
    captures.add_argument("--flush", action="store_true", help="send the queued captures and end")
    captures.add_argument(
        "--dry_run", action="store_true", help="print what would be sent, and send nothing"
    )
    headless = parser.add_argument_group("without a window")
    headless.add_argument("--headless", action="store_true", help="capture without a window")
    headless.add_argument(
        "--every",
        type=number_between(0, float("inf")),
        help="seconds between captures (default: 10); with --image_dir every picture is captured",
    )
    args = parser.parse_args(argv)
    options.check(parser, args)
    if args.every is not None and not args.headless:
        parser.error("--every needs --headless: in the window Space captures")
    if args.consent and args.headless:
        parser.error("--consent needs the window: it cannot be used with --headless")
    return args


def at_window(args, frames, kiosk, retention):
    """Show frames and act on keys until the user quits."""
    from age_gender.live.window import NO_KEY, PICTURE_SIZE, Window
    from age_gender.output.drawing import annotated

    pictures = args.image_dir is not None
    with Window("result") as window:
        for shown in frames:
            while True:
                kiosk.see(shown)
                message = kiosk.message()
                picture = annotated(shown, PICTURE_SIZE if pictures else None, message)
                key = window.show(picture, wait_for_key=pictures and message is None)
                if key is None:
                    return
                taken = kiosk.press(key)
                if not pictures or (key != NO_KEY and not taken):
                    break
            retention.apply()


def headless(args, frames, kiosk, retention):
    """Capture every picture, or each ``--every`` seconds a frame with a face."""
    from age_gender.captures.kiosk import SAVE

    pause = 10.0 if args.every is None else args.every
    due = -float("inf")
    for shown in frames:
        retention.apply()
        if shown.analysis is None or not shown.analysis.faces:
            continue
        if args.image_dir is None and shown.analysis.frame.time < due:
            continue
        due = shown.analysis.frame.time + pause
        kiosk.request()
        kiosk.see(shown)
        if args.output_dir:
            kiosk.request(SAVE)
            kiosk.see(shown)
        kiosk.message()


def watch(args, s3, outbox, retention):
    """Analyse and capture faces until the input ends or the user quits."""
    from age_gender.captures.kiosk import Kiosk
    from age_gender.captures.sender import Sender
    from age_gender.live.analyst import Analyst
    from age_gender.live.session import open_session
    from age_gender.live.window import require_display

    session = open_session(args, args.output_dir)
    pictures = session.source is None
    if not args.headless:
        require_display("--headless captures without one")
    outbox.clean()
    if s3.bucket is None:
        log(f"no bucket is set: captures stay in {outbox.folder} (S3_BUCKET=NAME sends them)")
    sender = Sender(outbox, s3, dry_run=args.dry_run)
    kiosk = Kiosk(
        sender,
        args.output_dir or Path("saved"),
        args.save_faces,
        args.embeddings,
        args.consent,
        immediate=args.headless or pictures,
    )
    try:
        with Analyst(session.recipe, track=not pictures) as analyst:
            if pictures:
                analyst.wait()
            frames = session.frames(analyst, args.headless, kiosk.needs_embeddings)
            with contextlib.closing(iter(frames)) as frames:
                (headless if args.headless else at_window)(args, frames, kiosk, retention)
        if args.headless:
            sender.drain()
    finally:
        sender.close()
        log(outbox.status())


def main(argv=None):
    args = get_args(argv)
    from age_gender.captures.outbox import Outbox, Retention
    from age_gender.captures.sender import flush

    s3 = settings.s3()
    outbox = Outbox(settings.outbox())
    retention = Retention(outbox, args.retention_days)
    if not args.flush:
        return watch(args, s3, outbox, retention)
    retention.apply()
    sent = flush(outbox, s3, lambda items, n: progress(items, n, "captures"), args.dry_run)
    log(f"{plural(sent, 'capture')} sent, {outbox.status()}")


if __name__ == "__main__":
    run(main, keep_memory=True)
