"""Pictures whose label is least likely, each judged by weights that were not trained on it."""

import csv

import numpy as np

from age_gender.command_line import UserError
from age_gender.estimates import Estimates
from age_gender.estimator import Estimator
from age_gender.evaluation.pictures import estimate
from age_gender.evaluation.report import sheet
from age_gender.files import atomic_write, write_csv
from age_gender.genders import LETTERS, MALE, UNKNOWN

FILES = ("suspects.csv", "suspects.png")
TOLERANCE = 2.0  # standard deviation of the labelled ages, years


def cross_fitted(descriptions, database, estimate):
    """Estimates of all rows of a database, each by the weights whose fold it is in.

    Args:
        descriptions: list of `weights.Description`, one for each weight file (`check_folds`).
        database: `FaceDatabase`.
        estimate: function of a weight file's number and of rows that returns `Estimates`.

    """
    joined = None
    for number, description in enumerate(descriptions):
        rows = description.split_of(database)[1]
        found = estimate(number, rows)
        if joined is None:
            size = len(database)
            shapes = (size,), (size,), (size, found.age_probabilities.shape[1])
            joined = Estimates(*(np.zeros(shape, np.float32) for shape in shapes))
        for whole, part in zip(vars(joined).values(), vars(found).values()):
            whole[rows] = part
    return joined


def check_folds(descriptions):
    """Raise `UserError` if weights are not those of all folds of one split."""
    folds = [description.fold for description in descriptions]
    seeds = {description.split_seed for description in descriptions}
    count = int((folds[0] or "0/0").split("/")[1])
    expected = {f"{number}/{count}" for number in range(1, count + 1)}
    if not count or set(folds) != expected or len(seeds) > 1:
        raise UserError(
            "the weights must be those of all folds of one split, as 1/2 and 2/2. Received: "
            f"{', '.join(map(str, folds))}" + ("" if len(seeds) == 1 else ", of different seeds")
        )


def doubt(ages, genders, estimates):
    """How much less likely each label is than the network's most likely answer, (N,).

    It is the sum of the log ratios for age and gender, 0 or more; an age is taken as `TOLERANCE`
    years wide, and an unknown gender counts nothing.

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
    likeliest = np.log(np.maximum(males, 1 - males))
    labelled = np.log(np.where(genders == MALE, males, 1 - males))
    return age + np.where(genders != UNKNOWN, likeliest - labelled, 0)


def write(folder, paths, descriptions, database, count):
    """Write suspects.csv and suspects.png, the most doubtful first; return how many there are.

    Args:
        folder: it is made if need be.
        paths, descriptions: of the weight files of all folds.
        database: `FaceDatabase`.
        count: number of pictures, at most.
    """
    estimates = cross_fitted(
        descriptions,
        database,
        lambda number, rows: estimate(Estimator(paths[number], runtime="keras"), database, rows),
    )
    folder.mkdir(parents=True, exist_ok=True)
    return len(write_tables(folder, database, estimates, count))


def write_tables(folder, database, estimates, count):
    """Write the two files, as in `write`, of `Estimates` of a database; return their rows."""
    doubts = doubt(database.ages, database.genders, estimates)
    rows = np.argsort(-doubts, kind="stable")[:count]
    names = database.sources()
    with (
        atomic_write(folder / FILES[0]) as partial,
        write_csv(partial) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["file", "group", "age", "gender", "estimated age", "male", "doubt"])
        for row in rows:
            label = names[row], database.groups[row], database.ages[row]
            guess = f"{estimates.ages[row]:.1f}", f"{estimates.males[row]:.3f}"
            writer.writerow([*label, LETTERS[database.genders[row]], *guess, f"{doubts[row]:.2f}"])
    faces = [database.images[row] for row in rows]
    labels = database.ages[rows], database.genders[rows]
    sheet(folder / FILES[1], faces, *labels, estimates.of(rows))
    return rows
