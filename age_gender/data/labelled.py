"""Databases and folders of pictures become one set of labelled faces.

A folder of pictures is made into a database first, so that everything after it is the same: memory,
the split, copies on one side.
"""

import hashlib

import numpy as np

from age_gender.command_line import UserError, log
from age_gender.data import cache
from age_gender.data.appa_real import APPA_REAL
from age_gender.data.database import FaceDatabase
from age_gender.data.dataset import Dataset
from age_gender.data.imdb_wiki import IMDB, WIKI
from age_gender.data.utkface import UTKFACE
from wide_resnet import IMAGE_SIZE

DATASETS = (APPA_REAL, IMDB, WIKI, UTKFACE)  # the first that recognises a folder reads it


class LabelledFaces:
    """Labelled faces of one database, or of several one after another.

    Attributes:
        images: indexed by a row's number, (S, S, 3) uint8 BGR; those of one database in memory are
            an array.
        genders: (N,) int, as in `genders`.
        ages: (N,) int, years.
        img_size: S, pixels.
        crop, margin, resize: how the faces were cut; those of the first database.
        data, terms: names of the data sets, and what they may be used for.
    """

    def __init__(self, databases):
        """Raises `UserError` if the databases hold faces of different sizes."""
        first = databases[0]
        for other in databases[1:]:
            if other.img_size != first.img_size:
                raise UserError(
                    f"{first.path} holds faces of {first.img_size} px, {other.path} of "
                    f"{other.img_size}: make them of one size"
                )
            if cut_of(other) != cut_of(first):
                log(
                    f"warning: {other.path} is cut differently ({cut_of(other)}) from {first.path} "
                    f"({cut_of(first)}); the weight files will name the latter"
                )
        self._databases = databases
        self._starts = np.cumsum([0, *(len(each) for each in databases)])
        alone = len(databases) == 1 and isinstance(first.images, np.ndarray)
        self.images = first.images if alone else self
        self.genders = np.concatenate([each.genders for each in databases])
        self.ages = np.concatenate([each.ages for each in databases])
        self.img_size = first.img_size
        self.crop, self.margin, self.resize = first.crop, first.margin, first.resize
        datasets = [dataset_of(db) for db in dict.fromkeys(each.db for each in databases)]
        self.data = ", ".join(each.name for each in datasets)
        self.terms = "; ".join(dict.fromkeys(each.terms for each in datasets))

    def __len__(self):
        return len(self.ages)

    def __getitem__(self, row):
        number = int(np.searchsorted(self._starts, row, "right")) - 1
        return self._databases[number].images[row - self._starts[number]]

    def digests(self):
        """SHA-256 of each row's picture file."""
        return [digest for each in self._databases for digest in each.digests()]

    def digest(self):
        """A text that is the same for the same pictures with the same labels in the same order."""
        whole = hashlib.sha256(b"".join(self.digests()))
        for labels in (self.ages, self.genders):
            whole.update(labels.astype(np.uint8))
        return whole.hexdigest()[:16]

    def split(self, validation, test, seed, fold=None):
        """Rows for training, validation and test; see `database.split`."""
        parts = [each.split(validation, test, seed, fold) for each in self._databases]
        return [
            np.concatenate([rows + start for rows, start in zip(part, self._starts)])
            for part in zip(*parts)
        ]


def dataset_of(db):
    """The `Dataset` of a name in a database; of one that is not in `DATASETS` only the name."""
    return next((each for each in DATASETS if each.db == db), Dataset(db, db, "unknown"))


def races_of(database):
    """The race of each row of a `FaceDatabase` by its file's name, "" where it has none."""
    races = dataset_of(database.db).races
    names = database.sources() if races and database.has_sources else []
    return races(names) if names else [""] * len(database)


def cut_of(faces):
    """How faces are cut, as a text; of anything with crop, margin and resize."""
    margin = "" if faces.margin is None else f" {faces.margin}"
    return f"{faces.crop}{margin}, {faces.resize}"


def warn_of_cut(path, cut, description):
    """Warn if the faces of ``path``, cut as the text ``cut`` says, are cut unlike the weights'."""
    if cut != cut_of(description):
        log(
            f"warning: the faces of {path} are cut differently ({cut}) from those that the weights "
            f"were trained on ({cut_of(description)})"
        )


def check_teacher(name, description, faces, given, kept_aside):
    """Raise `UserError` if a network that is to judge faces needs larger ones; warn of the rest.

    Args:
        name: of its weight file.
        description: `weights.Description`.
        faces: `LabelledFaces`; given: what they are called.
        kept_aside: their rows that are not for training.
    """
    if description.image_size > faces.img_size:
        raise UserError(
            f"{name} takes faces of {description.image_size} px, those of {given} have "
            f"{faces.img_size}: make a database of {description.image_size} px"
        )
    warn_of_cut(given, cut_of(faces), description)
    same_data = set(description.data.split(", ")) & set(faces.data.split(", "))
    if same_data and description.split_seed is not None:
        seen = np.isin(kept_aside, description.split_of(faces)[0]).sum()
        if seen:
            log(
                f"warning: {name} was trained on {seen} of the {len(kept_aside)} pictures that are "
                "kept aside here: figures on them will be too good"
            )


def open_faces(paths, made_in, img_size=None, age_label="apparent", ignored=(), memory=0):
    """The faces of databases and of folders of pictures.

    Args:
        paths: list of at least one: a database, or a folder of one of `DATASETS`.
        made_in: folder for the databases that are made of folders; they are kept and used again.
        img_size: of the faces of folders where there is no database, whose size they have else.
        age_label: "apparent" or "real", of APPA-REAL.
        ignored: names of APPA-REAL's pictures that are left out.
        memory: bytes; databases are kept in memory as far as they fit.

    Returns:
        `LabelledFaces`.

    Raises `UserError` if a path is neither.
    """
    databases = []
    for path in paths:
        databases.append(None if path.is_dir() else FaceDatabase(path, memory))
        memory -= _in_memory(databases[-1])
    sizes = [each.img_size for each in databases if each is not None]
    size = (sizes or [img_size or IMAGE_SIZE])[0]
    for number, path in enumerate(paths):
        if databases[number] is None:
            databases[number] = database_of(
                path, made_in, size, "linear", age_label, ignored, memory=memory
            )
            memory -= _in_memory(databases[number])
    return LabelledFaces(databases)


def _in_memory(database):
    """Bytes of a database's images that are in memory; of None, 0."""
    images = getattr(database, "images", None)
    kept = isinstance(images, np.ndarray) and not isinstance(images, np.memmap)
    return images.nbytes if kept else 0


def read_folder(folder, age_label="apparent", ignored=()):
    """The labelled pictures of a folder.

    Args:
        folder: of one of `DATASETS`; of APPA-REAL the training part is taken.
        age_label, ignored: as in `open_faces`.

    Returns:
        (`Pictures`, `Dataset`).

    Raises `UserError` if it holds no pictures.
    """
    dataset = next(each for each in DATASETS if each.recognises(folder))
    return dataset.read(folder, age_label, ignored), dataset


def database_of(
    folder,
    made_in,
    size,
    resize="linear",
    age_label="apparent",
    ignored=(),
    resumable=True,
    memory=0,
):
    """The database of a folder of pictures, as `cache.database` makes and keeps it.

    Args:
        folder, age_label, ignored: as in `read_folder`.
        made_in: the folder for it; ``resumable``: it is there for the next run.
        size: of the faces in pixels.
        resize: OpenCV's filter, "linear" or "area".
        memory: as in `FaceDatabase`.

    Returns:
        `FaceDatabase`.
    """
    pictures, dataset = read_folder(folder, age_label, ignored)
    path = made_in / f"{folder.resolve().name}_{size}.mat"
    return cache.database(path, pictures, dataset, size, resize, resumable, memory)
