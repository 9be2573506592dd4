"""A folder of any pictures with a table of labels: file, age, and if known gender and race.

The face of each picture is found and cut as weights need it, so that they can be evaluated on
pictures of any origin.
"""

import re
from pathlib import PureWindowsPath

import numpy as np

from age_gender.command_line import UserError, log, some
from age_gender.data.builder import UnusablePicture, build
from age_gender.data.database import FaceDatabase
from age_gender.data.dataset import OLDEST, Pictures
from age_gender.data.label_table import NUMBER, Table
from age_gender.faces import FaceFinder
from age_gender.genders import FEMALE, MALE, UNKNOWN
from wide_resnet import AGE_CLASSES

COLUMNS = ("file", "age", "gender", "race")  # of the table, where no others are named
WORDS = {
    FEMALE: ("f", "female", "woman", "girl"),
    MALE: ("m", "male", "man", "boy"),
    UNKNOWN: ("", "?", "unknown"),
}
GENDERS = {word: gender for gender, words in WORDS.items() for word in words}
RANGE = re.compile(r"(\d{1,3}) ?(?:-|\u2013|to) ?(\d{1,3})", re.IGNORECASE)  # as in 20-29
OPEN = re.compile(r"(?:more than |over |>=? ?)?(\d{1,3}) ?\+?", re.IGNORECASE)  # as in 70+
LENGTH = 9  # years of a range without an end: FairFace's "more than 70" is taken for 70 to 79


class LargestFace:
    """Cuts the largest face out of a picture.

    Args:
        cut: `faces.Cut`.
        cropped: every picture is a face already.
    """

    def __init__(self, cut, cropped=False):
        self._cut = cut
        self._cropped = cropped
        self._finder = None  # made in the process that needs it

    def __call__(self, image):
        """(H, W, 3) uint8 BGR to (size, size, 3); raises `UnusablePicture` without a face."""
        if not self._cropped and self._finder is None:
            self._finder = FaceFinder()
        found, cuts = self._cut.examine(image, self._finder)
        if not found:
            raise UnusablePicture("no face is found")
        areas = [face.width * face.height for face in found]
        return cuts[int(np.argmax(areas))]


def read(folder, path, columns=None):
    """The pictures that a table labels.

    Args:
        folder: the files are relative to it.
        path: of the table, as `label_table.Table` reads it.
        columns: names of its columns of files, ages, and if there are such, genders and races;
            None for `COLUMNS`, of which the last two may be missing.

    Returns:
        (`Pictures`, dict of the race of each file, "" where it is unknown).

    Raises `UserError` if the table is not such a one.
    """
    names = [name.lower() for name in columns or COLUMNS]
    file, age, gender, race = [*names, *([None] * (len(COLUMNS) - len(names)))]
    table = Table(path, names if columns else names[:2], filled=names[:2])
    labels, ranges = {}, 0
    for number, row in table.rows:
        name, where = row[file], f"{path}, row {number}"
        if PureWindowsPath(name).anchor or name.startswith("/") or ".." in re.split(r"[/\\]", name):
            raise UserError(f"{where}: {name!r} is not in the folder: give names relative to it")
        years, is_range = _age(row[age], where, age)
        ranges += is_range
        label = years, _gender(row.get(gender, ""), where, gender), row.get(race, "")
        if labels.setdefault(name, label) != label:
            raise UserError(f"{where}: {name} has other labels in a row above: leave one out")
    if ranges:
        log(f"{path}: {ranges} of {len(table.rows)} ages are ranges: the middle of each is taken")
    ages, genders, races = zip(*labels.values())
    pictures = Pictures(folder, [*labels], np.array(ages, int), np.array(genders, int))
    return pictures, dict(zip(labels, races))


def _age(text, where, column):
    """(Whole years from 0 to 100, whether it is the middle of a range) of a text."""
    if NUMBER.fullmatch(text):
        years, is_range = float(text.replace(",", ".")), False
    elif found := RANGE.fullmatch(text) or OPEN.fullmatch(text):
        low, high = (*map(int, found.groups()), int(found[1]) + LENGTH)[:2]
        years, is_range = (low + high) / 2 if low <= high else -1, True
    else:
        years, is_range = -1, False
    if not 0 <= years <= OLDEST:
        raise UserError(
            f"{where}: {column} must be a number from 0 to {OLDEST} or a range as in 20-29, "
            f"received {text!r}"
        )
    return min(round(years), AGE_CLASSES - 1), is_range


def _gender(text, where, column):
    """The gender, as in `genders`, of a text."""
    if text.lower() not in GENDERS:
        raise UserError(
            f"{where}: {column} must be F or M, female or male, or empty, received {text!r}"
        )
    return GENDERS[text.lower()]


def database_of(pictures, cut, made_in, cropped=False):
    """The `FaceDatabase` of `Pictures`, whose faces are found and cut.

    Args:
        pictures: as `read` returns them.
        cut: `faces.Cut`.
        made_in: folder for it.
        cropped: every picture is a face already.
    """
    settings = {"img_size": cut.size, "db": "labels", "min_score": -1, "resize": cut.resize}
    settings |= {"crop": cut.crop, "margin": cut.margin}
    path = made_in / f"{pictures.folder.resolve().name}_{cut.size}.mat"
    built = build(path, pictures, LargestFace(cut, cropped), settings, resumable=False)
    if built.skipped:
        reasons = [f"{pictures.names[row]}: {built.skipped[row]}" for row in sorted(built.skipped)]
        log(f"pictures skipped: {some(reasons)}")
    return FaceDatabase(path)
