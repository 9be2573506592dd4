"""Build a face database from pictures: on all cores, in constant memory, resumable.

In a folder beside the output, X.mat.part, each picture has a slot for its face in the file
"faces" and one in "records"; processes fill them in any order. A record holds a checksum of
itself and of the face, and the picture's stamp and digest, so that however an earlier run ended,
the next one knows what is complete and still true, and makes the rest. The database is written from
these, and appears when it is complete.
"""

import collections
import contextlib
import dataclasses
import hashlib
import json
import math
import os
import pickle
import zlib

import cv2
import numpy as np

from age_gender import __version__, interrupts, processes, system
from age_gender.command_line import UserError, log, plural, progress
from age_gender.data import duplicates, stamps
from age_gender.data.database import CHUNK, create
from age_gender.data.report import write_tables
from age_gender.files import NO_ROOM, locked, read_at, replace, write_at
from age_gender.pictures import decode_picture, read_bytes

BATCH = 64  # pictures that a process makes at a time,
BATCH_BYTES = 2**21  # but no more bytes of faces than this
RECORD = np.dtype(
    [
        ("crc", "<u4"),
        ("stamp", "<i8", 3),
        ("sha256", "u1", 32),
        ("thumbnail", "u1", (duplicates.THUMBNAIL, duplicates.THUMBNAIL)),
    ]
)


class UnusablePicture(UserError):
    """A picture without a face for the database; the message is the reason."""


@dataclasses.dataclass
class Built:
    """What became of the pictures; M is the number of those that can be used."""

    rows: np.ndarray  # (M,) of the pictures
    digests: np.ndarray  # (M, 32) uint8, SHA-256
    identical: np.ndarray  # (M,) group numbers: byte-identical pictures share one
    groups: np.ndarray  # (M,) group numbers: so do those that look the same
    conflicting: np.ndarray  # (M,) bool: others of its group have another age or gender
    written: np.ndarray  # (M,) bool: it is in the database
    skipped: dict  # row of each other picture: the reason


def build(output, pictures, cut, settings, drop_conflicts=False, resumable=True):
    """Make a face database, and the tables that `report.write_tables` puts beside it.

    Args:
        output: the file.
        pictures: `Pictures`.
        cut: function of a picture (H, W, 3) uint8 BGR that returns the face, (img_size, img_size,
            3) uint8 BGR, or raises `UnusablePicture`; it is sent to other processes.
        settings: arguments of `database.create`, as a dict.
        drop_conflicts: leave out duplicate pictures whose ages or genders differ.
        resumable: the folder is there for the next run, as the line after Ctrl-C says.

    Returns:
        `Built`.

    Raises `UserError` if no picture can be used, another process makes the same output, or the
    disk is full.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f"{output.name}.part")
    folder.mkdir(exist_ok=True)
    lock = folder / "lock"
    line = "stopped: the same command resumes" if resumable else "stopped"
    resumes = interrupts.explained(lambda: line)
    busy = f"{output} is being made by another process: wait"
    with locked(lock, busy, temporary=True), resumes:
        try:
            slots = _Slots(folder, pictures, cut, settings)
            slots.fill()
            built = slots.built(drop_conflicts)
            if built.written.any():
                slots.write(folder / "database.mat", built)
                write_tables(output, pictures, built)
                replace(folder / "database.mat", output)
            for path in set(folder.iterdir()) - {lock}:
                path.unlink()
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise UserError(
                f"{output}: {os.strerror(error.errno)}: make room and run the same command again "
                "to resume"
            ) from error
    with contextlib.suppress(OSError):  # if another process has started there again
        folder.rmdir()
    if not built.written.any():
        raise UserError(_nothing(pictures, built.skipped))
    return built


def _nothing(pictures, skipped):
    what = f"none of the {len(pictures)} pictures in {pictures.folder} can be used"
    if not skipped:
        return f"{what}: all have conflicting labels"
    first = min(skipped)
    return f"{what}; the first is {pictures.names[first]}: {skipped[first]}"


class _Slots:
    """The folder in which faces are collected, with a slot for each picture."""

    def __init__(self, folder, pictures, cut, settings):
        self._folder = folder
        self._pictures = pictures
        self._cut = cut
        self._settings = settings
        self._shape = (settings["img_size"], settings["img_size"], 3)
        self._batch = max(1, min(BATCH, BATCH_BYTES // math.prod(self._shape)))
        self._skipped = dict(pictures.refused)
        self._changed = 0
        self._begin()

    def _begin(self):
        """Keep the slots of an earlier run with the same names and settings, else clear them."""
        plan = self._plan()
        file = self._folder / "plan"
        sizes = {"faces": math.prod(self._shape), "records": RECORD.itemsize}
        sizes = {self._folder / name: len(self._pictures) * n for name, n in sizes.items()}
        with contextlib.suppress(FileNotFoundError):
            kept = file.read_bytes() == plan.encode()
            if kept and all(slots.stat().st_size == size for slots, size in sizes.items()):
                done = int((np.fromfile(self._folder / "records", RECORD)["crc"] != 0).sum())
                log(f"resuming an earlier run: {done} pictures are done")
                return
        file.unlink(missing_ok=True)
        for path, size in sizes.items():
            with open(path, "wb") as slots:
                slots.truncate(size)
        file.write_text(plan, encoding="ascii")

    def _plan(self):
        """A digest of all that the slots depend on, but for the content of the pictures."""
        plan = json.dumps([__version__, self._settings, str(self._pictures.folder.resolve())])
        names = "\n".join(self._pictures.names).encode("utf-8", "surrogatepass")
        return hashlib.sha256(plan.encode() + pickle.dumps(self._cut) + names).hexdigest()

    def fill(self):
        """Make every face that an earlier run has not made."""
        total = len(self._pictures)
        arguments = self._folder, self._pictures.folder, self._cut, self._shape
        with processes.pool(_Filler.prepare, *arguments) as pool:
            batches = map(self._work, range(0, total, self._batch))
            finished = (row for batch in self._filled(pool, batches) for row in self._note(*batch))
            collections.deque(progress(finished, total, "pictures"), maxlen=0)
        if self._changed:
            log(f"{plural(self._changed, 'picture')} changed since the earlier run: done again")

    def _filled(self, pool, batches):
        """Yield what `_Filler.fill` returns for each batch.

        The pictures of a batch that ends its process are tried one by one.
        """
        outcomes = processes.in_order(pool, _Filler.fill, batches, 4 * system.cores())
        for (start, names), value, problem in outcomes:
            if problem is None:
                yield value
            elif problem.errno is not None:  # of the slots, not of a picture
                raise OSError(problem.errno, str(problem))
            elif len(names) == 1:
                yield range(start, start + 1), {start: str(problem)}, 0
            else:
                yield from self._filled(pool, [(start + i, [name]) for i, name in enumerate(names)])

    def _work(self, start):
        """A batch of pictures: its first row, and their names, None for those without labels."""
        names = self._pictures.names[start : start + self._batch]
        refused = self._pictures.refused
        return start, [None if start + i in refused else name for i, name in enumerate(names)]

    def _note(self, rows, skipped, changed):
        self._skipped.update(skipped)
        self._changed += changed
        return rows

    def built(self, drop_conflicts):
        """The `Built` of the slots."""
        records = np.fromfile(self._folder / "records", RECORD)
        rows = np.setdiff1d(np.flatnonzero(records["crc"]), [*self._skipped])
        digests = records["sha256"][rows]
        identical = duplicates.byte_identical(digests)
        groups = duplicates.alike(records["thumbnail"][rows], identical)
        labels = self._pictures.ages[rows], self._pictures.genders[rows]
        conflicting = np.isin(groups, duplicates.conflicting(groups, *labels))
        written = ~conflicting if drop_conflicts else np.ones(len(rows), bool)
        return Built(rows, digests, identical, groups, conflicting, written, self._skipped)

    def write(self, path, built):
        """Write the database, a few megabytes at a time."""
        names = np.array(self._pictures.names, object)
        step = CHUNK * max(1, 4 * self._batch // CHUNK)
        written = np.flatnonzero(built.written)
        with (
            open(self._folder / "faces", "rb", buffering=0) as slots,
            create(path, **self._settings, expected=len(written)) as database,
        ):
            starts = range(0, len(written), step)
            for start in progress(starts, len(starts), "parts written"):
                chosen = written[start : start + step]
                rows = built.rows[chosen]
                faces = np.empty((len(rows), *self._shape), np.uint8)
                for row, face in zip(rows, faces):
                    read_at(slots, face, int(row) * face.nbytes)
                database.append(
                    faces,
                    self._pictures.genders[rows],
                    self._pictures.ages[rows],
                    built.groups[chosen],
                    built.digests[chosen],
                    names[rows],
                )


class _Filler:
    """Cuts faces and writes them into their slots; there is one in each process of the pool."""

    _own = None

    @classmethod
    def prepare(cls, *arguments):
        """Make the filler of this process."""
        cv2.setNumThreads(1)  # each process works on pictures of its own
        cls._own = cls(*arguments)

    @classmethod
    def fill(cls, work):
        """Make the faces of a batch.

        Returns its rows, reasons by row for those skipped, and how many pictures were done, but
        have changed since.
        """
        return cls._own._fill(*work)

    def __init__(self, folder, pictures, cut, shape):
        self._pictures = pictures
        self._cut = cut
        self._shape = shape
        self._faces, self._records = (
            open(folder / name, "r+b", buffering=0)  # noqa: SIM115  for as long as the process lives
            for name in ("faces", "records")
        )

    def _fill(self, start, names):
        faces, records = self._read(start, len(names))
        skipped = {}
        made = changed = 0
        for row, name in enumerate(names):
            if name is None:
                continue
            if records[row]["crc"] and records[row]["crc"] == _checksum(records[row], faces[row]):
                if self._is_same(name, records[row]):
                    continue
                changed += 1
            made += 1
            records[row]["crc"] = 0
            _, problem = processes.attempt(self._make, name, faces[row], records[row])
            if problem:
                skipped[start + row] = str(problem)
        if made:
            write_at(self._faces, faces, start * faces[0].nbytes)
            write_at(self._records, records.view(np.uint8), start * RECORD.itemsize)
        return range(start, start + len(names)), skipped, changed

    def _is_same(self, name, record):
        """Whether a picture is still the one that a record was made of."""
        path = os.path.join(self._pictures, name)
        return stamps.is_same(path, record["stamp"].tolist(), record["sha256"].tobytes())

    def _read(self, start, count):
        """The faces (count, S, S, 3) and records (count,) from row ``start`` on."""
        faces = np.zeros((count, *self._shape), np.uint8)
        records = np.zeros(count, RECORD)
        read_at(self._records, records.view(np.uint8), start * RECORD.itemsize)
        if records["crc"].any():
            read_at(self._faces, faces, start * faces[0].nbytes)
        return faces, records

    def _make(self, name, face, record):
        """Read a picture; put its face and record into the arrays given."""
        path = os.path.join(self._pictures, name)  # Path takes as long again
        record["stamp"] = stamps.stamp(path)  # before it is read: what changes now is noticed later
        data = read_bytes(path)
        face[:] = self._cut(decode_picture(data))
        record["sha256"] = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
        record["thumbnail"] = duplicates.thumbnail(face)
        record["crc"] = _checksum(record, face)


def _checksum(record, face):
    return zlib.crc32(face, zlib.crc32(record.tobytes()[4:]))
