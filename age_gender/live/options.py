"""What demo.py and run.py are told alike: where pictures come from, and what the network is."""

import collections
from pathlib import Path

from age_gender.command_line import UserError, log, number_between
from wide_resnet import DEPTH, WIDTH

Session = collections.namedtuple("Session", "paths job description")
Session.__doc__ = """What the options come to.

paths: the pictures of --image_dir, or None. job: `analyst.Job`. description: `weights.Description`.
"""


def add(parser):
    """Add the options of the source and of the network to a parser."""
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
    said = parser.add_argument_group("what is said")
    said.add_argument(
        "--interval",
        action="store_true",
        help="also say between what ages most such faces are, as in 34 (28-41)",
    )
    said.add_argument(
        "--age_offset",
        type=number_between(-100, 100),
        default=0.0,
        help="years added to every age (default: 0)",
    )
    folder = parser.add_argument_group("with --image_dir")
    folder.add_argument(
        "--cropped", action="store_true", help="each picture is a face: do not look for any"
    )


def check(parser, args):
    """End with the parser's error where options contradict each other."""
    if args.image_dir is None and args.cropped:
        parser.error("--cropped needs --image_dir")
    if args.cropped and args.margin is not None:
        parser.error("--cropped and --margin exclude each other: nothing is cut")


def open_session(args, but_not=None):
    """What the options come to.

    Args:
        args: the options.
        but_not: folder in --image_dir that is left out.

    Returns:
        `Session`. Raises `UserError` where a picture, a video or weights are missing or do not fit.
    """
    from age_gender import faces, frames, weights
    from age_gender.live import analyst

    paths = None
    if args.image_dir is not None:
        paths = frames.list_pictures(args.image_dir, but_not=but_not)
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
        log(warning)
    job = analyst.Job(
        path,
        faces.Cut.of(description, args.margin),
        args.cropped,
        description.interval_factor if args.interval else None,
        args.age_offset,
        follow=paths is None,
    )
    return Session(paths, job, description)


def shown(args, session, analyst, every_frame, embed=lambda: False):
    """Iterate over `live.Shown`: pictures, or the frames of a camera or video.

    Args:
        args: the options.
        session: `Session`.
        analyst: `analyst.Analyst`.
        every_frame: analyse each frame of a video, however long that takes.
        embed: function that says whether embeddings are computed too.
    """
    from age_gender import frames
    from age_gender.live import player as live

    if session.paths is not None:
        return live.each(frames.pictures(session.paths, args.image_dir), analyst, embed)
    source = args.source or "0"
    if every_frame and not frames.is_camera(source):
        return live.each(frames.video(source), analyst, embed)
    return live.Live(source, analyst, embed)
