"""Saved frames: annotated pictures, and the tables of their records."""

import contextlib
import csv
import errno
import io
import os

import cv2

from age_gender.captures.records import json_lines, without_biometrics
from age_gender.files import atomic_write, make_private, private_opener, sync, sync_folder
from age_gender.output.tables import BOX, INTERVAL, TABLES

COLUMNS = [
    *("key", "datetime", "frame_id", "frame_face_id", "predicted_ages", "predicted_genders"),
    *("gender_probability", "identity", *BOX, "score", "source", "frame"),
    *(*INTERVAL, "consent"),
]


class SavedFrames:
    """The folder of the saved frames, with two tables for each run of a program.

    Args:
        folder: made with the first frame.
    """

    def __init__(self, folder):
        self.folder = folder
        self._tables = None

    def add(self, picture, records):
        """Save a frame. When this returns, it is on disk and survives a loss of power.

        Args:
            picture: (H, W, 3) uint8 BGR.
            records: see `records.make_records`.

        Returns:
            The path of the picture, as text. Raises `OSError` if it cannot be saved; nothing of it
            is left then.
        """
        make_private(self.folder)
        path = self.folder / f"{records[0]['frame_id']}.jpg"
        records = without_biometrics(records)
        with contextlib.ExitStack() as undo:
            _write(path, bytes(cv2.imencode(".jpg", picture)[1]), undo)
            if self._tables is None or not all(path.exists() for path in self._tables):
                self._tables = self._new_tables()
            table, lines = self._tables
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
            if not table.stat().st_size:
                writer.writeheader()
            writer.writerows(records)
            _append(table, text.getvalue().encode(errors="backslashreplace"), undo)
            _append(lines, json_lines(records).encode(), undo)
            sync_folder(self.folder)
            undo.pop_all()
        return str(path)

    def _new_tables(self):
        """Make the tables of this run: results.csv, or results-2.csv and so on."""
        number = 1
        while True:
            names = [f"-{number}.".join(name.split(".")) if number > 1 else name for name in TABLES]
            paths = [self.folder / name for name in names]
            number += 1
            if any(os.path.lexists(path) for path in paths):
                continue
            try:
                for path in paths:
                    open(path, "xb", opener=private_opener).close()
            except FileExistsError:  # of another program, in this moment
                continue
            return paths


def _write(path, content, undo):
    """Write a file that is there when it is whole; ``undo`` gets what takes it back."""
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with atomic_write(path) as partial, open(partial, "wb", opener=private_opener) as file:
        file.write(content)
    undo.callback(path.unlink, missing_ok=True)


def _append(path, content, undo):
    """Write to the end of a file and let it reach the disk; ``undo`` gets what takes it back."""
    with open(path, "ab", opener=private_opener) as file:
        size = file.seek(0, os.SEEK_END)
        undo.callback(_cut, path, size)
        file.write(content)
        sync(file)


def _cut(path, size):
    """Let a file have its former size; one that had none goes."""
    with contextlib.suppress(OSError):
        os.truncate(path, size)
        if not size:
            path.unlink()
