"""Shows the estimated age and gender of the faces in pictures, videos and camera streams.

    python3 demo.py                                a window on the camera
    python3 demo.py party.jpg holiday              a window on pictures and folders of pictures
    python3 demo.py clip.mp4                       a window on a video
    python3 demo.py holiday --output_dir out       no window: annotated pictures and tables
    python3 demo.py clip.mp4 --output_dir out      no window: an annotated video and tables
    python3 demo.py holiday --json                 no window: a line of JSON for each face

In the window Right, Space and letters show the next picture, Left the one before; Escape, q or
closing it quits.
"""

from age_gender.start import run

import contextlib
from pathlib import Path

from age_gender import memory
from age_gender.command_line import Parser, UserError, log, option, printable
from age_gender.live import options
from age_gender.system import SOME_FAILED

# Imports that are slow are in the functions, so that --help and a mistyped option answer at once.


def get_args(argv=None):
    parser = Parser(
        description="Find faces and estimate their age and gender: in a window, or with "
        "--output_dir as annotated pictures or video and tables.",
        epilog="Tables and printed lines: face counts the faces of a picture from left to right; "
        "identity is the number of a face that is tracked through a video; score is the "
        "confidence of the face detector, -0.2 or more, above 1 for a clear face; probability is "
        "that of the gender, 0.5 to 1. Exit codes: 0 if every picture was done, 3 if some were "
        "not, 4 if none was; 2 for a mistake in the command.",
    )
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="pictures, folders of pictures, videos, cameras (0, /dev/video2) and addresses of "
        "streams (rtsp://HOST/PATH), in any number and order (default: camera 0)",
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
        "--resume", action="store_true", help="go on with pictures where an earlier run stopped"
    )
    output.add_argument(
        "--json",
        action="store_true",
        help="print each face, and each input without one, as a line of JSON, and open no window",
    )
    output.add_argument("--window", action="store_true", help="open a window as well")
    args = parser.parse_args(argv)
    options.check(parser, args)
    for name in ("image_dir", "source"):
        if args.inputs and getattr(args, name) is not None:
            parser.error(f"--{name} takes one input: name several without it, {name_all(args)}")
    if args.overwrite and not args.output_dir:
        parser.error("--overwrite needs --output_dir")
    if args.resume and not args.output_dir:
        parser.error("--resume needs --output_dir")
    if args.resume and args.overwrite:
        parser.error("--resume and --overwrite exclude each other")
    if args.resume and args.image_dir is None and not args.inputs:
        parser.error("--resume needs --image_dir")
    return args


def name_all(args):
    """The command line that names all inputs without an option."""
    first = args.source if args.image_dir is None else args.image_dir
    return f"as in demo.py {first} {args.inputs[0]}"


def pictures_to_files(args, session):
    """Write annotated pictures and tables; print a line for each face. Returns the exit code."""
    from age_gender.output.folder import estimate_folder
    from age_gender.output.tables import TABLES

    counts = estimate_folder(
        session.listing, args.output_dir, session.recipe, args.json, args.label, args.resume
    )
    log(str(counts))
    if args.output_dir:
        log(f"annotated pictures and {', '.join(TABLES)} are in {args.output_dir}")
    return counts.exit_code


def pictures_to_window(args, session):
    """Show pictures. Returns the exit code, and whether the user quit."""
    from age_gender.live.album import Album, browse
    from age_gender.live.analyst import Analyst
    from age_gender.live.window import Window

    with Analyst(session.recipe, track=False) as analyst, Window("result") as window:
        quit_ = browse(Album(session.pictures, analyst, window.room, args.label), window)
    session.pictures.log_left_out()
    return session.pictures.exit_code, quit_


def video(args, session, name, source, windowed):
    """Show a camera or a video in a window, write it, or both, until it ends.

    Returns whether the user ended it.
    """
    from age_gender.live.analyst import Analyst
    from age_gender.live.player import mirrored
    from age_gender.live.session import played
    from age_gender.live.window import RIGHT, Window
    from age_gender.output.drawing import annotated
    from age_gender.output.placing import Memory
    from age_gender.output.video import VIDEO, open_recording

    real_time = windowed or source.live
    output = session.output(args.output_dir, name)
    window = Window("result") if windowed else contextlib.nullcontext()
    recording = contextlib.nullcontext()
    if output or args.json:
        recording = open_recording(
            output,
            source.rate,
            with_interval=session.recipe.interval_factor is not None,
            name=name,
            as_json=args.json,
            sound_of=None if source.live else source.path,
        )
    mirror = session.mirror(args.mirror, source)
    labels, mirrored_labels, stopped = Memory(), Memory(), False
    with Analyst(session.recipe) as analyst, recording as recording, window as window:
        try:
            for shown in played(source, analyst, every_frame=not real_time):
                if recording or not mirror:
                    picture = annotated(shown, parts=args.label, memory=labels)
                if recording and analyst.ready and shown.frame.number:
                    recording.add(shown, picture)
                if window and mirror:
                    picture = annotated(mirrored(shown), parts=args.label, memory=mirrored_labels)
                if window:
                    key = window.show(picture, title=printable(name))
                    stopped = key is None
                    if stopped or (key == RIGHT and len(session.sources) > 1):
                        break
        except KeyboardInterrupt:
            if not output:
                raise
            if recording.frames:
                log("stopped: what was recorded is kept")
            stopped = True
    if output:
        log(f"{recording}: {VIDEO} and its tables are in {output}")
    return stopped


def videos(args, session, windowed):
    """Go through cameras and videos. Returns the exit code."""
    code = 0
    for name, source in session.sources:
        try:
            if video(args, session, name, source, windowed):
                break
        except UserError as error:
            if len(session.sources) == 1 and session.listing is None:
                raise
            log(f"skipped {name}: {error}")
            code = SOME_FAILED
    return code


def has_display(args, session):
    """Whether a window can be opened. Raises `UserError` if nothing else would be of use."""
    from age_gender.live.window import require_display

    if session.sources or args.window:
        require_display("--output_dir OUT writes files instead, and needs none")
        return True
    try:
        require_display("lines are printed; --output_dir OUT writes annotated pictures")
    except UserError as error:
        log(str(error))
        return False
    return True


def main(argv=None):
    args = get_args(argv)
    memory.apply_option(args)
    from age_gender.live.session import open_session
    from age_gender.output.journal import refuse_existing

    session = open_session(args, args.output_dir)
    if args.output_dir:
        names = [name for name, _ in session.sources]
        outputs = {session.output(args.output_dir, name) for name in names}
        with option("--output_dir"):
            for output in sorted({args.output_dir, *outputs}):
                refuse_existing(output, args.overwrite, args.resume)
    windowed = args.window or not (args.output_dir or args.json)
    windowed = windowed and has_display(args, session)
    codes = [0]
    if session.listing is not None:
        if args.output_dir or not windowed:
            codes.append(pictures_to_files(args, session))
        if windowed:
            code, quit_ = pictures_to_window(args, session)
            codes.append(code)
            if quit_:
                return max(codes)
    codes.append(videos(args, session, windowed))
    return max(codes)


if __name__ == "__main__":
    run(main)
