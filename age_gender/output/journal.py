"""Which pictures of a folder are done, beside its tables: where an interrupted run goes on.

The first line of the file are the settings; then each picture has a line when its rows are
written, with the size and time of its file.
"""

import hashlib
import json
import os

from age_gender import __version__, files
from age_gender.command_line import UserError
from age_gender.output.tables import TABLES, Growing

JOURNAL = "resume.jsonl"
LARGEST = 10**9  # bytes of what is read again


def refuse_existing(output, overwrite, resume):
    """Raise `UserError` if a folder holds earlier results that are not to be replaced.

    Args:
        output: the folder.
        overwrite: replace them.
        resume: go on with them.
    """
    names = [*TABLES, *(f"{name}.part" for name in TABLES)] if _begun(output) else TABLES
    if not resume:
        try:
            return files.refuse_existing(output, names, overwrite)
        except UserError as error:
            if not _begun(output):
                raise
            raise UserError(f"{error}; --resume goes on where it stopped") from error
    files.refuse_existing(output, (), overwrite)
    if not _begun(output) and os.path.lexists(output / TABLES[0]):
        raise UserError(
            f"{output} holds {TABLES[0]} without {JOURNAL}, so it cannot be resumed: add "
            "--overwrite instead to replace it, or give another folder"
        )


def _begun(output):
    return os.path.lexists(output / JOURNAL)


def settings(recipe):
    """What estimates depend on, as it stands in the file: a dict of texts.

    Args:
        recipe: `face_estimator.Recipe`.
    """
    with open(recipe.weight_file, "rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    found = {name: str(value) for name, value in vars(recipe).items()}
    for place in ("weight_file", "converted", "description"):  # which the checksum stands for
        found.pop(place, None)
    return {"version": __version__, "weights": weights} | found


def stamp(path):
    """The size and time of a file, by which a change is seen; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


class Journal:
    """The file, and what an earlier run has left.

    Args:
        output: folder of the results, which is made.
        settings: dict as `settings` returns it.
        paths: dict of the paths of the pictures, by their name in the tables.
        resume: keep the rows of an earlier run whose pictures have not changed.

    Attributes:
        kept: dict of the lists of rows that are kept, by name.

    Raises `UserError` if the earlier run had other settings.
    """

    def __init__(self, output, settings, paths, resume):
        output.mkdir(parents=True, exist_ok=True)
        stamps, rows = _earlier(output, settings) if resume else ({}, {})
        self.kept = {
            name: rows[name]
            for name, path in paths.items()
            if name in rows and stamps.get(name) is not None and stamps[name] == stamp(path)
        }
        self._path = output / JOURNAL
        kept = [{"file": name, "stamp": stamps[name]} for name in self.kept]
        self._beginning = "".join(map(_line, [{"settings": settings}, *kept]))
        self._file = None

    def open(self):
        """Begin the file anew; to be called when the tables hold the rows that are kept."""
        self._file = Growing(self._path, self._path, self._beginning)

    def add(self, name, stamp):
        """Note that the rows of a picture are written."""
        self._file.write(_line({"file": name, "stamp": stamp}))

    def close(self):
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _line(value):
    return json.dumps(value) + "\n"


def _earlier(output, settings):
    """What an earlier run has left: (dict of stamps, dict of lists of rows), both by name."""
    lines = _lines(output / JOURNAL)
    before = lines[0].get("settings") if lines else None
    if not isinstance(before, dict):
        return {}, {}
    for name, new in settings.items():
        old = before.get(name)
        if new != old:
            what = f"other {name}" if name == "weights" else f"{name} {old}, which is {new} now"
            raise UserError(
                f"{output} was begun with {what}: give the same again, or --overwrite to start anew"
            )
    stamps = {line.get("file"): line.get("stamp") for line in lines[1:]}
    part = output / f"{TABLES[1]}.part"
    rows = {}
    for row in _lines(part if part.exists() else output / TABLES[1]):
        rows.setdefault(row.get("file"), []).append(row)
    return stamps, rows


def _lines(path):
    """The JSON objects in the lines of a file, without one that was cut short; [] for no file."""
    if not path.exists():
        return []
    found = []
    for line in files.read_small(path, LARGEST).splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
