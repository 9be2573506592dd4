"""What lies in a folder of pictures: the pictures, and all else with the reason it is left out.

Contents decide, not names: files without the suffix of a picture are looked into.
"""

import collections
import dataclasses
import os
from pathlib import Path

from age_gender import system
from age_gender.errors import UserError
from age_gender.pictures import undecodable

SUFFIXES = set("avif bmp dib exr gif hdr jp2 jpe jpeg jpg pbm pfm pgm pic png".split())  # noqa: SIM905
SUFFIXES |= set("pnm ppm pxm ras sr tif tiff webp".split())  # noqa: SIM905
OWN = {"results.csv", "results.jsonl", "resume.jsonl"}  # of output/tables.py and journal.py,
OWN |= {f"{name}.part" for name in OWN} | {"left_out.csv"}  # and of earlier versions
OUTPUT = "output of this program"


@dataclasses.dataclass
class Listing:
    """A folder with its subfolders.

    Attributes:
        folder: it.
        pictures: paths of the pictures, sorted.
        left_out: list of (path, reason) of all else but folders, sorted.
    """

    folder: Path
    pictures: list
    left_out: list

    def name(self, path):
        """A path relative to the folder, with forward slashes."""
        return path.relative_to(self.folder).as_posix()


def counted(reasons):
    """How many there are of each reason, in one line: "3 not a picture, 1 a broken link"."""
    counts = collections.Counter(reason.split(":")[0] for reason in reasons)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())


def list_pictures(folder, exclude=None):
    """The `Listing` of a folder and its subfolders; links to folders are not followed.

    Args:
        folder: the folder.
        exclude: a subfolder to leave out: the output folder.

    Raises `UserError` if the folder is missing or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        state = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise UserError(f"{folder} {state}: give a folder with pictures")
    excluded = None if exclude is None else Path(exclude).resolve()
    if excluded in (folder.resolve(), *folder.resolve().parents):
        excluded = None
    listing = Listing(folder, [], [])
    folders = [(str(folder), False)]
    while folders:
        name, is_output = folders.pop()
        is_output = is_output or (excluded is not None and Path(name).resolve() == excluded)
        try:
            entries = [*os.scandir(name)]
        except OSError as error:
            if name == str(folder):
                raise UserError(f"{folder} cannot be opened: {error.strerror}") from error
            reason = f"a folder that cannot be opened: {error.strerror}"
            listing.left_out.append((Path(name), reason))
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, is_output))
            elif reason := OUTPUT if is_output else _reason(entry):
                listing.left_out.append((Path(entry.path), reason))
            else:
                listing.pictures.append(Path(entry.path))
    listing.pictures.sort()
    listing.left_out.sort()
    if not listing.pictures:
        found = counted(reason for _, reason in listing.left_out)
        raise UserError(f"{folder} holds no pictures" + (f" ({found})" if found else ""))
    return listing


def _reason(entry):
    """Why an entry of a folder, itself no folder, is not read as a picture; None if it is."""
    try:
        if entry.is_symlink():
            if os.path.isdir(entry.path):
                return "a link to a folder"
            if not os.path.exists(entry.path):
                return "a broken link"
        if not entry.is_file():
            return "not a regular file"
        if entry.name in OWN:
            return OUTPUT
        if os.path.splitext(entry.name)[1][1:].lower() in SUFFIXES and entry.name[0] != ".":
            return None
        with system.open_without_waiting(entry.path) as file:
            return undecodable(file.read(64))
    except OSError:  # it may not be opened, or is gone: the one who reads it will say so
        return None
