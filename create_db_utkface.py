"""UTKFace becomes a face database: its aligned and cropped faces, or its raw pictures.

python3 create_db_utkface.py --input UTKFace --output data/utkface.mat
python3 create_db_utkface.py --input raw --align --output data/utkface_raw.mat
"""

from age_gender.start import run

from pathlib import Path

from age_gender import memory
from age_gender.command_line import Parser, number_between, option
from age_gender.data.options import add_options, refuse_existing


def get_args(argv=None):
    parser = Parser(
        description="Make a face database of UTKFace.",
        epilog="File names are AGE_GENDER_RACE_DATE.jpg.chip.jpg. In them gender 0 is male and 1 "
        "is female; in the database 0 is female and 1 is male, as everywhere in this suite.",
        trains=lambda args: args.plot,
    )
    parser.add_argument(
        "--input",
        "-i",
        type=Path,
        required=True,
        help="folder of the pictures (*.jpg), in it or in its subfolders",
    )
    add_options(parser, img_size=64)
    raw = parser.add_mutually_exclusive_group()
    raw.add_argument(
        "--align",
        action="store_true",
        help="raw pictures: find the face and cut it upright by its landmarks, like the chips",
    )
    raw.add_argument(
        "--margin",
        type=number_between(0, 2),
        help="raw pictures: find the face and cut its box with a margin, in parts of its sides",
    )
    return parser.parse_args(argv)


class OnlyFace:
    """Cuts the only face out of a picture, or resizes a picture that is a face already.

    Args:
        crop: "aligned" or "margin".
        margin: around the face's box, where crop is "margin".
        size: side of the face in pixels.
        resize: OpenCV's filter, "linear" or "area".
        raw: the face has to be found first.
    """

    def __init__(self, crop, margin, size, resize, raw):
        self._settings = (crop, margin, size, resize)
        self._raw = raw
        self._finder = None  # made in the process that needs it

    def __call__(self, image):
        """(H, W, 3) uint8 BGR to (size, size, 3); raises `UnusablePicture`."""
        # loaded once in each process that cuts: this module answers --help without them
        from age_gender.data.builder import UnusablePicture
        from age_gender.faces import Cut, FaceFinder

        if self._raw and self._finder is None:
            self._finder = FaceFinder()
        found, cuts = Cut(*self._settings, beyond=True).examine(image, self._finder)
        if len(found) != 1:
            raise UnusablePicture(f"it shows {len(found)} faces" if found else "no face is found")
        return cuts[0]


def main(argv=None):
    args = get_args(argv)
    memory.apply_option(args)
    refuse_existing(args.output, args.overwrite)
    from age_gender.crops import warn_of_whole_photographs
    from age_gender.data import builder, report
    from age_gender.data.utkface import read

    with option("--input"):
        pictures = read(args.input)
    raw = args.align or args.margin is not None
    if not raw:
        remedy = "raw pictures need --align or --margin"
        warn_of_whole_photographs(pictures.folder, pictures.names, remedy)
    crop = "aligned" if args.margin is None else "margin"
    settings = {"img_size": args.img_size, "db": "utk", "min_score": -1}
    settings |= {"crop": crop, "margin": args.margin, "resize": args.resize}
    cut = OnlyFace(crop, args.margin, args.img_size, args.resize, raw)
    built = builder.build(args.output, pictures, cut, settings, args.drop_conflicts)
    report.report(args.output, pictures, built, args.plot)


if __name__ == "__main__":
    run(main)
