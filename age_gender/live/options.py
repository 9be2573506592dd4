"""The options that demo.py and run.py share: the input, the network, and what is reported."""

import argparse
import re
from pathlib import Path

from age_gender import memory
from age_gender.command_line import number_between
from age_gender.detection.views import DETAILS
from age_gender.output.labels import PARTS
from wide_resnet import DEPTH, WIDTH


def add(parser):
    """Add the options to a parser."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--image_dir", type=Path, help="folder of pictures, instead of the camera")
    source.add_argument(
        "--source",
        help="index or device of a camera, a video file, or the address of a stream, such as "
        "rtsp://HOST/PATH (default: camera 0)",
    )
    parser.add_argument(
        "--camera_size",
        metavar="WIDTHxHEIGHT",
        type=camera_size,
        help="what a camera is asked for, in pixels, such as 1280x720 (default: 640x480)",
    )
    parser.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        help="show the picture in the window as in a mirror (default: that of a camera); what is "
        "captured or written is never mirrored",
    )
    network = parser.add_argument_group("network (options left out are read from the weight file)")
    network.add_argument(
        "--weight_file",
        help="weight file, or the name of a published one (default: the weights that ship)",
    )
    for name, original in (("depth", DEPTH), ("width", WIDTH)):
        network.add_argument(
            f"--{name}",
            type=number_between(1, 1000, int),
            help=f"{name} of the network; {original} in the original's weights",
        )
    network.add_argument(
        "--margin",
        type=number_between(0, 10),
        help="cut faces with this margin around the detector's box, as a fraction of its size; 0.4 "
        "in the original's weights",
    )
    parser.add_argument(
        "--detail",
        choices=DETAILS,
        default="normal",
        help="how small and how much turned faces are searched for; more takes more time (default: "
        "normal)",
    )
    reported = parser.add_argument_group("estimates")
    reported.add_argument(
        "--interval",
        action="store_true",
        help="also report the age interval that covers most such faces, as in 34 (28-41)",
    )
    reported.add_argument(
        "--label",
        metavar="PART,...",
        action="extend",
        type=label_parts,
        help=f"what labels in pictures show, of {', '.join(PARTS)} (default: all; the number where "
        "there are several faces, the interval with --interval)",
    )
    reported.add_argument(
        "--age_offset",
        type=number_between(-100, 100),
        default=0.0,
        help="years added to every age (default: 0)",
    )
    folder = parser.add_argument_group("with --image_dir")
    folder.add_argument(
        "--cropped", action="store_true", help="every picture is a face: run no detector"
    )
    memory.add_option(folder)


def camera_size(text):
    """A size such as "1280x720", as an argument's type: (width, height)."""
    sides = re.fullmatch(r"([1-9]\d{1,4})[xX×]([1-9]\d{1,4})", text)
    if sides is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give one such as 1280x720")
    return int(sides[1]), int(sides[2])


def label_parts(text):
    """The parts of labels in a text such as "age,gender", as an argument's type: a list."""
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if part not in PARTS:
            raise argparse.ArgumentTypeError(
                f"{part!r} is no part of a label: choose from {', '.join(PARTS)}"
            )
    return parts


def check(parser, args):
    """End with the parser's error if options contradict each other; supply those implied."""
    if args.label is not None:
        args.interval = args.interval or "interval" in args.label
        args.label += ["interval"] * args.interval
    if args.image_dir is not None and (args.mirror is not None or args.camera_size):
        name = "--camera_size" if args.camera_size else "--mirror"
        parser.error(f"{name} and --image_dir exclude each other: pictures are shown as they are")
    if args.cropped and args.image_dir is None and not getattr(args, "inputs", None):
        parser.error("--cropped needs pictures")
    if args.cropped and args.margin is not None:
        parser.error("--cropped and --margin exclude each other: nothing is cut")


def margin_warning(description, margin):
    """A warning if ``margin`` is not what the weights were trained on, else None."""
    if margin is None or (description.crop == "margin" and description.margin == margin):
        return None
    trained = "aligned faces" if description.crop == "aligned" else f"margin {description.margin}"
    return (
        f"warning: --margin {margin} is used, but these weights were trained on {trained}: "
        "leave --margin out for better estimates"
    )
