"""The labelled pictures that weights are evaluated on, and their estimates."""

import dataclasses

import numpy as np

from age_gender.command_line import UserError, log, progress
from age_gender.data import labelled_folder
from age_gender.data.database import FaceDatabase
from age_gender.data.labelled import cut_of, database_of, dataset_of, races_of, warn_of_cut
from age_gender.estimates import Estimates
from age_gender.estimator import BATCH_SIZE
from age_gender.faces import Cut

PARTS = ("training", "validation", "test")


def check_sizes(paths, descriptions):
    """Raise `UserError` if weight files take faces of different sizes."""
    first = descriptions[0].image_size
    for path, description in zip(paths, descriptions):
        if description.image_size != first:
            raise UserError(
                f"{path} takes faces of {description.image_size} px, not {first}: compare weight "
                "files of one size"
            )


def check_part(part, description):
    """Raise `UserError` if weights do not say what the part of their split is."""
    if part in PARTS and description.split_seed is None:
        raise UserError("the weights do not record their split")


def open_labelled(folder, table, columns, descriptions, made_in, cropped):
    """The `FaceDatabase` of a folder of any pictures, with faces for weights.

    Args:
        folder, table, columns: as in `labelled_folder.read`.
        descriptions, made_in: as in `open_pictures`.
        cropped: every picture is a face already.

    Returns:
        (`FaceDatabase`, dict of the race of each file).

    Raises `UserError` if the table or the folder does not serve.
    """
    pictures, races = labelled_folder.read(folder, table, columns)
    cut = Cut.of(descriptions[0])
    warn_of_others(folder, cut_of(cut), descriptions)
    return labelled_folder.database_of(pictures, cut, made_in, cropped), races


def open_pictures(path, descriptions, made_in, age_label):
    """The `FaceDatabase` of a database or a folder, with faces for weights.

    Args:
        path: the database or the folder.
        descriptions: list of `weights.Description` of the weights, which take faces of one size;
            one that takes otherwise cut faces is warned of.
        made_in: folder for the database that is made of a folder; not kept.
        age_label: "apparent" or "real", of APPA-REAL.

    Raises `UserError` if the weights cannot take the faces.
    """
    size = descriptions[0].image_size
    if path.is_dir():
        resize = descriptions[0].resize
        database = database_of(path, made_in, size, resize, age_label, resumable=False)
    else:
        database = FaceDatabase(path)
    if database.img_size != size:
        raise UserError(
            f"{path} holds faces of {database.img_size} px, but the weights take {size}: make it "
            "of that size, or give the folder of the pictures"
        )
    warn_of_others(path, cut_of(database), descriptions)
    return database


def warn_of_others(path, cut, descriptions):
    """Warn once of each way in which weights were trained on faces that are cut otherwise."""
    for description in {cut_of(each): each for each in descriptions}.values():
        warn_of_cut(path, cut, description)


@dataclasses.dataclass
class Pictures:
    """The part of a database that weights are evaluated on: N labelled faces.

    Attributes:
        part: its name.
        rows: (N,) rows of the database.
        races_of_files: dict of the race of each file; None for those that its name gives.
        ages, genders: (N,) labels, genders as in `genders`.
        races: N names, "" where unknown.
    """

    database: FaceDatabase
    part: str
    rows: np.ndarray
    races_of_files: dict | None = None

    def __post_init__(self):
        self.ages, self.genders = self.database.ages[self.rows], self.database.genders[self.rows]
        if self.races_of_files is None:
            races = races_of(self.database)
        else:
            races = [self.races_of_files[name] for name in self.database.sources()]
        self.races = [races[row] for row in self.rows]

    def __len__(self):
        return len(self.rows)

    def faces(self, numbers):
        """List of some of the faces, (S, S, 3) uint8 BGR; numbers count from 0 to N - 1."""
        return [self.database.images[row] for row in self.rows[numbers]]


def select(database, part, description, races=None):
    """The `Pictures` of a part of a database.

    Args:
        database: `FaceDatabase`.
        part: one of `PARTS`, "all", or "auto": "validation" if the weights were trained on
            the same data set, else "all".
        description: `weights.Description`, which records the split.
        races: as `Pictures.races_of_files`.

    Raises `UserError` if the weights do not record their split, or the part is empty.
    """
    if part == "auto":
        trained_on = dataset_of(database.db).name in description.data.split(", ")
        part = "validation" if trained_on else "all"
        if trained_on and description.split_seed is None:
            part = "all"
            log("warning: the weights may have been trained on some of these pictures")
    if part == "all":
        return Pictures(database, part, np.arange(len(database)), races)
    check_part(part, description)
    rows = description.split_of(database)[PARTS.index(part)]
    if not len(rows):
        raise UserError(f"the {part} part of the weights' split holds no picture")
    return Pictures(database, part, rows)


def estimate(estimator, database, rows):
    """`Estimates` of some rows of a database, read as they are needed."""
    step = BATCH_SIZE
    starts = range(0, len(rows), step)
    found = []
    for start in progress(starts, len(starts), "batches"):
        faces = np.stack([database.images[row] for row in rows[start : start + step]])
        found.append(estimator(faces))
    names = [field.name for field in dataclasses.fields(Estimates)]
    return Estimates(*(np.concatenate([getattr(each, name) for each in found]) for name in names))
