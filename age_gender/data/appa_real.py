"""APPA-REAL: face crops with the age that people guess, and the real age.

Agustsson et al., "Apparent and real age estimation in still images with deep residual regressors on
APPA-REAL database", FG 2017. ``./download.sh appa-real`` fetches it.
"""

import csv
from pathlib import Path

import numpy as np

from age_gender.command_line import UserError, log, progress
from age_gender.data.dataset import Dataset, Pictures
from age_gender.faces import whole
from age_gender.genders import UNKNOWN
from age_gender.pictures import UnreadablePicture, read_picture
from age_gender.weights import MARGIN
from wide_resnet import AGE_CLASSES

COLUMNS = {"apparent": "apparent_age_avg", "real": "real_age"}


def is_release(folder):
    """Whether a folder is the data set's, appa-real-release."""
    return (Path(folder) / "gt_avg_train.csv").is_file()


def read_table(folder, part):
    """The pictures of a part of the data set and their ages.

    Args:
        folder: the data set's (``appa-real-release``).
        part: "train", "valid" or "test".

    Returns:
        (list of the faces' file names, relative to the folder; dict of (N,) float years:
        "apparent" and "real").

    Raises `UserError` if the table is missing or is not one.
    """
    path = Path(folder) / f"gt_avg_{part}.csv"
    if not path.is_file():
        raise UserError(f"{path} does not exist: give APPA-REAL's folder (appa-real-release)")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        names = [f"{part}/{row['file_name']}_face.jpg" for row in rows]
        ages = {
            name: np.array([float(r[column]) for r in rows]) for name, column in COLUMNS.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not APPA-REAL's table: its columns file_name, "
            f"{' and '.join(COLUMNS.values())} are needed"
        ) from error
    if not names:
        raise UserError(f"{path} names no picture")
    return names, ages


def read_faces(folder, names, size, resize):
    """Read the pictures that exist and are whole; log how many do not.

    Args:
        folder, names: as in `read_table`.
        size: of the faces in pixels.
        resize: OpenCV's filter, "linear" or "area".

    Yields (number of the name, face (size, size, 3) uint8 BGR).
    """
    missing = []
    for row in progress(range(len(names)), len(names), "pictures"):
        try:
            yield row, whole(read_picture(folder / names[row]), size, resize)
        except UnreadablePicture:
            missing.append(names[row])
    if missing:
        log(f"{len(missing)} pictures are missing or unreadable, the first is {missing[0]}")


def read_names(path):
    """The set of file names in a list: the first field of each line. Raises `UserError`."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return {row[0].strip() for row in csv.reader(file) if row}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a list of file names") from error


def read(folder, age_label="apparent", ignored=(), part="train"):
    """The `Pictures` of a part of the data set; the gender of all is unknown.

    Args:
        folder, part: as in `read_table`.
        age_label: "apparent" or "real"; rounded to whole years, 0 to 100.
        ignored: file names, as the data set's table has them, that are left out.
    """
    names, ages = read_table(folder, part)
    kept = [
        row
        for row, name in enumerate(names)
        if Path(name).name.removesuffix("_face.jpg") not in ignored
    ]
    years = np.clip(np.rint(ages[age_label][kept]), 0, AGE_CLASSES - 1).astype(int)
    return Pictures(folder, [names[row] for row in kept], years, np.full(len(kept), UNKNOWN))


APPA_REAL = Dataset(
    "appa-real", "APPA-REAL", "research only", "margin", MARGIN, recognises=is_release, read=read
)
