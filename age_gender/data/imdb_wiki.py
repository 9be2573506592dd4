"""IMDB-WIKI: face crops with a metadata file that has the labels.

Rothe, Timofte and Van Gool, "DEX: Deep EXpectation of apparent age from a single image", 2015.
The crops have a margin of 0.4 of the detected face's sides, and are taken whole.
"""

import dataclasses

import numpy as np

from age_gender.command_line import UserError
from age_gender.data.dataset import Dataset
from age_gender.weights import MARGIN

TERMS = "academic research only"
IMDB = Dataset("imdb", "IMDB-WIKI (imdb)", TERMS, "margin", MARGIN)
WIKI = Dataset("wiki", "IMDB-WIKI (wiki)", TERMS, "margin", MARGIN)
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
    import scipy.io

    if not path.is_file():
        raise UserError(f"{path} is not a file: fetch it with ./download.sh {db}")
    wrong = f"{path} is not the metadata file of {db}: fetch it again with ./download.sh {db}"
    try:
        table = scipy.io.loadmat(path, variable_names=[db])[db][0, 0]
        fields = {name: table[name].reshape(-1) for name in FIELDS}
        names = [str(name[0]) for name in fields["full_path"]]
        born = np.maximum(fields["dob"].astype(int) - 366, 1)
        ages = ages_of(fields["photo_taken"].astype(int), born)
        numbers = (fields[name].astype(float) for name in FIELDS[3:])
    except OSError:
        raise
    except Exception as error:  # SciPy raises exceptions of many kinds
        raise UserError(wrong) from error
    rows = Rows(names, ages, *numbers)
    if len({len(column) for column in vars(rows).values()}) > 1:
        raise UserError(wrong)
    return rows


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
