"""A folder of pictures becomes annotated pictures and tables of the faces in them.

Pictures are read, searched and drawn by processes on all cores; the network runs in this one,
on batches of faces across pictures. Memory does not grow with the number of pictures.
"""

import collections
import contextlib
import csv
import itertools
import json
import os
from pathlib import Path

import processes
from command_line import UserError, in_order, progress, result, say, whole_file

TABLES = ("results.csv", "results.jsonl")
COLUMNS = ["file", "face", "left", "top", "width", "height"]
COLUMNS += ["score", "age", "gender", "probability"]  # score: the detector's
BATCH = 64  # faces that go through the network at once
KEPT_FORMATS = (".jpg", ".jpeg", ".png")  # others are written as PNG, beside their old suffix


def estimate_folder(
    folder,
    paths,
    output,
    description,
    make_estimator,
    margin=None,
    cropped=False,
    interval=None,
):
    """Estimate every face in pictures; write annotated pictures and the tables into a folder.

    Args:
        folder: the folder that ``paths`` are relative to.
        paths: the pictures.
        output: folder for what is written.
        description: `weights.Description` of the weights.
        make_estimator: function that returns the `estimator.Estimator`; it is called when the
            other processes are at work.
        margin: of the cut, against what the weights say; None to go by them.
        cropped: the pictures are faces already.
        interval: factor of the age intervals that are told too; None for none.

    Returns:
        Numbers of pictures, of faces, of pictures without a face, of unreadable pictures.
    """
    examine = _Examine(description, margin, cropped)
    ahead = 4 * (os.cpu_count() or 1) + 8
    columns = COLUMNS + (["low", "high"] if interval is not None else [])
    with processes.pool("spawn") as pool, _tables(output, columns) as write_row:
        targets = _targets(paths, folder, output)
        job = _Job(pool, folder, targets, make_estimator, write_row, interval)
        try:
            examined = in_order(pool, examine, paths, ahead)
            for path, future in progress(examined, len(paths), "pictures"):
                job.add(path, *future.result())
            job.finish()
            if job.counts["unreadable"] == len(paths):
                raise UserError(f"--image_dir {folder}: none of its pictures can be read")
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped after {job.counts['pictures']} of {len(paths)} pictures: what was "
                f"finished is in {output}, its rows in {TABLES[0]}.part; the same command starts "
                "again"
            ) from None
    return job.counts


class _Job:
    """Pictures on their way from the search for faces through the network to the tables."""

    def __init__(self, pool, folder, targets, make_estimator, write_row, interval):
        self.pool = pool
        self.folder = folder
        self.targets = targets
        self.make_estimator = make_estimator
        self.write_row = write_row
        self.interval = interval
        self.counts = {"pictures": 0, "faces": 0, "without a face": 0, "unreadable": 0}
        self._estimator = None
        self._waiting = []
        self._drawn = collections.deque()

    def add(self, path, found, cuts, problem):
        """Take a picture that was examined; send a full batch of faces through the network."""
        if self._estimator is None:
            self._estimator = self.make_estimator()
        self.counts["pictures"] += 1
        if problem:
            self.counts["unreadable"] += 1
            say(f"skipped {path.relative_to(self.folder)}: {problem}")
            return
        self._waiting.append((path, found, cuts))
        if sum(len(cuts) for _, _, cuts in self._waiting) >= BATCH or len(self._waiting) >= BATCH:
            self._estimate()

    def finish(self):
        """Estimate what waits, and wait until the last picture is drawn."""
        self._estimate()
        while self._drawn:
            self._drawn.popleft().result()

    def _estimate(self):
        cuts = [cut for _, _, cuts in self._waiting for cut in cuts]
        estimates = self._estimator(cuts)
        answers = iter(estimates.answers(self.interval))
        for path, found, _ in self._waiting:
            own = list(itertools.islice(answers, len(found)))
            self._report(path.relative_to(self.folder), found, own)
            boxes = [box for box, _ in found]
            drawing = self.pool.submit(_draw, path, self.targets[path], boxes, own)
            self._drawn.append(drawing)
        self._waiting.clear()
        while len(self._drawn) > BATCH:
            self._drawn.popleft().result()

    def _report(self, name, found, answers):
        for number, ((box, score), answer) in enumerate(zip(found, answers), 1):
            row = _row(name, number, box, score, *answer)
            self.write_row(row)
            result(_line(row))
        if not found:
            result(f"{name}  no face")
            self.counts["without a face"] += 1
        self.counts["faces"] += len(found)


@contextlib.contextmanager
def _tables(output, columns):
    """Yield a function that writes a row to both tables; they get their names when complete."""
    output.mkdir(parents=True, exist_ok=True)
    parts = [output / f"{name}.part" for name in TABLES]
    with (
        open(parts[0], "w", newline="", encoding="utf-8", errors="surrogateescape") as table,
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
        os.replace(part, output / name)


class _Examine:
    """Read a picture, find its faces and cut them: runs in another process."""

    finder = None  # made once in each process

    def __init__(self, description, margin, cropped):
        self.description = description
        self.margin = margin
        self.cropped = cropped

    def __call__(self, path):
        """Return ([(box inside the picture, score)], cuts (N, S, S, 3), problem or None)."""
        import faces
        from frames import UnreadablePicture, read_picture

        try:
            image = read_picture(path)
        except UnreadablePicture as error:
            return [], [], str(error)
        if _Examine.finder is None and not self.cropped:
            _Examine.finder = faces.FaceFinder()
        found, cuts = faces.Cut.of(self.description, self.margin).examine(image, self.finder)
        return [(face.inside(image), face.score) for face in found], cuts, None


def _targets(paths, folder, output):
    """Where each picture's annotated copy goes: its own name where the format is kept."""
    targets, taken = {}, set()
    for path in sorted(paths, key=lambda path: path.suffix.lower() not in KEPT_FORMATS):
        target = output / path.relative_to(folder)
        if path.suffix.lower() not in KEPT_FORMATS:
            target = target.with_name(f"{target.name}.png")
        while target in taken:  # a.bmp beside a picture called a.bmp.png
            target = target.with_name(f"{target.stem}_.png")
        targets[path] = target
        taken.add(target)
    return targets


def _draw(path, target, boxes, answers):
    """Write the annotated picture: runs in another process."""
    import cv2

    from drawing import annotate, label_of
    from frames import read_picture

    labels = [label_of(*answer) for answer in answers]
    image = annotate(read_picture(path), boxes, labels)
    target.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if target.suffix.lower() != ".png" else []
    encoded = cv2.imencode(target.suffix.lower(), image, options)[1]
    with whole_file(target) as partial:
        partial.write_bytes(encoded)


def _row(name, number, box, score, age, male, low=None, high=None):
    from drawing import sex_of

    left, top, width, height = box
    ends = {} if low is None else {"low": round(float(low)), "high": round(float(high))}
    return {
        "file": str(name),
        "face": number,
        "left": left,
        "top": top,
        "width": width,
        "height": height,
        "score": score,
        "age": round(float(age), 1),
        "gender": sex_of(male),
        "probability": round(float(max(male, 1 - male)), 3),
        **ends,
    }


def _line(row):
    score = "" if row["score"] is None else f"  score {row['score']:.2f}"
    interval = f" ({row['low']}-{row['high']})" if "low" in row else ""
    return (
        f"{row['file']}  face {row['face']}  "
        f"box {row['left']} {row['top']} {row['width']} {row['height']}{score}  "
        f"{row['gender']} {row['probability']:.2f}  age {row['age']}{interval}"
    )


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
