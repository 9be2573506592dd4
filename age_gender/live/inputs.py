"""What a command is given to look at: pictures, folders, videos, cameras and streams, in any order.

Whatever cannot be looked at is found out here, before anything slow begins.
"""

import dataclasses
import difflib
import glob
import os
import re
import urllib.parse
import urllib.request
from pathlib import Path

from age_gender import system
from age_gender.errors import UserError
from age_gender.frames import Camera, VideoFile, open_source
from age_gender.listing import SUFFIXES, Listing, list_pictures
from age_gender.messages import log, printable, some
from age_gender.pictures import NO_PICTURE, is_animation, undecodable

NAMED = 5  # inputs that a message names
REMEDY = "give a picture, a folder, a video, a camera (0) or the address of a stream"


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What there is to look at.

    Attributes:
        listing: `Listing` of all pictures, in the order given; None if there is none.
        sources: list of (name, `Camera` or `VideoFile`), in the order given.

    Names are paths relative to the innermost folder that holds all files that are given, so that
    no two are the same.
    """

    listing: Listing | None
    sources: list


def open_inputs(texts, exclude=None, size=None):
    """The `Inputs` that paths, indexes and devices of cameras, and addresses name.

    Args:
        texts: them; a file or folder is taken for one whatever its name looks like. A pattern that
            no shell has expanded is expanded.
        exclude: a folder to leave out of those that are given: the output folder.
        size: of a camera's pictures, as in `frames.open_source`.

    Raises `UserError` that names all that is missing, or cannot be looked at.
    """
    problems = {}  # texts by what is wrong with them
    found = []  # `Listing`, path of a picture, `VideoFile` or `Camera`
    for text in _expanded(map(str, texts)):
        path = _path(text)
        if path is None:
            found.append(open_source(text, size))
            continue
        try:
            found.append(_opened(path, exclude))
        except _Unfit as problem:
            problems.setdefault(str(problem), []).append(path)
    if problems:
        raise UserError("; ".join(_said(*each) for each in problems.items()))
    return _gathered(found)


class _Unfit(Exception):
    """What is wrong with a file; the message is one for all such files."""


def _expanded(texts):
    for text in texts:
        matches = sorted(glob.glob(text)) if not os.path.lexists(text) else []
        yield from matches or [text]


def _path(text):
    """The path that a text names; None if it names a camera or a stream."""
    if os.path.exists(text) and not Path(text).is_char_device():
        return text
    if re.match(r"(?i)file://", text):
        return urllib.request.url2pathname(urllib.parse.urlsplit(text).path)
    is_index = text.isascii() and text.isdigit()
    other = is_index or "://" in text or re.match(r"/dev/(video|v4l/)", text)
    return None if other or Path(text).is_char_device() else text


def _opened(path, exclude):
    """A folder as a `Listing`, a picture as a `Path`, or a `VideoFile`. Raises `_Unfit`."""
    if not os.path.lexists(path):
        raise _Unfit("not exist")
    if os.path.isdir(path):
        return list_pictures(path, exclude)
    if not os.path.isfile(path):
        raise _Unfit("lead nowhere" if not os.path.exists(path) else "not belong to a regular file")
    try:
        with system.open_without_waiting(path) as file:
            head = file.read(64)
    except OSError as error:
        raise _Unfit(f"not open: {error.strerror}") from error
    reason = undecodable(head)
    if reason == "a video" or is_animation(path, head):
        return VideoFile(path)
    is_called_picture = os.path.splitext(path)[1][1:].lower() in SUFFIXES
    if is_called_picture or reason not in (NO_PICTURE, "empty"):
        return Path(path)
    try:
        return VideoFile(path)
    except UserError:
        raise _Unfit("hold no picture and no video that can be read") from None


def _said(problem, paths):
    """A sentence about files with one problem."""
    names = [printable(path) for path in paths[:NAMED]]
    if problem.startswith("not "):
        problem = f"{'does' if len(paths) == 1 else 'do'} {problem}"
    elif len(paths) == 1:
        problem = re.sub(r"^\w+", lambda verb: f"{verb[0]}s", problem)
    if len(paths) > 1:
        more = ", ..." if len(paths) > NAMED else ""
        return f"{len(paths)} inputs {problem}: {', '.join(names)}{more}"
    remedy = ""
    if problem == "does not exist":
        near = _near(paths[0])
        remedy = f": did you mean {printable(near)}?" if near else f": {REMEDY}"
    return f"{names[0]} {problem}{remedy}"


def _near(path):
    """The path of a file beside it with nearly the same name; None if there is none."""
    folder, name = os.path.split(path.rstrip("/"))
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return None
    by_lower = {each.lower(): each for each in names}
    matches = difflib.get_close_matches(name.lower(), by_lower, 1, 0.75)
    return os.path.join(folder, by_lower[matches[0]]) if matches else None


def _gathered(found):
    """The `Inputs` of what was opened, each once."""
    if len(found) == 1 and isinstance(found[0], Listing):
        return Inputs(found[0], [])
    files = [_file(each) for each in found if not isinstance(each, (Camera, Listing))]
    folders = [os.path.abspath(each.folder) for each in found if isinstance(each, Listing)]
    inner = [os.path.dirname(each) for each in files] + folders
    listing = Listing(Path(_common(inner)) if inner else Path(), [], [])
    seen, sources, twice = set(), [], []
    for each in found:
        if isinstance(each, Listing):
            listing.left_out += [(Path(os.path.abspath(p)), why) for p, why in each.left_out]
            pictures = each.pictures
        else:
            pictures = [each] if isinstance(each, Path) else []
        for path in pictures:
            path = Path(os.path.abspath(path))
            if path in seen:
                twice.append(listing.name(path))
            else:
                listing.pictures.append(path)
            seen.add(path)
        if isinstance(each, (Camera, VideoFile)):
            is_file = isinstance(each, VideoFile)
            name = listing.name(Path(_file(each))) if is_file else each.name
            if name in dict(sources):
                twice.append(name)
            else:
                sources.append((name, each))
    if twice:
        log(f"given twice, taken once: {printable(some(twice))}")
    return Inputs(listing if listing.pictures else None, sources)


def _file(each):
    return os.path.abspath(each.path if isinstance(each, VideoFile) else each)


def _common(folders):
    try:
        return os.path.commonpath(folders)
    except ValueError as error:  # on Windows
        raise UserError("the inputs lie on different drives: give those of one") from error
