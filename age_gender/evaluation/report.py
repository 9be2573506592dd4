"""The report on an evaluation: lines, tables, diagrams, and sheets of faces."""

import collections
import csv
from pathlib import Path

import cv2
import numpy as np

from age_gender.diagrams import diagram
from age_gender.files import atomic_write, write_csv
from age_gender.genders import LETTERS, UNKNOWN
from age_gender.output.labels import label

SIDE, ROW = 128, 8  # pixels of a face on a sheet, and faces beside each other
SHOWN, WORST = 32, 20  # faces on the sheets
TABLES = ("bands", "bands_by_gender", "races")
PICTURES = ("predicted.png", "bands.png", "reliability.png", "worst.png", "random.png")
FILES = ("report.json", *(f"{name}.csv" for name in TABLES), *PICTURES)  # of a report


def lines(evaluation):
    """The printed lines of an `Evaluation`; the last are the first file's figures."""
    yield f"{evaluation.pictures} pictures, {evaluation.part}"
    names = [Path(assessment.file).name for assessment in evaluation.weights]
    for name, assessment in zip(names, evaluation.weights):
        yield f"{name}:"
        yield from (f"  {line}" for line in lines_of(assessment))
    for name, difference in zip(names[1:], evaluation.age_mae_differences):
        yield f"{name} minus {names[0]}: age MAE {difference} years"
    figures = evaluation.weights[0].figures
    yield f"MAE Age: {figures.age_mae.value:.2f}"
    if figures.gender_accuracy:
        yield f"Gender accuracy: {figures.gender_accuracy.value:.2f}"


def lines_of(assessment):
    """The printed lines of an `Assessment`."""
    for name, figure in assessment.figures.named().items():
        yield f"{name}: {figure}"
    for kind, groups in (("age", assessment.bands), ("race", assessment.races)):
        for group in groups:
            gender = group.figures.gender_accuracy
            more = f", gender {gender} percent" if gender else ""
            mae = group.figures.age_mae
            yield f"{kind} {group.name}: {group.pictures} pictures, age MAE {mae}{more}"
    yield f"gender probabilities are off by {assessment.gender_calibration_error:.1f} points"
    shares = ", ".join(
        f"{100 * level:.0f}: {share:.0f}" for level, share in assessment.age_reliability.items()
    )
    yield f"labels inside the network's own central intervals, percent: {shares}"
    intervals = assessment.intervals
    yield (
        f"intervals for {100 * intervals.level:.0f} percent ({intervals.source}) hold "
        f"{intervals.coverage:.1f} percent of the labels and are {intervals.width:.1f} years wide"
    )
    band, (coverage, _) = min(intervals.by_band.items(), key=lambda item: item[1][0])
    yield f"in the worst band, {band}, they hold {coverage:.1f} percent"


def write_table(path, groups):
    """Write the figures of a list of `figures.Group` as CSV."""
    with (
        atomic_write(path) as partial,
        write_csv(partial) as file,
    ):
        writer = csv.writer(file)
        names = list(dict.fromkeys(name for group in groups for name in group.figures.named()))
        ends = [f"{name}{end}" for name in names for end in ("", " from", " to")]
        writer.writerow(["group", "pictures", *ends])
        for group in groups:
            row = [group.name, group.pictures]
            for name in names:
                figure = group.figures.named().get(name)
                cells = (figure.value, figure.low, figure.high) if figure else ()
                row += [f"{cell:.3f}" for cell in cells] or [""] * 3
            writer.writerow(row)


def folders(folder, paths):
    """A folder for each weight file: one of its own name in ``folder``, if there are several."""
    if len(paths) == 1:
        return [folder]
    counts = collections.Counter()
    names = []
    for path in paths:
        counts[path.stem] += 1
        again = f"_{counts[path.stem]}" if counts[path.stem] > 1 else ""
        names.append(f"{path.stem}{again}")
    return [folder / name for name in names]


def write(folder, pictures, estimates, assessment):
    """Write tables, diagrams and sheets of faces of one weight file into a folder.

    Args:
        folder: it is made if need be.
        pictures: `Pictures`, N of them.
        estimates: `Estimates` of N faces.
        assessment: their `Assessment`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        if groups := getattr(assessment, name):
            write_table(folder / f"{name}.csv", groups)
        else:
            (folder / f"{name}.csv").unlink(missing_ok=True)  # of an earlier report
    draw_predicted(folder / "predicted.png", pictures.ages, estimates)
    draw_bands(folder / "bands.png", assessment.bands)
    reliability = assessment.gender_reliability, assessment.age_reliability
    draw_reliability(folder / "reliability.png", *reliability)
    worst = np.argsort(-abs(estimates.ages - pictures.ages))[:WORST]
    some = np.random.default_rng(0).permutation(len(pictures))[:SHOWN]
    for name, chosen in (("worst.png", worst), ("random.png", some)):
        labels = pictures.ages[chosen], pictures.genders[chosen]
        sheet(folder / name, pictures.faces(chosen), *labels, estimates.of(chosen))


def sheet(path, faces, ages, genders, estimates):
    """Write a sheet of faces, each with its labels and, below, the estimate.

    Args:
        path: the PNG file.
        faces: list of (S, S, 3) uint8 BGR.
        ages, genders, estimates: labels, and `estimates.Estimates`.
    """

    def line(text, colour):
        strip = np.full((20, SIDE, 3), 255, np.uint8)
        cv2.putText(strip, text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
        return strip

    cells = []
    for face, age, gender, estimate in zip(faces, ages, genders, estimates.each()):
        big = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        truth = f"label {age}" + (f", {LETTERS[gender]}" if gender != UNKNOWN else "")
        guess = f"estimate {label(estimate, ('age', 'gender'))}"
        cells.append(np.vstack([big, line(truth, (0, 0, 0)), line(guess, (160, 60, 0))]))
    while len(cells) % ROW:
        cells.append(np.full_like(cells[0], 255))
    rows = [np.hstack(cells[start : start + ROW]) for start in range(0, len(cells), ROW)]
    with atomic_write(path) as partial:
        partial.write_bytes(cv2.imencode(".png", np.vstack(rows))[1].tobytes())


def _diagram(path, draw, size=(7, 5)):
    with diagram(path, size) as (axes,):
        draw(axes)
        axes.grid(alpha=0.3)


def draw_predicted(path, ages, estimates):
    """Predicted against labelled age, a point for each picture."""

    def draw(axes):
        axes.plot([0, 100], [0, 100], color="0.5", linewidth=1)
        axes.scatter(ages, estimates.ages, s=6, alpha=0.3, linewidths=0)
        axes.set(xlabel="label, years", ylabel="estimate, years", xlim=(0, 100), ylim=(0, 100))

    _diagram(path, draw, (6, 6))


def draw_bands(path, groups):
    """Age error by band of the label, with its interval; ``groups`` as in `write_table`."""

    def draw(axes):
        ordered = sorted(groups, key=lambda group: int(group.name.split()[0]))
        figures = [group.figures.age_mae for group in ordered]
        values = np.array([figure.value for figure in figures])
        ends = np.array([(figure.low, figure.high) for figure in figures]).T
        names = [f"{group.name}\n({group.pictures:,})" for group in ordered]
        axes.bar(names, values, yerr=abs(ends - values), capsize=3, color="C0", alpha=0.8)
        axes.set(xlabel="age as labelled (pictures)", ylabel="mean absolute error, years")

    _diagram(path, draw, (9, 5))


def draw_reliability(path, gender_rows, age_shares):
    """Accuracy by probability for genders, coverage by level of the interval for ages."""

    def draw(axes):
        axes.plot([0, 100], [0, 100], color="0.5", linewidth=1)
        if gender_rows:
            sure, right, _ = np.array(gender_rows).T
            axes.plot(100 * sure, 100 * right, "o-", label="gender")
        levels = sorted(age_shares)
        axes.plot(
            [100 * each for each in levels],
            [age_shares[each] for each in levels],
            "s-",
            label="age",
        )
        axes.set(
            xlabel="predicted, percent", ylabel="observed, percent", xlim=(40, 100), ylim=(0, 101)
        )
        axes.legend()

    _diagram(path, draw)
