"""The face database: a MATLAB file of face crops with their ages and genders.

Written as MATLAB 7.3, which is HDF5 behind a 512-byte header: it has any size, is appended as a
stream, and appears when it is complete. The original's MATLAB 5 files are read too. MATLAB's
``load`` and h5py both open it; MATLAB shows the axes of an array in reverse order.
"""

import contextlib
import datetime
import hashlib
import math
from pathlib import Path

import h5py
import numpy as np

from age_gender import hdf5
from age_gender.command_line import UserError
from age_gender.data import matlab5
from age_gender.description import MARGIN, choices
from age_gender.files import atomic_write, reserve
from age_gender.genders import ORDER, UNKNOWN
from age_gender.hdf5 import printable
from age_gender.stored import Unreadable

MAKERS = "create_db.py or create_db_utkface.py"
CHUNK = 16  # images; this and the next chosen by benchmarks/data/database_chunks.py
ROWS = 10**7  # and pixels of a side that are read, most
LARGEST = 4096
TEXT = 2 * 4096  # bytes of a text, and of a file's name
NAME = 2 * 4096


class DatabaseWriter:
    """Appends faces to an open database; made by `create`."""

    def __init__(self, file, img_size):
        self._file = file
        self._datasets = {
            "image": self._growing("image", (img_size, img_size, 3), np.uint8, CHUNK),
            "gender": self._growing("gender", (1,), np.uint8, 4096),
            "age": self._growing("age", (1,), np.uint8, 4096),
            "group": self._growing("group", (1,), np.uint32, 4096),
            "sha256": self._growing("sha256", (32,), np.uint8, 1024),
            "source": self._growing("source", (1,), np.uint16, 16384),
        }

    def _growing(self, name, shape, dtype, chunk):
        dataset = self._file.create_dataset(
            name,
            (0, *shape),
            dtype,
            maxshape=(None, *shape),
            chunks=(chunk, *shape),
            fletcher32=True,
        )
        kind = "char" if name == "source" else np.dtype(dtype).name
        dataset.attrs["MATLAB_class"] = np.bytes_(kind)
        if kind == "char":
            dataset.attrs["MATLAB_int_decode"] = np.int32(2)
        return dataset

    def append(self, images, genders, ages, groups, digests, sources):
        """Add N faces; a multiple of CHUNK at a time is written fastest.

        Args:
            images: (N, img_size, img_size, 3) uint8 BGR.
            genders: (N,) `genders.FEMALE` or `MALE`.
            ages: (N,) 0 to 100 years.
            groups: (N,) numbers shared by the rows that show the same picture.
            digests: (N, 32) uint8, SHA-256 of the files that the faces come from.
            sources: N names of those files.
        """
        names = "".join(f"{source}\n" for source in sources)
        codes = np.frombuffer(names.encode("utf-16-le", "surrogatepass"), "<u2")
        for name, rows in (
            ("image", images),
            ("gender", np.reshape(genders, (-1, 1))),
            ("age", np.reshape(ages, (-1, 1))),
            ("group", np.reshape(groups, (-1, 1))),
            ("sha256", digests),
            ("source", codes[:, None]),
        ):
            dataset = self._datasets[name]
            start = len(dataset)
            dataset.resize(start + len(rows), axis=0)
            dataset[start:] = rows


@contextlib.contextmanager
def create(path, img_size, db, min_score, crop, margin=None, resize="linear", expected=0):
    """Open a new database for writing and yield its `DatabaseWriter`.

    Args:
        path: the file; it appears only when the block ends without an error.
        img_size: side of the faces in pixels.
        db: name of the data set, as `Dataset.db`.
        min_score: the lowest detector score of the faces, -1 without one.
        crop: how the faces are cut, "margin" or "aligned".
        margin: margin around the face box, in parts of its sides, where crop is "margin".
        resize: OpenCV's filter.
        expected: number of faces for which room on the disk is reserved.

    Raises OSError if the disk is full.
    """
    path = Path(path)
    with atomic_write(path) as partial:
        with h5py.File(partial, "w", userblock_size=512) as file:
            file.flush()
            # HDF5 does not survive a full disk, so its room is reserved first
            reserve(partial, expected * (3 * img_size**2 + 200) + 2**20)
            for name, value in (("img_size", img_size), ("min_score", min_score)):
                dataset = file.create_dataset(name, data=np.array([[value]], np.float64))
                dataset.attrs["MATLAB_class"] = np.bytes_("double")
            texts = {"db": db, "gender_order": ORDER, "crop": crop, "resize": resize}
            if crop == "margin":
                texts["margin"] = str(margin)
            for name, value in texts.items():
                codes = np.frombuffer(value.encode("utf-16-le"), "<u2")[:, None]
                dataset = file.create_dataset(name, data=codes)
                dataset.attrs["MATLAB_class"] = np.bytes_("char")
                dataset.attrs["MATLAB_int_decode"] = np.int32(2)
            yield DatabaseWriter(file, img_size)
            file.flush()
            size = file.id.get_filesize()
        with open(partial, "r+b") as file:
            file.truncate(size)
            file.write(_matlab_header())


def _matlab_header():
    """The 128 bytes by which MATLAB recognises a 7.3 file, padded to the user block."""
    when = datetime.datetime.now().strftime("%a %b %d %H:%M:%S %Y")
    text = f"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: {when} HDF5 schema 1.00 ."
    header = text.encode().ljust(116) + bytes(8) + b"\x00\x02" + b"IM"
    return header.ljust(512, b"\0")


class FaceDatabase:
    """A database that is read row by row; only the labels are in memory, unless it is small.

    Attributes:
        images: (N, S, S, 3) uint8 BGR; slice it to read.
        genders: (N,) int, as in `genders`.
        ages: (N,) int, years.
        groups: (N,) int; rows that show the same picture share a number.
        img_size: S, pixels.
        db, crop, margin, resize: as in `create`; margin is None for aligned faces.
        min_score: number.
    """

    def __init__(self, path, memory=0):
        """Open a database. Raises `UserError` if the file is not one, `OSError` if the system does.

        Its images are an array in memory if they take at most ``memory`` bytes there. Faces that
        have changed since they were written are noticed here, by their checksums.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"{path} is not a file: make a database with {MAKERS}")
        self._digests = self._source = None
        self._memory = memory
        try:
            if hdf5.is_hdf5(self.path):
                with hdf5.opened(self.path) as file:
                    self._open_hdf5(file)
            else:
                self._open_matlab5()
        except Unreadable as problem:
            raise UserError(
                f"{path} is not a complete face database: {problem}: make it with {MAKERS}"
            ) from problem

    def __len__(self):
        return len(self.ages)

    def _open_hdf5(self, file):
        def text(name, otherwise=None):
            return printable(_text(file.array(name))) if name in file else otherwise

        image = file.array("image")
        self._read_numbers(file, image.shape, image.dtype)
        self.groups = _labels(file.array("group"), "group", len(self), 2**32)
        digests = file.array("sha256")
        if digests.shape != (len(self), 32) or digests.dtype != np.uint8:
            raise Unreadable("its 'sha256' is not 32 bytes for each image")
        self._digests = digests.read()
        self.db, self.crop, self.resize = text("db"), text("crop"), text("resize", "linear")
        for name in ("crop", "resize"):
            if getattr(self, name) not in choices(name):
                raise Unreadable(f"its {name!r} is {getattr(self, name)!r}")
        self.margin = None if self.crop == "aligned" else _margin(text("margin"))
        if text("gender_order", ORDER) != ORDER:
            self.genders = np.where(self.genders < UNKNOWN, 1 - self.genders, self.genders)
        if "source" in file:
            self._source = file.array("source")
            if self._source.nbytes > NAME * (len(self) + 1):
                raise Unreadable("its 'source' is not a list of names")
            self._source.check()
        self.images = image.by_rows(self._memory)

    def _open_matlab5(self):
        file = matlab5.opened(self.path)
        self._read_numbers(file, file.array("image").shape, np.dtype(np.uint8))
        self.groups = np.arange(len(self))
        self.db = printable(file.array("db").text().strip())
        self.resize = "linear"
        if self.db == "utk":  # the original kept the order of UTKFace's names, 0 male
            self.genders = np.where(self.genders < UNKNOWN, 1 - self.genders, self.genders)
        self.crop = "aligned" if self.db == "utk" else "margin"
        self.margin = None if self.db == "utk" else MARGIN
        self.images = file.array("image").rows(self._memory)

    def _read_numbers(self, file, shape, dtype):
        """The labels and numbers of either kind of file, for images of a shape and dtype."""
        self.img_size = size = int(_number(file.array("img_size"), "img_size", 1, LARGEST))
        self.min_score = _number(file.array("min_score"), "min_score", -math.inf, math.inf)
        if shape[1:] != (size, size, 3) or dtype != np.uint8:
            raise Unreadable(f"its images are {dtype} {shape}, not uint8 (N, {size}, {size}, 3)")
        if shape[0] > ROWS:
            raise Unreadable(f"it has more than {ROWS:,} images")
        self.genders = _labels(file.array("gender"), "gender", shape[0], UNKNOWN)
        self.ages = _labels(file.array("age"), "age", shape[0], 100)

    @property
    def has_sources(self):
        """Whether the file name of each row is recorded; the original's databases have none."""
        return self._source is not None

    def sources(self):
        """File name of each row; raises `UserError` if the database does not record them."""
        if self._source is None:
            raise UserError(f"{self.path} does not record the names of its pictures")
        try:
            text = _text(self._source, NAME * (len(self) + 1), "surrogatepass")
        except (Unreadable, UnicodeDecodeError) as problem:
            raise UserError(f"{self.path}: the names of its pictures are damaged") from problem
        names = text.split("\n")[:-1]
        if len(names) != len(self):
            raise UserError(f"{self.path} names {len(names)} pictures for its {len(self)} rows")
        return names

    def split(self, validation, test, seed, fold=None):
        """Rows for training, validation and test; see `split`."""
        return split(self.digests(), self.groups, validation, test, seed, fold)

    def digests(self):
        """SHA-256 of each row's file; of its pixels in the original's databases."""
        if self._digests is not None:
            return [row.tobytes() for row in self._digests]
        return [hashlib.sha256(image.tobytes()).digest() for image in self.images]


def _number(array, name, least, most):
    """The number in an array of one."""
    values = array.read() if math.prod(array.shape) == 1 else np.empty(0)
    if values.dtype.kind not in "iuf" or not values.size or not least <= values.item() <= most:
        raise Unreadable(f"its {name!r} is not a number from {least} to {most}")
    return float(values.item())


def _labels(array, name, count, most):
    """The whole numbers in an array as (N,) int. Raises `Unreadable` if they are not ``count``."""
    if math.prod(array.shape) != count:
        raise Unreadable(f"it has {count} images, but {math.prod(array.shape)} of {name!r}")
    labels = array.read().reshape(-1)
    if labels.dtype.kind not in "iuf":
        raise Unreadable(f"its {name!r} holds something other than numbers")
    bad = np.flatnonzero(~((labels >= 0) & (labels <= most)) | (labels % 1 != 0))
    if len(bad):
        raise Unreadable(
            f"its row {bad[0]} has the {name} {labels[bad[0]]:g}, not one of 0 to {most}"
        )
    return labels.astype(int)


def _text(array, most=TEXT, errors="replace"):
    """The text that MATLAB keeps as an array of UTF-16 codes."""
    codes = array.read(most)
    if codes.dtype.kind not in "u":
        raise Unreadable(f"its {array.name!r} is not a text")
    return codes.astype("<u2").tobytes().decode("utf-16-le", errors)


def _margin(text):
    """A margin from its text."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text or "nan") <= 10:
            return float(text)
    raise Unreadable(f"its 'margin' is {text!r}")


def split(digests, groups, validation, test, seed, fold=None):
    """Divide rows at random, the same way on every machine and in any order.

    A row's part is decided by a hash of the seed and of the SHA-256 of the first file in its
    group, so that copies of a picture are always in the same part.

    Args:
        digests: N digests of 32 bytes.
        groups: (N,) group numbers.
        validation, test: shares of the whole, 0 to 1.
        seed: any integer.
        fold: (K, N): the K-th of N equal parts is the validation, all others the training part.

    Returns:
        Three sorted arrays of row numbers: training, validation, test.
    """
    first = {}
    draws = np.empty(len(groups))
    for row, group in enumerate(groups):
        digest = digests[first.setdefault(group, row)]
        hashed = hashlib.sha256(f"{seed}:{digest.hex()}".encode()).digest()
        draws[row] = int.from_bytes(hashed[:8], "big") / 2**64
    if fold:
        validated, tested = np.floor(draws * fold[1]) == fold[0] - 1, np.zeros(len(draws), bool)
    else:
        validated = draws < validation
        tested = ~validated & (draws >= 1 - test)
    trained = ~validated & ~tested
    return np.flatnonzero(trained), np.flatnonzero(validated), np.flatnonzero(tested)
