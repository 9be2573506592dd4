"""What train.py is given becomes one set of labelled faces: databases, folders, or several of them.

A folder of pictures is made into a database first, so that everything after it is the same: memory,
the split, copies on one side.
"""

from pathlib import Path

import numpy as np

import create_db_utkface
from age_gender.command_line import UserError, log
from age_gender.data import appa_real
from age_gender.data.database import FaceDatabase
from age_gender.weights import MARGIN
from wide_resnet import IMAGE_SIZE

TERMS = {  # of a database's `db`: its name and what it may be used for
    "utk": ("UTKFace", "non-commercial research only"),
    "imdb": ("IMDB-WIKI (imdb)", "academic research only"),
    "wiki": ("IMDB-WIKI (wiki)", "academic research only"),
    "appa-real": ("APPA-REAL", "research only"),
}


class Faces:
    """Labelled faces of one database, or of several behind each other.

    Attributes:
        images: indexed by a row's number, (S, S, 3) uint8 BGR.
        genders: (N,) int, as in `genders`.
        ages: (N,) int, years.
        img_size: S, pixels.
        crop, margin, resize: how the faces were cut; those of the first database.
        data, terms: names of the datasets, and what they may be used for.
    """

    def __init__(self, databases):
        """Raises `UserError` where the databases hold faces of different sizes."""
        first = databases[0]
        for other in databases[1:]:
            if other.img_size != first.img_size:
                raise UserError(
                    f"{first.path} holds faces of {first.img_size} px, {other.path} of "
                    f"{other.img_size}: make them of one size"
                )
            cuts = [(each.crop, each.margin, each.resize) for each in (first, other)]
            if cuts[0] != cuts[1]:
                log(
                    f"warning: {other.path} is cut otherwise ({_cut(other)}) than {first.path} "
                    f"({_cut(first)}); the weights will say the latter"
                )
        self._databases = databases
        self._starts = np.cumsum([0, *(len(each) for each in databases)])
        self.images = self
        self.genders = np.concatenate([each.genders for each in databases])
        self.ages = np.concatenate([each.ages for each in databases])
        self.img_size = first.img_size
        self.crop, self.margin, self.resize = first.crop, first.margin, first.resize
        known = {each.db: TERMS.get(each.db, (each.db, "unknown")) for each in databases}
        self.data = ", ".join(name for name, _ in known.values())
        self.terms = "; ".join(dict.fromkeys(terms for _, terms in known.values()))

    def __len__(self):
        return len(self.ages)

    def __getitem__(self, row):
        which = int(np.searchsorted(self._starts, row, "right")) - 1
        return self._databases[which].images[row - self._starts[which]]

    def digests(self):
        """SHA-256 of each row's picture file."""
        return [digest for each in self._databases for digest in each.digests()]

    def split(self, validation, test, seed, fold=None):
        """Rows for training, validation and test; see `face_database.split`."""
        parts = [each.split(validation, test, seed, fold) for each in self._databases]
        return [
            np.concatenate([rows + start for rows, start in zip(part, self._starts)])
            for part in zip(*parts)
        ]


def _cut(database):
    margin = "" if database.margin is None else f" {database.margin}"
    return f"{database.crop}{margin}, {database.resize}"


def open_faces(paths, made_in, img_size=None, age_label="apparent", ignore_list=None):
    """The faces of ``paths``, each a database, a folder of UTKFace's chips, or APPA-REAL's folder.

    Args:
        paths: list of at least one.
        made_in: folder for the databases that are made of folders; they are kept and used again.
        img_size: of the faces of folders; None for that of the first database, else 64.
        age_label: "apparent" or "real", of APPA-REAL.
        ignore_list: file with the names of APPA-REAL's pictures that are left out.

    Returns:
        `Faces`.

    Raises `UserError` where a path is none of these.
    """
    ignored = appa_real.read_names(ignore_list) if ignore_list else set()
    opened = [None if path.is_dir() else FaceDatabase(path) for path in paths]
    sizes = [each.img_size for each in opened if each is not None]
    size = img_size or (sizes or [IMAGE_SIZE])[0]
    for number, path in enumerate(paths):
        if opened[number] is None:
            opened[number] = database_of(path, Path(made_in), size, "linear", age_label, ignored)
    return Faces(opened)


def labelled(folder, age_label="apparent", ignored=()):
    """What the pictures of a folder of UTKFace's chips, or of APPA-REAL's, are labelled.

    Args:
        folder: the folder; of APPA-REAL the training part is taken.
        age_label, ignored: as in `appa_real.labelled`.

    Returns:
        (N names relative to the folder, (N,) int ages, (N,) int genders, dict of the rows that
        have no labels: the reason; dict of what a database says of such pictures).

    Raises `UserError` where it is neither.
    """
    if appa_real.is_release(folder):
        kind = {"db": "appa-real", "crop": "margin", "margin": MARGIN}
        return *appa_real.labelled(folder, "train", age_label, ignored), {}, kind
    return *create_db_utkface.read_names(folder), {"db": "utk", "crop": "aligned"}


def database_of(folder, made_in, size, resize="linear", age_label="apparent", ignored=()):
    """The database of a folder of pictures, made where there is none of the same pictures.

    Args:
        folder, age_label, ignored: as in `labelled`.
        made_in: the folder for it.
        size: of the faces in pixels.
        resize: OpenCV's filter, "linear" or "area".

    Returns:
        `FaceDatabase`.
    """
    *labels, kind = labelled(folder, age_label, ignored)
    path = made_in / f"{folder.resolve().name}_{size}.mat"
    if path.is_file():
        made = FaceDatabase(path)
        names, ages, genders, _ = labels
        wanted = dict(zip(names, zip(ages, genders)))
        held = dict(zip(made.sources(), zip(made.ages, made.genders)))
        same = held.items() <= wanted.items() and made.resize == resize
        if same and path.stat().st_mtime > folder.stat().st_mtime:
            return made
    from age_gender import faces
    from age_gender.data import builder as database_builder

    log(f"making {path} of {folder}")
    pictures = database_builder.Pictures(folder, *labels)
    settings = {"img_size": size, "min_score": -1, "resize": resize, **kind}
    built = database_builder.build(
        path, pictures, lambda image: faces.whole(image, size, resize), settings
    )
    if built.skipped:
        log(f"{len(built.skipped)} pictures were skipped: {path.stem}_skipped.csv says why")
    return FaceDatabase(path)
