"""UTKFace becomes a face database: its aligned and cropped chips, or its raw pictures.

    python3 create_db_utkface.py --input UTKFace --output data/utkface.mat
    python3 create_db_utkface.py --input raw --align --output data/utkface_raw.mat

Names are [age]_[gender]_[race]_[date].jpg.chip.jpg; only the first two fields are needed.
UTKFace's gender is 0 for male; the database has 1 for male, as everywhere in this suite.
"""

import os
import re
from pathlib import Path

from age_gender.command_line import Parser, UserError, log, number_between, run
from age_gender.data import report as database_report

PATTERN = re.compile(r"\d+_[01]_[0-4]_\d+\.jpg(\.chip\.jpg)?$")  # as UTKFace documents it


def get_args(argv=None):
    parser = Parser(
        description="Make a face database of UTKFace.",
    )
    parser.add_argument(
        "--input",
        "-i",
        type=Path,
        required=True,
        help="folder of the pictures (*.jpg), in it or in folders within",
    )
    database_report.add_options(parser, img_size=64)
    raw = parser.add_mutually_exclusive_group()
    raw.add_argument(
        "--align",
        action="store_true",
        help="raw pictures: find the face and cut it upright by its landmarks, as the chips are",
    )
    raw.add_argument(
        "--margin",
        type=number_between(0, 2),
        help="raw pictures: find the face and cut its box with this much of its sides around it",
    )
    return parser.parse_args(argv)


def labels_of(name):
    """Age (0 to 100; more becomes 100) and gender (as in `genders`) in a UTKFace file name.

    Raises ValueError where the name has none.
    """
    fields = name.split("_")
    if len(fields) < 2 or not fields[0].isascii() or not fields[0].isdigit():
        raise ValueError("its name does not start with an age")
    if fields[1] not in ("0", "1"):
        raise ValueError("its name has no gender 0 or 1 in second place")
    return min(int(fields[0]), 100), 1 - int(fields[1])


def find_pictures(folder):
    """Names of the *.jpg files in a folder and the folders in it, sorted, relative to it."""
    names = []
    for place, _, files in os.walk(folder):
        inside = os.path.relpath(place, folder)
        names += [os.path.normpath(f"{inside}/{name}") for name in files if name.endswith(".jpg")]
    return sorted(names)


def read_names(folder):
    """Labels in the names of a folder's pictures.

    Returns:
        (N names relative to the folder, (N,) int ages, (N,) int genders, dict of the rows without
        labels: the reason).

    Raises `UserError` where it is no folder or holds no picture.
    """
    import numpy as np

    if not folder.is_dir():
        raise UserError(f"--input {folder} is not a folder: give the folder of the pictures")
    names = find_pictures(folder)
    if not names:
        raise UserError(f"--input {folder} holds no *.jpg file: give the folder of the pictures")
    labels, refused = np.zeros((len(names), 2), int), {}
    for row, name in enumerate(names):
        try:
            labels[row] = labels_of(os.path.basename(name))
        except ValueError as error:
            refused[row] = str(error)
    malformed = sum(not PATTERN.match(os.path.basename(name)) for name in names)
    if malformed:
        log(f"{malformed} names are malformed; those that start with age and gender are used")
    return names, *labels.T, refused


class OnlyFace:
    """A picture becomes its only face, or is resized whole where it is a face already.

    Args:
        crop: "aligned" or "margin".
        margin: of the cut, where that is by its margin.
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
        from age_gender import faces
        from age_gender.data.builder import UnusablePicture

        if self._raw and self._finder is None:
            self._finder = faces.FaceFinder()
        found, cuts = faces.Cut(*self._settings, beyond=True).examine(image, self._finder)
        if len(found) != 1:
            raise UnusablePicture(f"it shows {len(found)} faces" if found else "no face is found")
        return cuts[0]


def main(argv=None):
    args = get_args(argv)
    database_report.refuse_existing(args.output, args.overwrite)
    labelled = read_names(args.input)
    from age_gender.data import builder as database_builder

    pictures = database_builder.Pictures(args.input, *labelled)
    raw = args.align or args.margin is not None
    if not raw and not any(name.endswith(".chip.jpg") for name in pictures.names):
        log("warning: these do not look like chips: raw pictures need --align or --margin")
    crop = "aligned" if args.margin is None else "margin"
    settings = {"img_size": args.img_size, "db": "utk", "min_score": -1}
    settings |= {"crop": crop, "margin": args.margin, "resize": args.resize}
    cut = OnlyFace(crop, args.margin, args.img_size, args.resize, raw)
    built = database_builder.build(args.output, pictures, cut, settings, args.drop_conflicts)
    database_report.report(args.output, pictures, built, args.plot)


if __name__ == "__main__":
    run(main)
