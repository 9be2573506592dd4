"""Results: a row in the tables, and a line on stdout, for each face."""

import contextlib
import csv
import json
import time

from age_gender import files
from age_gender.command_line import UserError, result
from age_gender.files import atomic_write, naming, replace, sync, write_csv

TABLES = ("results.csv", "results.jsonl")
LEFT_OUT = "left_out.csv"
BOX = ["left", "top", "width", "height"]
ESTIMATE = ["score", "age", "gender", "probability"]  # score: confidence of the detector
INTERVAL = ["low", "high"]
FLUSHED = 1.0  # seconds after which rows are on disk


def refuse_existing(output, overwrite):
    """Raise `UserError` if a folder holds earlier results that are not to be replaced."""
    files.refuse_existing(output, TABLES, overwrite)


@contextlib.contextmanager
def open_tables(output, columns, as_json=False):
    """Yield a function that writes a row to both tables; they get their names when complete.

    It takes a row and, if it is to be printed, its line for the terminal.

    Args:
        output: the folder, which is made; None for no tables.
        columns: names of the columns.
        as_json: print every row as JSON instead.
    """

    def show(row, line=None):
        if as_json:
            result(json.dumps(row))
        elif line is not None:
            result(line)

    if output is None:
        yield show
        return
    output.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(contextlib.closing(_Table(output / name))) for name in TABLES]
        table, lines = made
        writer = csv.DictWriter(table, columns)
        writer.writeheader()
        flushed = time.monotonic()

        def write(row, line=None):
            nonlocal flushed
            writer.writerow(row)
            lines.write(json.dumps(row) + "\n")
            if time.monotonic() - flushed >= FLUSHED:
                table.flush()
                lines.flush()
                flushed = time.monotonic()
            show(row, line)

        try:
            yield write
        except UserError:
            for each in made:
                each.part.unlink()
            raise
    for each in made:
        with naming(each.path):
            replace(each.part, each.path)


class _Table:
    """A table that is being written; an `OSError` names it.

    Attributes:
        path: where it will be.
        part: where it is until then.
    """

    def __init__(self, path):
        self.path, self.part = path, path.with_name(f"{path.name}.part")
        self._file = write_csv(self.part)

    def write(self, text):
        with naming(self.path):
            self._file.write(text)

    def flush(self):
        with naming(self.path):
            self._file.flush()

    def close(self):
        with naming(self.path), self._file:
            sync(self._file)


def write_left_out(output, left_out):
    """Write the table of the files that were left out, in place of an earlier one.

    Args:
        output: the folder.
        left_out: list of (name, reason); if it is empty there is no table.
    """
    path = output / LEFT_OUT
    if not left_out:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path) as partial, write_csv(partial) as table:
        writer = csv.writer(table)
        writer.writerow(["file", "reason"])
        writer.writerows(left_out)


def face_columns(first, with_interval):
    """Names of the columns: ``first``, then those of `face_row`."""
    return [*first, *BOX, *ESTIMATE, *(INTERVAL if with_interval else [])]


def face_row(first, box, score, estimate):
    """The row of a face.

    Args:
        first: dict of the columns before the box.
        box: (left, top, width, height) in pixels.
        score: confidence of the detector, or None.
        estimate: `estimates.Estimate`.
    """
    return {
        **first,
        **dict(zip(BOX, box)),
        "score": score,
        "age": round(estimate.age, 1),
        "gender": estimate.gender,
        "probability": round(estimate.probability, 3),
        **dict(zip(INTERVAL, map(round, estimate.interval or ()))),
    }


def face_line(name, row):
    """The line of a face on the terminal: ``name``, then its row."""
    score = "" if row["score"] is None else f"  score {row['score']:.2f}"
    interval = f" ({row['low']}-{row['high']})" if "low" in row else ""
    return (
        f"{name}  box {row['left']} {row['top']} {row['width']} {row['height']}{score}  "
        f"{row['gender']} {row['probability']:.2f}  age {row['age']}{interval}"
    )
