"""APPA-REAL: face crops with the age that people guess, and the real age.

Agustsson et al., "Apparent and real age estimation in still images with deep residual regressors on
APPA-REAL database", FG 2017. ``./download.sh appa-real`` fetches it.
"""

from pathlib import Path

import numpy as np

from age_gender.command_line import UserError, log, plural, progress, some
from age_gender.data.dataset import OLDEST, Dataset, Pictures
from age_gender.data.label_table import Table, first_fields
from age_gender.description import MARGIN
from age_gender.faces import whole
from age_gender.genders import UNKNOWN
from age_gender.pictures import read_picture
from age_gender.processes import attempt
from wide_resnet import AGE_CLASSES

COLUMNS = {"apparent": "apparent_age_avg", "real": "real_age"}


def is_release(folder):
    """Whether a folder is the data set's, appa-real-release."""
    return (Path(folder) / "gt_avg_train.csv").is_file()


def read_table(folder, part, labels=tuple(COLUMNS)):
    """The pictures of a part of the data set and their ages.

    Args:
        folder: the data set's (``appa-real-release``).
        part: "train", "valid" or "test".
        labels: "apparent", "real" or both.

    Returns:
        (list of N names of the faces' files, relative to the folder; dict of the labels, (N,) float
        years).

    Raises `UserError` if the table is missing, or a label in it is none.
    """
    path = Path(folder) / f"gt_avg_{part}.csv"
    if not path.is_file():
        raise UserError(f"{path} does not exist: give APPA-REAL's folder (appa-real-release)")
    table = Table(path, ["file_name", *(COLUMNS[label] for label in labels)])
    ages = [table.numbers(COLUMNS[label], 0, OLDEST) for label in labels]
    rows = {}  # the labels of each name, and its row
    for (number, row), *years in zip(table.rows, *ages):
        name = row["file_name"]
        if {"/", "\\", "\0"} & set(name):
            raise UserError(f"{path}, row {number}: {name!r} is not the name of a file")
        first = rows.setdefault(name, (years, number))
        if first[0] != years:
            raise UserError(
                f"{path}, row {number}: {name} has another age in row {first[1]}: leave one out"
            )
    if repeated := len(table.rows) - len(rows):
        log(f"{path}: {plural(repeated, 'row')} left out: the same picture and ages as in another")
    kept = np.array([years for years, _ in rows.values()])
    names = [f"{part}/{name}_face.jpg" for name in rows]
    unlabelled = {f"{part}/{each.name}" for each in path.with_name(part).glob("*_face.jpg")}
    if unlabelled := sorted(unlabelled - set(names)):
        log(f"left out, as {path.name} does not name them: {some(unlabelled)}")
    return names, dict(zip(labels, kept.T))


def read_faces(folder, names, size, resize):
    """Read the pictures that exist and are whole.

    Args:
        folder, names: as in `read_table`.
        size: of the faces in pixels.
        resize: OpenCV's filter, "linear" or "area".

    Yields (number of the name, face (size, size, 3) uint8 BGR, None), or (number, None, the reason)
    for a picture that cannot be read.
    """
    for row in progress(range(len(names)), len(names), "pictures"):
        picture, problem = attempt(read_picture, folder / names[row])
        face = None if problem else whole(picture, size, resize)
        yield row, face, problem and str(problem)


def read_names(path):
    """The set of file names in a list: the first field of each line. Raises `UserError`."""
    return set(first_fields(path))


def read(folder, age_label="apparent", ignored=(), part="train"):
    """The `Pictures` of a part of the data set; the gender of all is unknown.

    Args:
        folder, part: as in `read_table`.
        age_label: "apparent" or "real"; rounded to whole years, 0 to 100.
        ignored: file names, as the data set's table has them, that are left out.
    """
    names, ages = read_table(folder, part, [age_label])
    kept = [
        row
        for row, name in enumerate(names)
        if Path(name).name.removesuffix("_face.jpg") not in ignored
    ]
    if ignored:
        log(f"{plural(len(names) - len(kept), 'picture')} left out by the list of {len(ignored)}")
    years = np.clip(np.rint(ages[age_label][kept]), 0, AGE_CLASSES - 1).astype(int)
    return Pictures(folder, [names[row] for row in kept], years, np.full(len(kept), UNKNOWN))


APPA_REAL = Dataset(
    "appa-real", "APPA-REAL", "research only", "margin", MARGIN, recognises=is_release, read=read
)
