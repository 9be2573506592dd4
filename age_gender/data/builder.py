"""Pictures become a face database: on all cores, in constant memory, resumed where it stopped.

In a folder beside the output, X.mat.part, each picture has a place for its face in the file
"faces" and one in "records"; processes fill them in any order. A record holds a checksum of
itself and of the face, so that whatever ended an earlier run, the next one knows what is whole and
makes the rest. The database is written from these, and has its name only when it is complete.
"""

import collections
import contextlib
import dataclasses
import hashlib
import json
import math
import multiprocessing
import os
import shutil
import zlib

import cv2
import numpy as np

from age_gender import processes
from age_gender.command_line import UserError, in_order, log, progress
from age_gender.data import database as face_database
from age_gender.data import duplicates
from age_gender.data import report as database_report
from age_gender.files import NO_ROOM, locked
from age_gender.frames import UnreadablePicture, decode_picture

BATCH = 64  # pictures that a process makes at a time,
BATCH_BYTES = 2**21  # but no more bytes of faces than this
RECORD = np.dtype(
    [
        ("crc", "<u4"),
        ("sha256", "u1", 32),
        ("thumbnail", "u1", (duplicates.THUMBNAIL, duplicates.THUMBNAIL)),
    ]
)


class UnusablePicture(Exception):
    """A picture that gives no face for the database; the message says why."""


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


def build(output, pictures, cut, settings, drop_conflicts=False):
    """Make a face database, and the tables that `database_report.write_tables` puts beside it.

    Args:
        output: the file.
        pictures: `Pictures`.
        cut: function of a picture (H, W, 3) uint8 BGR that returns the face, (img_size, img_size,
            3) uint8 BGR, or raises `UnusablePicture`; it is called in other processes.
        settings: arguments of `face_database.create`, as a dict.
        drop_conflicts: leave out pictures of which a duplicate has another age or gender.

    Returns:
        `Built`.

    Raises `UserError` where no picture can be used, another process makes the same output, or
    the disk is full.
    """
    cv2.setNumThreads(1)  # each process works on pictures of its own
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f"{output.name}.part")
    folder.mkdir(exist_ok=True)
    with locked(folder / "lock", f"{output} is being made by another process: wait"):
        try:
            with contextlib.closing(_Slots(folder, pictures, cut, settings)) as slots:
                slots.fill()
                built = slots.built(drop_conflicts)
                if built.written.any():
                    slots.write(folder / "database.mat", built)
            if built.written.any():
                database_report.write_tables(output, pictures, built)
                os.replace(folder / "database.mat", output)
            shutil.rmtree(folder)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("stopped: the same command goes on from here") from None
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise UserError(
                f"{output}: {os.strerror(error.errno)}: make room and run the same command again, "
                "it goes on from here"
            ) from error
    if not built.written.any():
        raise UserError(_nothing(pictures, built.skipped))
    return built


def _nothing(pictures, skipped):
    what = f"none of the {len(pictures)} pictures in {pictures.folder} can be used"
    if not skipped:
        return f"{what}: all have conflicting labels"
    first = min(skipped)
    return f"{what}; the first is {pictures.names[first]}: {skipped[first]}"


_of_parent = None  # the `_Slots` that are being filled, in the processes that fill them


def _fill_batch(start):
    return _of_parent.fill_batch(start)


class _Slots:
    """The folder in which faces are collected, a slot for each picture."""

    def __init__(self, folder, pictures, cut, settings):
        self._folder = folder
        self._pictures = pictures
        self._cut = cut
        self._settings = settings
        self._shape = (settings["img_size"], settings["img_size"], 3)
        self._batch = max(1, min(BATCH, BATCH_BYTES // math.prod(self._shape)))
        self._skipped = dict(pictures.refused)
        self._stop = multiprocessing.get_context("fork").Event()
        self._begin()
        self._faces, self._records = (
            os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o666) for name in ("faces", "records")
        )
        os.ftruncate(self._faces, len(pictures) * math.prod(self._shape))
        os.ftruncate(self._records, len(pictures) * RECORD.itemsize)

    def close(self):
        os.close(self._faces)
        os.close(self._records)

    def _begin(self):
        """Keep the slots of an earlier run that had the same to do, else clear them."""
        plan = json.dumps([self._settings, str(self._pictures.folder.resolve())])
        names = "\n".join(self._pictures.names).encode("utf-8", "surrogatepass")
        plan = hashlib.sha256(plan.encode() + names).hexdigest()
        noted = self._folder / "plan"
        if noted.exists() and noted.read_text() == plan:
            done = int((np.fromfile(self._folder / "records", RECORD)["crc"] != 0).sum())
            log(f"going on where an earlier run stopped: {done} pictures are done")
            return
        for name in ("plan", "faces", "records"):
            (self._folder / name).unlink(missing_ok=True)
        (self._folder / "records").touch()
        noted.write_text(plan)

    def fill(self):
        """Make every face that an earlier run has not made."""
        global _of_parent
        _of_parent = self
        total = len(self._pictures)
        starts = range(0, total, self._batch)
        with processes.pool("fork") as pool:
            try:
                batches = in_order(pool, _fill_batch, starts, 4 * len(os.sched_getaffinity(0)))
                finished = (row for _, batch in batches for row in self._note(*batch.result()))
                collections.deque(progress(finished, total, "pictures"), maxlen=0)
            finally:
                self._stop.set()

    def _note(self, rows, skipped):
        self._skipped.update(skipped)
        return rows

    def fill_batch(self, start):
        """Make the faces of a batch; return its rows, and reasons by row for those skipped."""
        names = self._pictures.names[start : start + self._batch]
        faces, records = self._read(start, len(names))
        skipped = {}
        changed = False
        for row, name in enumerate(names):
            if self._stop.is_set():
                break
            if start + row in self._pictures.refused:
                continue
            if records[row]["crc"] and records[row]["crc"] == _checksum(records[row], faces[row]):
                continue
            changed = True
            records[row]["crc"] = 0
            try:
                self._make(name, faces[row], records[row])
            except (UnreadablePicture, UnusablePicture) as problem:
                skipped[start + row] = str(problem)
        if changed:
            _write(self._faces, faces, start * faces[0].nbytes)
            _write(self._records, records, start * RECORD.itemsize)
        return range(start, start + len(names)), skipped

    def _read(self, start, count):
        """The faces (count, S, S, 3) and records (count,) from row ``start`` on."""
        faces = np.zeros((count, *self._shape), np.uint8)
        records = np.zeros(count, RECORD)
        os.preadv(self._records, [records.view(np.uint8)], start * RECORD.itemsize)
        if records["crc"].any():
            os.preadv(self._faces, [faces], start * faces[0].nbytes)
        return faces, records

    def _make(self, name, face, record):
        """Read a picture; put its face and record into the arrays given."""
        try:
            data = _content(os.path.join(self._pictures.folder, name))
            face[:] = self._cut(decode_picture(data))
        except OSError as error:
            raise UnreadablePicture(error.strerror) from error
        except cv2.error as error:
            raise UnreadablePicture(str(error).strip().splitlines()[0]) from error
        record["sha256"] = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
        record["thumbnail"] = duplicates.thumbnail(face)
        record["crc"] = _checksum(record, face)

    def built(self, drop_conflicts):
        """What was made, as `Built`."""
        records = np.fromfile(self._folder / "records", RECORD)
        rows = np.flatnonzero(records["crc"])
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
        chunk = face_database.CHUNK
        step = chunk * max(1, 4 * self._batch // chunk)
        written = np.flatnonzero(built.written)
        with face_database.create(path, **self._settings, expected=len(written)) as database:
            starts = range(0, len(written), step)
            for start in progress(starts, len(starts), "parts written"):
                chosen = written[start : start + step]
                rows = built.rows[chosen]
                faces = np.empty((len(rows), *self._shape), np.uint8)
                for row, face in zip(rows, faces):
                    os.preadv(self._faces, [face], int(row) * face.nbytes)
                database.append(
                    faces,
                    self._pictures.genders[rows],
                    self._pictures.ages[rows],
                    built.groups[chosen],
                    built.digests[chosen],
                    names[rows],
                )


def _content(path):
    """The bytes of a file, with fewer calls of the system than Python's ``open`` makes."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, os.fstat(file).st_size)
    finally:
        os.close(file)


def _checksum(record, face):
    return zlib.crc32(face, zlib.crc32(record.tobytes()[4:]))


def _write(file, array, offset):
    """Write an array at an offset, all of it: a full disk takes a part and refuses the rest."""
    data = memoryview(array).cast("B")
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written
