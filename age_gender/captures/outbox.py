"""The outbox: captures queue on disk until they are sent.

A capture is one file of JSON lines, one for each face. The file name is part of the object's key,
so that sending a capture again overwrites the same object.
"""

import contextlib
import os
import time
import uuid

from age_gender.captures.records import json_lines
from age_gender.command_line import log, plural
from age_gender.files import replace, sync_folder

SUFFIX = ".jsonl"
UNFINISHED = ".part"
HOUR, DAY = 3600, 24 * 3600  # seconds


class Outbox:
    """The folder of the queued captures, one file each.

    Args:
        folder: made with the first capture.
    """

    def __init__(self, folder):
        self.folder = folder
        self._last = 0

    def frame_id(self):
        """Milliseconds since 1970, never the same twice."""
        self._last = max(int(time.time() * 1000), self._last + 1)
        return self._last

    def add(self, frame_id, records):
        """Store a capture. When this returns, it is on disk and survives a loss of power.

        Returns:
            Its file. Raises `OSError` if it cannot be stored; nothing of it is left then.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{frame_id}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        partial = path.with_name(path.name + UNFINISHED)
        try:
            with open(partial, "w", encoding="utf-8") as file:
                file.write(json_lines(records))
                file.flush()
                os.fsync(file.fileno())
            replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        sync_folder(self.folder)
        return path

    def queued(self):
        """The files of the captures, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if path.suffix == SUFFIX)

    def status(self):
        """The length of the queue, as text."""
        return f"{plural(len(self.queued()), 'capture')} queued in {self.folder}"

    def prune(self, days):
        """Delete captures older than ``days``, sent or not; return how many."""
        count = 0
        for path in self.queued():
            try:
                if time.time() - path.stat().st_mtime > days * DAY:
                    path.unlink()
                    count += 1
            except FileNotFoundError:  # sent meanwhile
                continue
        return count

    def clean(self):
        """Delete unfinished files of a killed process; none was reported as saved."""
        if not self.folder.is_dir():
            return
        for path in self.folder.glob(f"*{SUFFIX}{UNFINISHED}"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > 60:
                    path.unlink()


class Retention:
    """Deletes captures from an outbox when they are too old.

    Args:
        outbox: `Outbox`.
        days: age from which captures are deleted; None to keep all.
    """

    def __init__(self, outbox, days):
        self._outbox = outbox
        self._days = days
        self._applied = -float("inf")

    def apply(self):
        """Delete captures that are too old, and log how many; at most once an hour."""
        if self._days is None or time.monotonic() - self._applied < HOUR:
            return
        self._applied = time.monotonic()
        count = self._outbox.prune(self._days)
        if count:
            log(
                f"{plural(count, 'capture')} older than {self._days:g} days deleted from "
                f"{self._outbox.folder}"
            )
