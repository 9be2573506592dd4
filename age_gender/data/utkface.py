"""UTKFace: aligned and cropped faces, or raw pictures, with their labels in the file names.

Zhang, Song and Qi, "Age Progression/Regression by Conditional Adversarial Autoencoder", CVPR 2017.
Names are [age]_[gender]_[race]_[date].jpg.chip.jpg; only the first two fields are needed. In the
names gender 0 is male and 1 is female; everywhere else in this suite 0 is female (genders.py).
"""

import contextlib
import os
import re

import numpy as np

from age_gender.command_line import UserError, log, some
from age_gender.data.dataset import OLDEST, Dataset, Pictures
from wide_resnet import AGE_CLASSES

PATTERN = re.compile(
    r"\d+_[01]_[0-4]_\d+\.jpg(\.chip\.jpg)?$", re.IGNORECASE
)  # as UTKFace documents it
RACES = ("White", "Black", "Asian", "Indian", "other")  # UTKFace's labels 0 to 4


def labels_of(name):
    """Age (0 to 100; more becomes 100) and gender (as in `genders`) in a UTKFace file name.

    Raises ValueError if the name has none.
    """
    fields = name.split("_")
    if len(fields) < 2 or not fields[0].isascii() or not fields[0].isdigit():
        raise ValueError("its name does not start with an age")
    if int(fields[0]) > OLDEST:
        raise ValueError(f"its name starts with {fields[0]}, which is no age")
    if fields[1] not in ("0", "1"):
        raise ValueError("its name has no gender 0 (male) or 1 (female) in second place")
    return min(int(fields[0]), AGE_CLASSES - 1), 1 - int(fields[1])


def _has_labels(name):
    with contextlib.suppress(ValueError):
        return bool(labels_of(name))
    return False


def race_of(name):
    """The race in a UTKFace file name, one of `RACES`; "" if it has none."""
    fields = os.path.basename(name).split("_")
    label = fields[2] if len(fields) > 3 else ""
    return RACES[int(label)] if label in ("0", "1", "2", "3", "4") else ""


def find_pictures(folder):
    """The pictures in a folder and its subfolders: *.jpg, and all that are named like UTKFace's.

    Returns:
        (names, names of all else), both sorted and relative to the folder; links to folders, and
        folders that may not be opened, are among the latter.
    """
    names, others = [], []

    def relative(path):
        return os.path.relpath(path, folder).replace(os.sep, "/")  # the same on every system

    refused = []
    for subfolder, folders, files in os.walk(folder, onerror=refused.append):
        others += [
            path for each in folders if os.path.islink(path := os.path.join(subfolder, each))
        ]
        for name in files:
            taken = name.lower().endswith((".jpg", ".jpeg")) or _has_labels(name)
            (names if taken else others).append(os.path.join(subfolder, name))
    others += [error.filename for error in refused]
    return sorted(map(relative, names)), sorted(map(relative, others))


def read(folder, age_label=None, ignored=()):
    """The `Pictures` of a folder, labelled by their names.

    Args:
        folder: of the pictures, in it or in its subfolders.
        age_label, ignored: not used: there is one age in a name.

    Raises `UserError` if it is not a folder or holds no picture.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give the folder of the pictures")
    names, others = find_pictures(folder)
    if not names:
        raise UserError(f"{folder} holds no *.jpg file: give the folder of the pictures")
    if others:
        log(f"left out, neither *.jpg nor named like UTKFace's pictures: {some(others)}")
    labels, refused = np.zeros((len(names), 2), int), {}
    for row, name in enumerate(names):
        try:
            labels[row] = labels_of(os.path.basename(name))
        except ValueError as error:
            refused[row] = str(error)
    malformed = [name for name in names if not PATTERN.match(os.path.basename(name))]
    if malformed:
        log(f"malformed names: {some(malformed)}; those that start with age and gender are used")
    return Pictures(folder, names, *labels.T, refused)


UTKFACE = Dataset(
    "utk",
    "UTKFace",
    "non-commercial research only",
    crop="aligned",
    recognises=lambda folder: True,  # the last in the list: `read` says what is missing
    read=read,
    races=lambda names: [race_of(name) for name in names],
)
