"""IMDB-WIKI: face crops with a metadata file that has the labels.

Rothe, Timofte and Van Gool, "DEX: Deep EXpectation of apparent age from a single image", 2015.
The crops have a margin of 0.4 of the detected face's sides, and are taken whole.
"""

import dataclasses
import re

import numpy as np

from age_gender.command_line import UserError
from age_gender.data import matlab5
from age_gender.data.dataset import Dataset
from age_gender.description import MARGIN
from age_gender.genders import FEMALE, MALE
from age_gender.hdf5 import printable
from age_gender.stored import Unreadable

TERMS = "academic research only"
IMDB = Dataset("imdb", "IMDB-WIKI (imdb)", TERMS, "margin", MARGIN)
WIKI = Dataset("wiki", "IMDB-WIKI (wiki)", TERMS, "margin", MARGIN)
LATEST = 10**7  # days since the year 0, and a bound for years
FIELDS = ("dob", "photo_taken", "full_path", "gender", "face_score", "second_face_score")


@dataclasses.dataclass
class Rows:
    """N rows of a metadata file."""

    names: list  # N file names
    ages: np.ndarray  # (N,) int, years; impossible ones too
    genders: np.ndarray  # (N,) float, as in `genders`, NaN unknown
    scores: np.ndarray  # (N,) of the face; -inf where the crop is the whole picture
    second_scores: np.ndarray  # (N,) of a second face; NaN where there is none


def read_meta(path, db):
    """Read a metadata file of IMDB-WIKI as `Rows`. Raises `UserError` if it is not one.

    Args:
        path: the file.
        db: "imdb" or "wiki".
    """
    if not path.is_file():
        raise UserError(f"{path} is not a file: fetch it with ./download.sh {db}")
    try:
        table = matlab5.opened(path).array(db).fields()
        missing = [name for name in FIELDS if name not in table]
        if missing:
            raise Unreadable(f"its {db!r} has no {missing[0]!r}")
        names = [printable(name) for name in table["full_path"].texts()]
        if any(name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) for name in names):
            raise Unreadable("it names files outside its folder")
        numbers = {name: table[name].read().reshape(-1) for name in FIELDS if name != "full_path"}
        for name, column in numbers.items():
            if len(column) != len(names):
                raise Unreadable(f"it has {len(names)} names, but {len(column)} of {name!r}")
        for name in ("dob", "photo_taken"):
            if not (abs(numbers[name].astype(float)) < LATEST).all():
                raise Unreadable(f"its {name!r} has days or years that are none")
        genders = numbers["gender"].astype(float)
        if not (np.isnan(genders) | np.isin(genders, (FEMALE, MALE))).all():
            raise Unreadable("its 'gender' is not 0, 1 or unknown everywhere")
    except Unreadable as problem:
        raise UserError(
            f"{path} is not the metadata file of {db}: {problem}: fetch it again with "
            f"./download.sh {db}"
        ) from problem
    born = np.maximum(numbers["dob"].astype(int) - 366, 1)
    ages = ages_of(numbers["photo_taken"].astype(int), born)
    scores = (numbers[name].astype(float) for name in ("face_score", "second_face_score"))
    return Rows(names, ages, genders, *scores)


def ages_of(taken, born):
    """Ages in the middle of the year in which pictures were taken.

    Args:
        taken: (N,) int, years.
        born: (N,) int, days of birth; day 1 is 1 January of the year 1.
    """
    days = np.datetime64("0001-01-01") + (born - 1)
    years = days.astype("datetime64[Y]")
    first_half = days.astype("datetime64[M]") - years.astype("datetime64[M]") < np.timedelta64(6)
    return taken - (years.astype(int) + 1970) - ~first_half


def select(rows, min_score):
    """The rows whose label can be trusted, by the original's rules.

    Returns:
        ((N,) bool, list of (rule, number of rows that it drops of those which the rules before
        it have left)).
    """
    rules = (
        (f"face score below {min_score}", rows.scores < min_score),
        ("a second face", rows.second_scores > 0),
        ("age not in 0 to 100", (rows.ages < 0) | (rows.ages > 100)),
        ("no gender", np.isnan(rows.genders)),
    )
    kept = np.ones(len(rows.names), bool)
    dropped = []
    for name, bad in rules:
        dropped.append((name, int((kept & bad).sum())))
        kept &= ~bad
    return kept, dropped
