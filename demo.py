"""Shows the estimated age and gender of the faces in pictures, videos and camera streams.

    python3 demo.py                                          a window on the camera
    python3 demo.py --source clip.mp4                        a window on a video
    python3 demo.py --image_dir pictures                     a window on a folder
    python3 demo.py --image_dir pictures --output_dir out    no window: pictures and tables
    python3 demo.py --source clip.mp4 --output_dir out       no window: a video and tables

In the window any key shows the next picture; Escape, q or closing it quits.
"""

from age_gender.start import run

import contextlib
from pathlib import Path

from age_gender import memory
from age_gender.command_line import Parser, log, option
from age_gender.live import options

# Imports that are slow are in the functions, so that --help and a mistyped option answer at once.


def get_args(argv=None):
    parser = Parser(
        description="Find faces and estimate their age and gender: in a window, or with "
        "--output_dir as annotated pictures or video and tables.",
        epilog="Tables and printed lines: face counts the faces of a picture from left to right; "
        "identity is the number of a face that is tracked through a video; score is the "
        "confidence of the face detector, -0.2 or more, above 1 for a clear face; probability is "
        "that of the gender, 0.5 to 1. Exit codes with --image_dir: 0 if every picture was done, 3 "
        "if some were not, 4 if none was; 2 for a mistake in the command.",
    )
    options.add(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output_dir",
        type=Path,
        help="folder for annotated pictures or a video, results.csv and results.jsonl",
    )
    output.add_argument("--overwrite", action="store_true", help="replace earlier results there")
    output.add_argument(
        "--resume", action="store_true", help="go on with a folder where an earlier run stopped"
    )
    output.add_argument("--window", action="store_true", help="open a window as well")
    args = parser.parse_args(argv)
    options.check(parser, args)
    if args.overwrite and not args.output_dir:
        parser.error("--overwrite needs --output_dir")
    if args.resume and not args.output_dir:
        parser.error("--resume needs --output_dir")
    if args.resume and args.overwrite:
        parser.error("--resume and --overwrite exclude each other")
    if args.resume and args.image_dir is None:
        parser.error("--resume needs --image_dir")
    return args


def folder_to_files(args, session):
    """Write annotated pictures and tables; print a line for each face. Returns the exit code."""
    from age_gender.output.folder import estimate_folder
    from age_gender.output.tables import TABLES

    counts = estimate_folder(
        session.listing, args.output_dir, session.recipe, parts=args.label, resume=args.resume
    )
    log(str(counts))
    log(f"annotated pictures and {', '.join(TABLES)} are in {args.output_dir}")
    return counts.exit_code


def pictures_to_window(args, session):
    """Show pictures until the user quits. Returns the exit code."""
    from age_gender.live.album import Album, browse
    from age_gender.live.analyst import Analyst
    from age_gender.live.window import Window

    with Analyst(session.recipe, track=False) as analyst, Window("result") as window:
        browse(Album(session.pictures, analyst, window.room, args.label), window)
    session.pictures.log_left_out()
    return session.pictures.exit_code


def video(args, session, windowed):
    """Show a camera or a video in a window, write it, or both, until it ends or the user quits."""
    from age_gender.live.analyst import Analyst
    from age_gender.live.player import mirrored
    from age_gender.live.window import Window
    from age_gender.output.drawing import annotated
    from age_gender.output.placing import Memory
    from age_gender.output.video import VIDEO, open_recording

    real_time = windowed or session.source.live
    window = Window("result") if windowed else contextlib.nullcontext()
    recording = contextlib.nullcontext()
    if args.output_dir:
        recording = open_recording(
            args.output_dir,
            session.source.rate,
            with_interval=session.recipe.interval_factor is not None,
        )
    mirror = session.mirror(args.mirror)
    labels, mirrored_labels = Memory(), Memory()
    with Analyst(session.recipe) as analyst, recording as recording, window as window:
        try:
            for shown in session.frames(analyst, every_frame=not real_time):
                if recording or not mirror:
                    picture = annotated(shown, parts=args.label, memory=labels)
                if recording and analyst.ready and shown.frame.number:
                    recording.add(shown, picture)
                if window and mirror:
                    picture = annotated(mirrored(shown), parts=args.label, memory=mirrored_labels)
                if window and window.show(picture) is None:
                    break
        except KeyboardInterrupt:
            if not recording:
                raise
            if recording.frames:
                log("stopped: what was recorded is kept")
    if recording:
        log(f"{recording}: {VIDEO} and its tables are in {args.output_dir}")


def main(argv=None):
    args = get_args(argv)
    memory.apply_option(args)
    from age_gender.live.session import open_session
    from age_gender.live.window import require_display
    from age_gender.output.journal import refuse_existing

    if args.output_dir:
        with option("--output_dir"):
            refuse_existing(args.output_dir, args.overwrite, args.resume)
    session = open_session(args, args.output_dir)
    windowed = args.window or not args.output_dir
    if windowed:
        require_display("--output_dir OUT writes files instead, and needs none")
    if session.source is not None:
        return video(args, session, windowed)
    codes = []
    if args.output_dir:
        codes.append(folder_to_files(args, session))
    if windowed:
        codes.append(pictures_to_window(args, session))
    return max(codes)


if __name__ == "__main__":
    run(main)
