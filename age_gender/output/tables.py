"""Results: a row in the tables, and a line on stdout, for each face."""

import contextlib
import csv
import io
import json

from age_gender import files
from age_gender.command_line import UserError, result
from age_gender.files import atomic_write, naming, replace, sync, write_csv

TABLES = ("results.csv", "results.jsonl")
BOX = ["left", "top", "width", "height"]
ESTIMATE = ["score", "age", "gender", "probability"]  # score: confidence of the detector
INTERVAL = ["low", "high"]


def refuse_existing(output, overwrite):
    """Raise `UserError` if a folder holds earlier results that are not to be replaced."""
    files.refuse_existing(output, TABLES, overwrite)


@contextlib.contextmanager
def open_tables(output, columns, as_json=False, kept=()):
    """Yield a function that writes a row to both tables; they get their names when complete.

    It takes a row and, if it is to be printed, its line for the terminal. Until the tables are
    complete, every row that was written is in them under their names with .part behind.

    Args:
        output: the folder, which is made; None for no tables.
        columns: names of the columns.
        as_json: print every row as JSON instead.
        kept: rows that the tables begin with; they are not printed.
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
    header = _csv([columns])
    texts = {
        TABLES[1]: _json,
        TABLES[0]: lambda row: _csv([[row.get(column) for column in columns]]),
    }
    empty = not kept
    with contextlib.ExitStack() as stack:
        made = []
        for name, text in texts.items():
            beginning = header if text is not _json else ""
            beginning += "".join(map(text, kept))
            table = Growing(output / name, output / f"{name}.part", beginning)
            made.append(stack.enter_context(contextlib.closing(table)))

        def write(row, line=None):
            nonlocal empty
            empty = False
            for table, text in zip(made, texts.values()):
                table.write(text(row))
            show(row, line)

        try:
            yield write
        except UserError:
            if empty:
                for each in made:
                    each.part.unlink()
            raise
    for each in made:
        with naming(each.path):
            replace(each.part, each.path)


def _json(row):
    return json.dumps(row) + "\n"


def _csv(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


class Growing:
    """A file of lines that is read while it grows; each is there when `write` returns.

    An `OSError` names it.

    Args:
        path: its name in errors.
        part: where it is written.
        beginning: text that it begins with; until all of this is there, an earlier file is.
    """

    def __init__(self, path, part, beginning):
        self.path, self.part = path, part
        with atomic_write(part) as partial, naming(path), write_csv(partial) as file:
            file.write(beginning)
        with naming(path):
            self._file = write_csv(part, "a")

    def write(self, text):
        with naming(self.path):
            self._file.write(text)
            self._file.flush()

    def close(self):
        with naming(self.path), self._file:
            sync(self._file)


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
