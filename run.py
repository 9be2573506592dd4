"""Faces at a webcam: Space captures what the network sees in them, for S3.

    python3 run.py                            a window on the camera
    python3 run.py --headless --every 60      no window: a capture each minute
    python3 run.py --flush                    send what waits in the outbox

Space captures, s saves the picture; Escape, q or closing the window ends. Where captures are sent
is read from the environment: see settings.py. Without a bucket they stay on this machine.
"""

import contextlib
import time
from pathlib import Path

import settings
from age_gender.command_line import Parser, log, number_between, progress, run
from age_gender.live import options as face_options

HOUR = 3600.0


def get_args(argv=None):
    parser = Parser(
        description="Find faces at a webcam and estimate their age and gender; Space captures them."
    )
    face_options.add(parser)
    kept = parser.add_argument_group("captures")
    kept.add_argument("--save_faces", action="store_true", help="also store a picture of each face")
    kept.add_argument(
        "--embeddings",
        action="store_true",
        help="also store the 128 numbers by which a person is known again",
    )
    kept.add_argument(
        "--consent", action="store_true", help="ask on the screen before each capture (y, n)"
    )
    kept.add_argument(
        "--retention_days",
        type=number_between(0, 36500),
        help="delete captures that have waited in the outbox for longer, sent or not",
    )
    kept.add_argument(
        "--output_dir", type=Path, help="where s saves pictures and tables (default: saved)"
    )
    kept.add_argument("--flush", action="store_true", help="send what waits in the outbox, and end")
    kept.add_argument(
        "--dry_run", action="store_true", help="print what would be sent, and send nothing"
    )
    alone = parser.add_argument_group("without a window")
    alone.add_argument("--headless", action="store_true", help="capture without a window")
    alone.add_argument(
        "--every",
        type=number_between(0, float("inf")),
        help="seconds between captures (default: 10); of pictures each is captured",
    )
    args = parser.parse_args(argv)
    face_options.check(parser, args)
    if args.every is not None and not args.headless:
        parser.error("--every needs --headless: in the window Space captures")
    if args.consent and args.headless:
        parser.error("--consent needs the window: it cannot be used with --headless")
    return args


def prune(outbox, days):
    """Delete what is older than ``days``, if there is such a limit, and say so."""
    if days is None:
        return
    count = outbox.prune(days)
    if count:
        log(f"{count} captures older than {days:g} days were deleted from {outbox.folder}")


def at_window(args, shown, stand, every_hour):
    """Show what comes until the user ends it, and heed the keys."""
    from age_gender.live import window
    from age_gender.output import drawing

    pictures = args.image_dir is not None
    with window.Window("result") as screen:
        for each in shown:
            while True:
                stand.see(each, at_once=pictures)
                message = stand.message()
                picture = drawing.annotated(each, window.VIEW if pictures else None, message)
                waiting = pictures and message is None
                key = screen.show(picture, wait_for_key=waiting)
                if key is None:
                    return
                own = stand.press(key)
                if not pictures or (key != window.NO_KEY and not own):
                    break
            every_hour()


def headless(args, shown, stand, every_hour):
    """Capture every picture, or each ``--every`` seconds a frame in which there is a face."""
    from age_gender.captures import kiosk as keys

    pause = 10.0 if args.every is None else args.every
    due = -float("inf")
    for each in shown:
        every_hour()
        if each.analysis is None or not each.analysis.seen:
            continue
        if args.image_dir is None and each.analysis.frame.time < due:
            continue
        due = each.analysis.frame.time + pause
        stand.want()
        stand.see(each, at_once=True)
        if args.output_dir:
            stand.want(keys.SAVE)
            stand.see(each, at_once=True)
        stand.message()


def watch(args, s3, outbox):
    """Look at faces and capture them until the end."""
    session = face_options.open_session(args, but_not=args.output_dir)
    if not args.headless:
        from age_gender.live import window

        window.require_display("--headless captures without one")
    from age_gender.captures.kiosk import Kiosk
    from age_gender.captures.sender import Captures
    from age_gender.live import analyst

    outbox.clean()
    made = Captures(outbox, s3, dry_run=args.dry_run)
    stand = Kiosk(
        made, args.output_dir or Path("saved"), args.save_faces, args.embeddings, args.consent
    )
    if s3.bucket is None:
        log(f"no bucket is set: captures stay in {outbox.folder} (S3_BUCKET=NAME sends them)")
    pruned = -float("inf")

    def every_hour():
        nonlocal pruned
        if time.monotonic() - pruned > HOUR:
            pruned = time.monotonic()
            prune(outbox, args.retention_days)

    at_once = args.headless or session.paths is not None

    def embed():
        return args.embeddings and (at_once or stand.wanted)

    waits = 0.5
    try:
        with analyst.Analyst(session.job) as asked:
            if session.paths is not None:
                asked.wait()
            shown = face_options.shown(args, session, asked, args.headless, embed)
            with contextlib.closing(iter(shown)) as shown:
                (headless if args.headless else at_window)(args, shown, stand, every_hour)
        waits = None if args.headless else waits
    finally:
        waiting = made.close(waits)
        log(f"{waiting} captures wait in {outbox.folder}")


def main(argv=None):
    args = get_args(argv)
    s3 = settings.s3()
    from age_gender.captures.sender import Outbox, flush

    outbox = Outbox(settings.outbox())
    if not args.flush:
        return watch(args, s3, outbox)
    prune(outbox, args.retention_days)
    sent = flush(outbox, s3, lambda items, n: progress(items, n, "captures"), args.dry_run)
    log(f"{sent} captures sent, {len(outbox.waiting())} wait in {outbox.folder}")


if __name__ == "__main__":
    run(main, keep_memory=True)
