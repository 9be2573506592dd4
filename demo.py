"""Look at faces: the picture says the age and sex that the network sees in them.

    python3 demo.py                                          a window on the camera
    python3 demo.py --source clip.mp4                        a window on a video
    python3 demo.py --image_dir pictures                     a window on a folder
    python3 demo.py --image_dir pictures --output_dir out    no window: pictures and tables
    python3 demo.py --source clip.mp4 --output_dir out       no window: a video and tables

In the window any key goes to the next picture; Escape, q or closing it ends.
"""

from pathlib import Path

from age_gender.command_line import Parser, UserError, log, run
from age_gender.live import options as face_options


def get_args(argv=None):
    parser = Parser(
        description="Find faces and estimate their age and gender: in a window, or with "
        "--output_dir as annotated pictures or video and tables."
    )
    face_options.add(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output_dir",
        type=Path,
        help="write annotated pictures or a video, results.csv and results.jsonl there",
    )
    output.add_argument("--overwrite", action="store_true", help="replace earlier results there")
    output.add_argument("--window", action="store_true", help="open a window all the same")
    args = parser.parse_args(argv)
    face_options.check(parser, args)
    if args.overwrite and not args.output_dir:
        parser.error("--overwrite needs --output_dir")
    return args


def folder_to_files(args, session):
    """Write annotated pictures and tables; print a line for each face."""
    from age_gender.output import folder as picture_folder
    from age_gender.output import tables as results

    counts = picture_folder.estimate_folder(
        args.image_dir, session.paths, args.output_dir, session.job
    )
    log(", ".join(f"{count} {what}" for what, count in counts.items()))
    log(f"annotated pictures and {', '.join(results.TABLES)} are in {args.output_dir}")


def pictures_to_window(args, session):
    """Show pictures until the user ends it."""
    from age_gender.live import analyst, window
    from age_gender.output import drawing

    with analyst.Analyst(session.job) as asked:
        asked.wait()
        each = None
        with window.Window("result") as screen:
            for each in face_options.shown(args, session, asked, every_frame=False):
                picture = drawing.annotated(each, window.VIEW)
                if screen.show(picture, wait_for_key=True) is None:
                    break
        if each is None:
            raise UserError(f"--image_dir {args.image_dir}: none of its pictures can be read")


def video(args, session, windowed):
    """Show a camera or a video in a window, write it, or both, until it or the user ends it."""
    import contextlib

    from age_gender import frames
    from age_gender.live import analyst, window
    from age_gender.output import drawing
    from age_gender.output import video as recording

    source = args.source or "0"
    live = windowed or frames.is_camera(source)
    screen, record = contextlib.nullcontext(), contextlib.nullcontext()
    if windowed:
        screen = window.Window("result")
    if args.output_dir:
        rate, interval = frames.rate_of(source), session.job.interval
        record = recording.open_recording(args.output_dir, rate, interval, steady=not live)
    with analyst.Analyst(session.job) as asked, record as record, screen as screen:
        try:
            for each in face_options.shown(args, session, asked, every_frame=not live):
                picture = drawing.annotated(each)
                if record and asked.ready and each.frame.number:
                    record.add(each, picture)
                if screen and screen.show(picture) is None:
                    break
        except KeyboardInterrupt:
            if not record:
                raise
            log("stopped: what there is so far is kept")
    if record:
        said = ", ".join(f"{count} {what}" for what, count in record.counts.items())
        log(f"{said}: {recording.VIDEO} and its tables are in {args.output_dir}")


def main(argv=None):
    args = get_args(argv)
    if args.output_dir:
        from age_gender.output import tables as results

        results.refuse_existing(args.output_dir, args.overwrite)
    session = face_options.open_session(args, but_not=args.output_dir)
    windowed = args.window or not args.output_dir
    if windowed:
        from age_gender.live import window

        window.require_display("--output_dir OUT writes files instead, and needs none")
    if session.paths is None:
        return video(args, session, windowed)
    if args.output_dir:
        folder_to_files(args, session)
    if windowed:
        pictures_to_window(args, session)


if __name__ == "__main__":
    run(main, keep_memory=True)
