"""The input and the network of demo.py and run.py, as their options name them."""

import dataclasses
import os
import re
from pathlib import Path

from age_gender.command_line import UserError, log, option
from age_gender.crops import warn_of_whole_photographs
from age_gender.face_estimator import Recipe
from age_gender.frames import Camera, PictureFolder, open_source
from age_gender.listing import Listing, list_pictures
from age_gender.live.inputs import Inputs, open_inputs
from age_gender.live.options import margin_warning
from age_gender.live.player import Player, analysed_frames


@dataclasses.dataclass(frozen=True)
class Session:
    """The input and the network.

    Attributes:
        recipe: `Recipe`.
        listing: `Listing` of the pictures; None for cameras and videos alone.
        sources: list of (name, `Camera` or `VideoFile`).
        pictures: `PictureFolder` of the listing; None without one.
    """

    recipe: Recipe
    listing: Listing | None
    sources: list
    pictures: PictureFolder | None

    @property
    def source(self):
        """The first `Camera` or `VideoFile`; None for pictures alone."""
        return self.sources[0][1] if self.sources else None

    def mirror(self, chosen, source=None):
        """Whether the window shows a mirror image.

        Args:
            chosen: by the user; None for that of a camera.
            source: what is shown; None for the first.
        """
        source = source or self.source
        camera = isinstance(source, Camera) and not source.is_stream
        return camera if chosen is None else chosen

    def frames(self, analyst, every_frame, embed=lambda: False):
        """Iterate over `player.Shown`: pictures, or the frames of a camera or video.

        Args:
            analyst: `analyst.Analyst`.
            every_frame: analyse each frame of a video, however long that takes.
            embed: function that returns whether embeddings are computed too.
        """
        if self.source is None:
            return analysed_frames(self.pictures, analyst, embed)
        return played(self.source, analyst, every_frame, embed)

    def output(self, output_dir, name):
        """The folder for the results of a source: ``output_dir``, or one of its own in it."""
        if output_dir is None or (self.listing is None and len(self.sources) == 1):
            return output_dir
        source = dict(self.sources)[name]
        return output_dir / (re.sub(r"\W+", "_", name) if source.live else name)


def played(source, analyst, every_frame, embed=lambda: False):
    """Iterate over `player.Shown` of a camera or video; arguments as those of `Session.frames`."""
    if every_frame and not source.live:
        return analysed_frames(source, analyst, embed)
    return Player(source, analyst, embed)


def open_session(args, output_dir=None):
    """The `Session` of the options.

    Args:
        args: the options, as `options.add` declares them.
        output_dir: folder for results; its pictures are not part of the input.

    Raises `UserError` if pictures, video or weights are missing or do not fit.
    """
    inputs = _open_inputs(args, output_dir)
    listing, sources = inputs.listing, inputs.sources
    if args.cropped and sources:
        raise UserError(f"--cropped needs pictures: {sources[0][0]} is none")
    if getattr(args, "resume", False) and sources:
        raise UserError(f"--resume needs pictures: {sources[0][0]} is none")
    cameras = [each for _, each in sources if each.live and not each.is_stream]
    if args.camera_size and not cameras:
        names = [*(name for name, _ in sources), *(listing.pictures if listing else ())]
        raise UserError(
            f"--camera_size: {names[0]} is no camera, and its pictures have their own size"
        )
    if output_dir is not None:
        with option("--output_dir"):
            _check_output(output_dir, inputs)
    with option("--weight_file"):
        recipe = Recipe.of(
            args.weight_file,
            args.margin,
            cropped=args.cropped,
            interval=args.interval,
            age_offset=args.age_offset,
            detail=args.detail,
            depth=args.depth,
            width=args.width,
        )
    warning = margin_warning(recipe.description, args.margin)
    if warning:
        log(warning)
    if args.cropped:
        names = [listing.name(path) for path in listing.pictures]
        warn_of_whole_photographs(listing.folder, names, "without --cropped faces are searched for")
    pictures = None if listing is None else PictureFolder(listing)
    return Session(recipe, listing, sources, pictures)


def _open_inputs(args, output_dir):
    """The `Inputs` of the options."""
    if getattr(args, "inputs", None):
        return open_inputs(args.inputs, output_dir, args.camera_size)
    if args.image_dir is not None:
        with option("--image_dir"):
            return Inputs(list_pictures(args.image_dir, output_dir), [])
    with option("--source"):
        text = args.source or "0"
        if text.isdigit() or os.path.isdir(text):  # which it was before it could be a picture
            source = open_source(text, args.camera_size)
            return Inputs(None, [(source.name, source)])
        return open_inputs([text], size=args.camera_size)


def _check_output(output_dir, inputs):
    """Raise `UserError` if results would take the place of an input."""
    if inputs.listing is not None:
        listing, folder = inputs.listing, Path(os.path.abspath(output_dir))
        if folder.resolve() == listing.folder.resolve():
            raise UserError(f"{output_dir} is the folder of the pictures: give another")
        paths = {os.path.abspath(path) for path in listing.pictures}
        replaced = [
            name for name in map(listing.name, listing.pictures) if str(folder / name) in paths
        ]
        if replaced:
            raise UserError(f"{output_dir}: {replaced[0]} there is an input: give another folder")
    for _, source in inputs.sources:
        target = output_dir / "video.mp4"
        if not source.live and target.exists() and target.samefile(source.path):
            raise UserError(f"{target} is the input: give another folder")
