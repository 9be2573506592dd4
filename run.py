"""Captures the estimated age and gender of faces at a camera, and sends them to S3.

    python3 run.py                            a window on the camera
    python3 run.py --full_screen --consent    a stand for visitors, who are asked first
    python3 run.py --headless --every 60      no window: a capture each minute
    python3 run.py --flush                    send the queued captures

Space captures, s saves the picture; Escape, q or closing the window quits. Environment variables
say where captures are sent: see settings.py. Without a bucket they stay on this machine.
"""

from age_gender.start import run

import contextlib
import sys
from pathlib import Path

import settings
from age_gender import memory
from age_gender.command_line import Parser, log, number_between, plural, progress
from age_gender.live import options
from age_gender.live.texts import languages
from age_gender.system import READER_HAS_LEFT

COUNTDOWN = 3.0  # seconds that a visitor at a camera has after Space

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
    captures.add_argument(
        "--countdown",
        type=number_between(0, 60),
        metavar="SECONDS",
        help="seconds between Space and the capture (default: 3 with a camera, else 0)",
    )
    captures.add_argument("--flush", action="store_true", help="send the queued captures and end")
    captures.add_argument(
        "--dry_run", action="store_true", help="print what would be sent, and send nothing"
    )
    window = parser.add_argument_group("window")
    window.add_argument("--full_screen", action="store_true", help="fill the whole screen")
    window.add_argument(
        "--language",
        choices=languages(),
        help="of what visitors read (default: that of the locale, else en)",
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
    for name in ("full_screen", "language", "countdown", "mirror"):
        if args.headless and getattr(args, name):
            parser.error(f"--{name} needs the window: it cannot be used with --headless")
    return args


def at_window(args, session, frames, kiosk, retention, notices):
    """Show frames and act on keys until the user quits."""
    from age_gender.captures.stand import Stand

    pictures, mirror = session.source is None, session.mirror(args.mirror)
    stand = Stand(kiosk, pictures, args.full_screen, mirror, args.label)
    stand.show(frames, retention, notices)


def headless(args, session, frames, kiosk, retention, notices):
    """Capture every picture, or each ``--every`` seconds a frame with a face."""
    from age_gender.captures.kiosk import SAVE

    pause = 10.0 if args.every is None else args.every
    due = -float("inf")
    for shown in frames:
        retention.apply()
        notices()
        kiosk.message()
        if shown.analysis is None or not shown.analysis.detected:
            continue
        if session.source is not None and shown.analysis.frame.time < due:
            continue
        due = shown.analysis.frame.time + pause
        kiosk.request()
        kiosk.see(shown)
        if args.output_dir:
            kiosk.request(SAVE)
            kiosk.see(shown)


class Notices:
    """What is wrong with stdout or stderr, said once on the other, and in the window.

    Args:
        streams: `streams.Stream` of each.
    """

    def __init__(self, streams):
        self._streams = dict(zip(("stdout", "stderr"), streams))
        self._said = set()

    def __call__(self):
        """The new ones, which are logged too."""
        found = []
        for name, stream in self._streams.items():
            problem = stream.problem()
            if problem is not None and name not in self._said:
                self._said.add(name)
                found.append(f"{name}: {problem}: captures are kept and sent all the same")
                log(found[-1])
        return found


def watch(args, s3, outbox, retention, notices):
    """Analyse and capture faces until the input ends or the user quits.

    Returns:
        How many captures and frames could not be saved, and the exit code of the pictures.
    """
    from age_gender.captures.bucket import warn_of_open_network
    from age_gender.captures.kiosk import Kiosk
    from age_gender.captures.sender import Sender
    from age_gender.live.analyst import Analyst
    from age_gender.live.session import open_session
    from age_gender.live.texts import Texts
    from age_gender.live.window import require_display

    session = open_session(args, args.output_dir)
    pictures = session.source is None
    if not args.headless:
        require_display("--headless captures without one")
    if args.save_faces or args.embeddings:
        warn_of_open_network(s3)
    with outbox.shared():
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
            texts=Texts(args.language),
            countdown=countdown(args, session),
            sends=s3.bucket is not None and not args.dry_run,
        )
        try:
            with Analyst(session.recipe, track=not pictures) as analyst:
                if pictures:
                    analyst.wait()
                frames = session.frames(analyst, args.headless, kiosk.needs_embeddings)
                with contextlib.closing(iter(frames)) as frames:
                    act = headless if args.headless else at_window
                    act(args, session, frames, kiosk, retention, notices)
            if args.headless:
                sender.drain()
        finally:
            sender.close()
            unsaved = kiosk.unsaved()
            if unsaved:
                log(f"{plural(unsaved, 'capture')} not saved, or not yet when the program ended")
            log(outbox.status())
    return unsaved, session.pictures.exit_code if pictures else 0


def countdown(args, session):
    """Seconds between Space and the capture."""
    if args.countdown is not None:
        return args.countdown
    camera = session.source is not None and session.source.live
    return COUNTDOWN if camera and not args.headless else 0


def exit_code(unsaved, stdout, otherwise=0):
    """The exit code of a run that has come to its end.

    Args:
        unsaved: how many captures and frames were not saved.
        stdout: its `streams.Stream`, closed.
        otherwise: the code where all is saved and printed.
    """
    if unsaved:
        return 1
    if stdout.left:
        return READER_HAS_LEFT
    if stdout.lost:
        log(f"stdout: {stdout.problem() or 'its reader was too slow'}: not everything was printed")
        return 1
    return otherwise or None


def main(argv=None):
    args = get_args(argv)
    memory.apply_option(args)
    from age_gender.captures.delivery import flush
    from age_gender.captures.outbox import Outbox, Retention
    from age_gender.streams import relayed

    s3 = settings.s3()
    outbox = Outbox(settings.outbox())
    retention = Retention(outbox, args.retention_days)
    if not args.flush:
        with relayed() as streams:
            unsaved, of_pictures = watch(args, s3, outbox, retention, Notices(streams))
        return exit_code(unsaved, streams[0], of_pictures)
    # What --dry_run prints waits for its reader, and a progress bar needs its terminal.
    talk = contextlib.nullcontext() if args.dry_run or sys.stderr.isatty() else relayed()
    with talk:
        retention.apply()
        done = flush(outbox, s3, lambda items, n: progress(items, n, "captures"), args.dry_run)
        log(f"{plural(done.sent, 'capture')} sent, {outbox.status()}")
    return 1 if done.refused else 0


if __name__ == "__main__":
    run(main, keep_memory=True)
