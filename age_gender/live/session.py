"""The input and the network of demo.py and run.py, as their options name them."""

import dataclasses

from age_gender.command_line import UserError, log, option
from age_gender.crops import warn_of_whole_photographs
from age_gender.face_estimator import Recipe
from age_gender.frames import Camera, PictureFolder, VideoFile, open_source
from age_gender.listing import Listing, list_pictures
from age_gender.live.options import margin_warning
from age_gender.live.player import Player, analysed_frames


@dataclasses.dataclass(frozen=True)
class Session:
    """The input and the network.

    Attributes:
        recipe: `Recipe`.
        listing: `Listing` of --image_dir; None for a camera or a video.
        source: `Camera` or `VideoFile`; None for pictures.
        pictures: `PictureFolder` of the listing; None for a camera or a video.
    """

    recipe: Recipe
    listing: Listing | None
    source: Camera | VideoFile | None
    pictures: PictureFolder | None

    def mirror(self, chosen):
        """Whether the window shows a mirror image; ``chosen`` is None for that of a camera."""
        camera = isinstance(self.source, Camera) and not self.source.is_stream
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
        if every_frame and not self.source.live:
            return analysed_frames(self.source, analyst, embed)
        return Player(self.source, analyst, embed)


def open_session(args, output_dir=None):
    """The `Session` of the options.

    Args:
        args: the options, as `options.add` declares them.
        output_dir: folder for results; its pictures are not part of the input.

    Raises `UserError` if pictures, video or weights are missing or do not fit.
    """
    listing = source = None
    if args.image_dir is None:
        with option("--source"):
            source = open_source(args.source or 0, args.camera_size)
        if args.camera_size and (not source.live or source.is_stream):
            raise UserError(
                f"--camera_size: {args.source} is no camera, and its pictures have their own size"
            )
    else:
        if output_dir is not None and output_dir.resolve() == args.image_dir.resolve():
            raise UserError(
                f"--output_dir: {output_dir} is the folder of the pictures: give another"
            )
        with option("--image_dir"):
            listing = list_pictures(args.image_dir, output_dir)
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
        warn_of_whole_photographs(args.image_dir, names, "without --cropped faces are searched for")
    pictures = None if listing is None else PictureFolder(listing)
    return Session(recipe, listing, source, pictures)
