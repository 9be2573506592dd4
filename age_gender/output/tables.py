"""What is said of each face: a row of the tables, a line on the terminal."""

import contextlib
import csv
import json
from pathlib import Path

from age_gender.command_line import UserError
from age_gender.files import replace

TABLES = ("results.csv", "results.jsonl")
PLACE = ["left", "top", "width", "height"]
ESTIMATE = ["score", "age", "gender", "probability"]  # score: the detector's
INTERVAL = ["low", "high"]


def refuse_existing(output, overwrite):
    """Raise `UserError` where a folder holds earlier results and they are not to be replaced."""
    if Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"--output_dir {output} is a file: give a folder")
    held = [name for name in TABLES if (Path(output) / name).exists()]
    if held and not overwrite:
        raise UserError(
            f"--output_dir {output} holds {held[0]}: add --overwrite to replace it, or give "
            "another folder"
        )


@contextlib.contextmanager
def tables(output, columns):
    """Yield a function that writes a row to both tables; they get their names when complete.

    Args:
        output: the folder, which is made.
        columns: names of the columns.
    """
    output.mkdir(parents=True, exist_ok=True)
    parts = [output / f"{name}.part" for name in TABLES]
    with (
        open(parts[0], "w", newline="", encoding="utf-8", errors="backslashreplace") as table,
        open(parts[1], "w", encoding="utf-8") as lines,
    ):
        writer = csv.DictWriter(table, columns)
        writer.writeheader()

        def write(row):
            writer.writerow(row)
            lines.write(json.dumps(row) + "\n")

        try:
            yield write
        except UserError:
            for part in parts:
                part.unlink()
            raise
    for part, name in zip(parts, TABLES):
        replace(part, output / name)


def columns(first, interval):
    """Names of the columns: ``first``, then what `row` gives."""
    return [*first, *PLACE, *ESTIMATE, *(INTERVAL if interval is not None else [])]


def row(first, box, score, estimate):
    """The row of a face.

    Args:
        first: dict of what the row begins with.
        box: (left, top, width, height) in pixels.
        score: the detector's, or None.
        estimate: `estimates.Estimate`.
    """
    ends = zip(INTERVAL, map(round, estimate.interval or ()))
    return {
        **first,
        **dict(zip(PLACE, box)),
        "score": score,
        "age": round(estimate.age, 1),
        "gender": estimate.gender,
        "probability": round(estimate.probability, 3),
        **dict(ends),
    }


def line(name, row):
    """The line of a face on the terminal, which begins with ``name``."""
    score = "" if row["score"] is None else f"  score {row['score']:.2f}"
    interval = f" ({row['low']}-{row['high']})" if "low" in row else ""
    return (
        f"{name}  box {row['left']} {row['top']} {row['width']} {row['height']}{score}  "
        f"{row['gender']} {row['probability']:.2f}  age {row['age']}{interval}"
    )
