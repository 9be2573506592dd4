"""Stamps of picture files: whether a file is still what it was, without reading it.

A stamp is the file's size and the times of its last modification and of the last change of its
status, which no program can set back. Where it differs the file may be the same all the same (it
was copied, or renamed there and back): its SHA-256 decides.
"""

import hashlib
import json
import os
import stat
import time
from pathlib import Path

from age_gender.errors import UserError
from age_gender.files import atomic_write, read_small

LARGEST = 2**28  # bytes of the file: some million pictures
FRESH = 2.0  # seconds in which a file may change again within the resolution of its times
UNKNOWN = (0, 0, 0)  # is the same as no other
MISSING = (-1, 0, 0)


def stamp(path):
    """The stamp of a file, three numbers; `UNKNOWN` if it has changed just now."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # a name that no file can have
        return MISSING
    if abs(time.time() - max(status.st_mtime, status.st_ctime)) < FRESH:
        return UNKNOWN
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def digest(path):
    """SHA-256 of a regular file, 32 bytes; None if it cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe would wait for ever
            return None
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):
        return None


def is_same(path, kept, sha256):
    """Whether a file is the one that had this stamp and this digest (32 bytes; None: unknown)."""
    kept = tuple(kept)
    if kept != UNKNOWN and stamp(path) == kept:
        return True
    return sha256 is not None and digest(path) == sha256


def write(path, stamps):
    """Write a dict of names and stamps."""
    with atomic_write(Path(path)) as partial:
        partial.write_text(json.dumps(stamps), encoding="ascii")


def read(path):
    """Read what `write` wrote; None if there is no such file, or another."""
    try:
        stamps = json.loads(read_small(path, LARGEST))
    except (OSError, UserError, ValueError, RecursionError):
        return None
    if not isinstance(stamps, dict):
        return None
    return {name: tuple(each) for name, each in stamps.items() if isinstance(each, list)}
