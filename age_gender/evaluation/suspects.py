"""Pictures whose label is least likely: each is judged by a network that was not trained on it."""

import csv

import numpy as np

from age_gender.command_line import UserError
from age_gender.estimates import Estimates
from age_gender.files import atomic_write
from age_gender.genders import LETTERS, MALE, UNKNOWN

TOLERANCE = 2.0  # years of standard deviation of the ages as they are labelled


def cross_fitted(descriptions, database, estimate):
    """Estimates of all rows of a database, each by the weights whose fold it is in.

    Args:
        descriptions: list of `weights.Description`, one for each weight file.
        database: `face_database.FaceDatabase`.
        estimate: function of a weight file's number and of rows that returns `Estimates`.

    Raises `UserError` where the weights are not those of all folds of one split.
    """
    folds = [said.fold for said in descriptions]
    count = int((folds[0] or "0/0").split("/")[1])
    expected = {f"{number}/{count}" for number in range(1, count + 1)}
    if not count or set(folds) != expected or len({said.split_seed for said in descriptions}) > 1:
        raise UserError(
            "--suspects needs the weights of all folds: train with --fold 1/3, 2/3 and 3/3, say, "
            "and give the three files to --weight_file"
        )
    joined = None
    for number, said in enumerate(descriptions):
        rows = said.split_of(database)[1]
        found = estimate(number, rows)
        if joined is None:
            size = len(database)
            shapes = (size,), (size,), (size, found.age_probabilities.shape[1])
            joined = Estimates(*(np.zeros(shape, np.float32) for shape in shapes))
        for whole, part in zip(vars(joined).values(), vars(found).values()):
            whole[rows] = part
    return joined


def doubt(ages, genders, estimates):
    """How much less likely each label is than what the network thinks likeliest, (N,).

    It is the sum of the logarithms for age and gender, 0 or more; an age is taken for `TOLERANCE`
    years wide, and a gender that is not known says nothing.

    Args:
        ages, genders: (N,) labels.
        estimates: `Estimates`.
    """
    years = np.arange(estimates.age_probabilities.shape[1])
    near = np.exp(-0.5 * ((years - years[:, None]) / TOLERANCE) ** 2)
    likely = estimates.age_probabilities @ (near / near.sum(1, keepdims=True)).T
    rows = np.arange(len(ages))
    age = np.log(likely.max(1) + 1e-12) - np.log(likely[rows, ages] + 1e-12)
    males = np.clip(estimates.males, 1e-6, 1 - 1e-6)
    said = np.log(np.maximum(males, 1 - males))
    labelled = np.log(np.where(genders == MALE, males, 1 - males))
    return age + np.where(genders != UNKNOWN, said - labelled, 0)


def write(folder, database, estimates, count):
    """Write suspects.csv and suspects.png, the most doubtful first; returns their rows."""
    from age_gender.evaluation import report as evaluation_report

    doubts = doubt(database.ages, database.genders, estimates)
    rows = np.argsort(-doubts, kind="stable")[:count]
    names = database.sources()
    with atomic_write(folder / "suspects.csv") as partial, open(partial, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "group", "age", "gender", "estimated age", "male", "doubt"])
        for row in rows:
            label = names[row], database.groups[row], database.ages[row]
            said = f"{estimates.ages[row]:.1f}", f"{estimates.males[row]:.3f}"
            writer.writerow([*label, LETTERS[database.genders[row]], *said, f"{doubts[row]:.2f}"])
    faces = [database.images[row] for row in rows]
    labels = database.ages[rows], database.genders[rows]
    evaluation_report.sheet(folder / "suspects.png", faces, *labels, estimates.of(rows))
    return rows
