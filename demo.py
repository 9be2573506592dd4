"""Look at faces: the picture says the age and sex that the network sees in them.

    python3 demo.py                                          a window on the camera
    python3 demo.py --image_dir pictures                     a window on a folder
    python3 demo.py --image_dir pictures --output_dir out    no window: pictures and tables

In the window any key goes to the next picture; Escape, q or closing it ends.
"""

from pathlib import Path

import picture_folder
from command_line import Parser, UserError, number_between, run, say
from wide_resnet import DEPTH, WIDTH


def get_args(argv=None):
    parser = Parser(
        description="Find faces and estimate their age and gender: in a window, or with "
        "--output_dir as annotated pictures and tables."
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--image_dir", type=Path, help="folder of pictures, instead of the camera")
    source.add_argument("--source", help="camera index or video file (default: camera 0)")
    network = parser.add_argument_group("network (each is known from the weights if left out)")
    network.add_argument("--weight_file", help="weights, or the name of published ones")
    for name, default in (("depth", DEPTH), ("width", WIDTH)):
        network.add_argument(
            f"--{name}",
            type=number_between(1, 1000, int),
            help=f"{name} of the network; {default} in the original's weights",
        )
    network.add_argument(
        "--margin",
        type=number_between(0, 10),
        help="margin around the face, in parts of its size; 0.4 in the original's weights",
    )
    parser.add_argument(
        "--interval",
        action="store_true",
        help="also say between what ages most such faces are, as in 34 (28-41)",
    )
    folder = parser.add_argument_group("with --image_dir")
    folder.add_argument(
        "--output_dir",
        type=Path,
        help="write annotated pictures, results.csv and results.jsonl there; opens no window",
    )
    folder.add_argument("--overwrite", action="store_true", help="replace earlier results there")
    folder.add_argument(
        "--cropped", action="store_true", help="each picture is a face: do not look for any"
    )
    args = parser.parse_args(argv)
    if args.image_dir is None and (args.output_dir or args.cropped):
        parser.error(f"{'--output_dir' if args.output_dir else '--cropped'} needs --image_dir")
    if args.overwrite and not args.output_dir:
        parser.error("--overwrite needs --output_dir")
    if args.cropped and args.margin is not None:
        parser.error("--cropped and --margin exclude each other: nothing is cut")
    return args


def to_folder(args, paths, description, make_estimator, interval):
    """Write annotated pictures and tables; print a line for each face."""
    counts = picture_folder.estimate_folder(
        args.image_dir,
        paths,
        args.output_dir,
        description,
        make_estimator,
        args.margin,
        args.cropped,
        interval,
    )
    say(", ".join(f"{count} {what}" for what, count in counts.items()))
    say(f"annotated pictures and {', '.join(picture_folder.TABLES)} are in {args.output_dir}")


def to_window(args, paths, description, make_estimator, interval):
    """Show frames with their estimates until the user ends it."""
    import window

    window.require_display()
    import drawing
    import faces
    import frames

    source = frames.pictures(paths, args.image_dir) if paths else frames.video(args.source or "0")
    first = next(source, None)
    if first is None:
        raise UserError(f"--image_dir {args.image_dir}: none of its pictures can be read")
    estimator = make_estimator()
    finder = None if args.cropped else faces.FaceFinder()
    cut = faces.Cut.of(description, args.margin)

    def annotated(frame):
        found, cuts = cut.examine(frame.image, finder)
        estimates = estimator(cuts)
        labels = [drawing.label_of(*each) for each in estimates.answers(interval)]
        view, factor = window.view(frame.image) if paths else (frame.image, 1)
        boxes = [face.scaled(factor).inside(view) for face in found]
        return drawing.annotate(view, boxes, labels)

    with window.Window("result") as shown:
        frame = first
        while frame is not None and shown.show(annotated(frame), wait_for_key=bool(paths)):
            frame = next(source, None)
    source.close()


def main(argv=None):
    args = get_args(argv)
    if args.output_dir:
        picture_folder.refuse_existing(args.output_dir, args.overwrite)
    import faces
    import frames
    import weights

    paths = None
    if args.image_dir is not None:
        paths = frames.list_pictures(args.image_dir, but_not=args.output_dir)
    path = weights.find(args.weight_file)
    description, _ = weights.read(path)
    weights.require(description, path, args.depth, args.width)
    if args.interval and description.interval_factor is None:
        raise UserError(
            f"--interval: {path} carries none: evaluate.py --keep_interval writes it, on labelled "
            "faces that these weights were not trained on"
        )
    warning = faces.contradiction(description, args.margin)
    if warning:
        say(warning)

    def make_estimator():
        from estimator import Estimator

        return Estimator(path)

    work = to_folder if args.output_dir else to_window
    interval = description.interval_factor if args.interval else None
    work(args, paths, description, make_estimator, interval)


if __name__ == "__main__":
    import engine

    engine.keep_memory()
    run(main)
