"""The options that demo.py and run.py share: the input, the network, and what is reported."""

import dataclasses
from pathlib import Path

from age_gender.command_line import UserError, log, number_between, option
from wide_resnet import DEPTH, WIDTH


def add(parser):
    """Add the options to a parser."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--image_dir", type=Path, help="folder of pictures, instead of the camera")
    source.add_argument("--source", help="index of a camera, or a video file (default: camera 0)")
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
    reported = parser.add_argument_group("estimates")
    reported.add_argument(
        "--interval",
        action="store_true",
        help="also report the age interval that covers most such faces, as in 34 (28-41)",
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


def check(parser, args):
    """End with the parser's error if options contradict each other."""
    if args.image_dir is None and args.cropped:
        parser.error("--cropped needs --image_dir")
    if args.cropped and args.margin is not None:
        parser.error("--cropped and --margin exclude each other: nothing is cut")


@dataclasses.dataclass
class Session:
    """The input and the network that the options name.

    Attributes:
        recipe: `face_estimator.Recipe`.
        folder, paths: --image_dir and its pictures; None for a camera or a video.
        source: `frames.Camera` or `frames.VideoFile`; None for pictures.
    """

    recipe: object
    folder: Path | None = None
    paths: list | None = None
    source: object = None

    def frames(self, analyst, every_frame, embed=lambda: False):
        """Iterate over `player.Shown`: pictures, or the frames of a camera or video.

        Args:
            analyst: `analyst.Analyst`.
            every_frame: analyse each frame of a video, however long that takes.
            embed: function that returns whether embeddings are computed too.
        """
        from age_gender.frames import pictures
        from age_gender.live.player import Player, analysed_frames

        if self.source is None:
            return analysed_frames(pictures(self.paths, self.folder), analyst, embed)
        if every_frame and not self.source.live:
            return analysed_frames(self.source, analyst, embed)
        return Player(self.source, analyst, embed)


def open_session(args, output_dir=None):
    """The `Session` of the options.

    Args:
        args: the options.
        output_dir: folder for results; its pictures are not part of the input.

    Raises `UserError` if pictures, video or weights are missing or do not fit.
    """
    from age_gender.face_estimator import Recipe
    from age_gender.frames import list_pictures, open_source

    session = Session(recipe=None)
    if args.image_dir is None:
        with option("--source"):
            session.source = open_source(args.source or 0)
    else:
        if output_dir is not None and output_dir.resolve() == args.image_dir.resolve():
            raise UserError(
                f"--output_dir: {output_dir} is the folder of the pictures: give another"
            )
        with option("--image_dir"):
            session.paths = list_pictures(args.image_dir, output_dir)
        session.folder = args.image_dir
    with option("--weight_file"):
        session.recipe = Recipe.of(
            args.weight_file,
            args.margin,
            cropped=args.cropped,
            interval=args.interval,
            age_offset=args.age_offset,
            depth=args.depth,
            width=args.width,
        )
    warning = margin_warning(session.recipe.description, args.margin)
    if warning:
        log(warning)
    return session


def margin_warning(description, margin):
    """A warning if ``margin`` is not what the weights were trained on, else None."""
    if margin is None or (description.crop == "margin" and description.margin == margin):
        return None
    trained = "aligned faces" if description.crop == "aligned" else f"margin {description.margin}"
    return (
        f"warning: --margin {margin} is used, but these weights were trained on {trained}: "
        "leave --margin out for better estimates"
    )
