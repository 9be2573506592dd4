"""What an evaluation found, for people: lines, tables, diagrams, and sheets of faces."""

import csv

import numpy as np

from age_gender.files import atomic_write
from age_gender.genders import LETTERS, UNKNOWN

SIDE, ROW = 128, 8  # pixels of a face on a sheet, and faces beside each other


def lines_of(found):
    """What is printed of `evaluation.assess`, line by line."""
    for name, figure in found["figures"].items():
        yield f"{name}: {figure}"
    for kind, groups in (("age", found["bands"]), ("race", found["races"])):
        for name, count, figures in groups:
            gender = figures.get("gender accuracy")
            more = f", gender {gender} percent" if gender else ""
            yield f"{kind} {name}: {count} pictures, age MAE {figures['age MAE']}{more}"
    yield f"gender probabilities are off by {found['gender calibration error']:.1f} points"
    shares = ", ".join(
        f"{100 * level:.0f}: {share:.0f}" for level, share in found["age reliability"].items()
    )
    yield f"labels inside the network's own central intervals, percent: {shares}"
    interval = found["interval"]
    yield (
        f"intervals for {100 * interval['level']:.0f} percent ({interval['checked with']}) hold "
        f"{interval['held']:.1f} percent of the labels and are {interval['width']:.1f} years wide"
    )
    worst = min(interval["by band"].items(), key=lambda each: each[1][0])
    yield f"in the worst band, {worst[0]}, they hold {worst[1][0]:.1f} percent"


def write_table(path, groups):
    """Write the figures of groups, as `evaluation.by_group` has them, as CSV."""
    with atomic_write(path) as partial, open(partial, "w", newline="") as file:
        writer = csv.writer(file)
        names = list(dict.fromkeys(name for _, _, found in groups for name in found))
        ends = [f"{name}{end}" for name in names for end in ("", " from", " to")]
        writer.writerow(["group", "pictures", *ends])
        for group, count, found in groups:
            row = [group, count]
            for name in names:
                figure = found.get(name)
                row += (
                    [f"{x:.3f}" for x in (figure.value, figure.low, figure.high)]
                    if figure
                    else ([""] * 3)
                )
            writer.writerow(row)


def sheet(path, faces, ages, genders, estimates):
    """Write a sheet of faces, each with its labels and, below, the estimate.

    Args:
        path: the PNG file.
        faces: list of (S, S, 3) uint8 BGR.
        ages, genders, estimates: what they are labelled, and `estimates.Estimates`.
    """
    import cv2

    def line(text, colour):
        strip = np.full((20, SIDE, 3), 255, np.uint8)
        cv2.putText(strip, text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
        return strip

    cells = []
    for face, age, gender, estimate in zip(faces, ages, genders, estimates.each()):
        big = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        label = f"label {age}" + (f", {LETTERS[gender]}" if gender != UNKNOWN else "")
        said = f"said {estimate.label}"
        cells.append(np.vstack([big, line(label, (0, 0, 0)), line(said, (160, 60, 0))]))
    while len(cells) % ROW:
        cells.append(np.full_like(cells[0], 255))
    rows = [np.hstack(cells[start : start + ROW]) for start in range(0, len(cells), ROW)]
    with atomic_write(path) as partial:
        partial.write_bytes(cv2.imencode(".png", np.vstack(rows))[1].tobytes())


def _diagram(path, draw, size=(7, 5)):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    draw(axes)
    axes.grid(alpha=0.3)
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
    pyplot.close(figure)


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
        ordered = sorted(groups, key=lambda each: int(each[0].split()[0]))
        figures = [found["age MAE"] for _, _, found in ordered]
        values = np.array([figure.value for figure in figures])
        ends = np.array([(figure.low, figure.high) for figure in figures]).T
        names = [f"{name}\n({count:,})" for name, count, _ in ordered]
        axes.bar(names, values, yerr=abs(ends - values), capsize=3, color="C0", alpha=0.8)
        axes.set(xlabel="age as labelled (pictures)", ylabel="mean absolute error, years")

    _diagram(path, draw, (9, 5))


def draw_reliability(path, gender_rows, age_shares):
    """What was sure against what was right: genders by probability, ages by level of interval."""

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
        axes.set(xlabel="promised, percent", ylabel="found, percent", xlim=(40, 100), ylim=(0, 101))
        axes.legend()

    _diagram(path, draw)
