"""The report on a new database, and the tables beside it.

Beside X.mat lie X_skipped.csv (pictures that gave no face, and why), X_duplicates.csv (duplicate
pictures, with their labels) and, on request, X.png (the distribution of ages and genders).
"""

import csv

import numpy as np

from age_gender.data import duplicates
from age_gender.diagrams import diagram
from age_gender.files import atomic_write, write_csv
from age_gender.genders import FEMALE, LETTERS, MALE, NAMES

DECADES = range(0, 101, 10)  # the last holds 100 alone


def _beside(output, ending):
    return output.with_name(output.stem + ending)


def write_tables(output, pictures, built):
    """Write X_skipped.csv and X_duplicates.csv; a table without rows is not written.

    Args:
        output: the database, X.mat.
        pictures: `dataset.Pictures`.
        built: `builder.Built`.
    """
    skipped = [(pictures.names[row], built.skipped[row]) for row in sorted(built.skipped)]
    _table(_beside(output, "_skipped.csv"), ["file", "reason"], skipped)
    copies = {}
    for number, group in enumerate(built.groups.tolist()):
        copies.setdefault(group, []).append(number)
    rows = []
    for group, numbers in copies.items():
        for number in numbers if len(numbers) > 1 else ():
            row = built.rows[number]
            rows.append(
                [
                    group,
                    pictures.names[row],
                    pictures.ages[row],
                    LETTERS[pictures.genders[row]],
                    "differ" if built.conflicting[number] else "agree",
                    "yes" if built.written[number] else "no",
                    built.digests[number].tobytes().hex(),
                ]
            )
    header = ["group", "file", "age", "gender", "labels", "written", "sha256"]
    _table(_beside(output, "_duplicates.csv"), header, rows)


def _table(path, header, rows):
    if not rows:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as partial:
        with write_csv(partial) as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)


def report(output, pictures, built, with_plot=False):
    """Print what became of the pictures, and the ages of those written by decade and gender.

    Args:
        output: the database.
        pictures: `dataset.Pictures`.
        built: `builder.Built`.
        with_plot: plot ages and genders too.
    """
    labels = pictures.ages[built.rows], pictures.genders[built.rows]
    print(f"read {len(pictures)} pictures")
    named = f", named in {_beside(output, '_skipped.csv')}" if built.skipped else ""
    print(f"skipped {len(built.skipped)}{named}")
    for what, groups in (("byte-identical", built.identical), ("alike", built.groups)):
        copies = int((np.bincount(groups) > 1).sum())
        differing = len(duplicates.conflicting(groups, *labels))
        print(f"groups of {what} pictures {copies}, with different labels {differing}")
    print(f"left out for different labels {int((~built.written).sum())}")
    print(f"written {int(built.written.sum())}")
    ages, genders = (array[built.written] for array in labels)
    print("age        female    male")
    for decade in DECADES:
        inside = ages // 10 == decade // 10
        band = f"{decade} to {decade + 9}" if decade < 100 else "100"
        counts = [int((inside & (genders == gender)).sum()) for gender in (FEMALE, MALE)]
        print(f"{band:9}{counts[0]:8}{counts[1]:8}")
    if len(np.unique(built.groups)) < len(built.groups):
        print(f"duplicates are named in {_beside(output, '_duplicates.csv')}")
    if with_plot:
        print(f"ages and genders are drawn in {plot(output, ages, genders)}")
    print(f"database {output}")


def plot(output, ages, genders):
    """Draw how many faces there are of each age and gender into X.png; return its path.

    Args:
        output: the database, X.mat.
        ages: (N,) years.
        genders: (N,) `genders.FEMALE` or `MALE`.
    """
    path = _beside(output, ".png")
    groups = [ages[genders == gender] for gender in (FEMALE, MALE)]
    labels = [f"{name}, {len(group)}" for name, group in zip(NAMES, groups)]
    with diagram(path, (8, 5)) as (axes,):
        axes.hist(groups, bins=range(102), stacked=True, label=labels, color=("C1", "C0"))
        axes.set(xlabel="age, years", ylabel="faces", title=f"{output.name}: {len(ages)} faces")
        axes.set(xlim=(0, 101))
        axes.grid(alpha=0.3, axis="y")
        axes.legend()
    return path
