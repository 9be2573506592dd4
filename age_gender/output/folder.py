"""Estimates a folder of pictures: annotated copies, tables, a line or row for every input.

Pictures are read, searched for faces and drawn on by processes on all cores; the network runs in
this process, on batches of faces across pictures. Memory does not grow with the number of pictures.
"""

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import os
import time

import cv2

from age_gender import interrupts, processes, system
from age_gender.command_line import UserError, log, plural, printable, progress
from age_gender.face_estimator import FaceEstimator
from age_gender.files import NO_ROOM, atomic_write
from age_gender.listing import OUTPUT, counted
from age_gender.output.drawing import annotate
from age_gender.output.labels import labels
from age_gender.output.tables import (
    TABLES,
    face_columns,
    face_line,
    face_row,
    open_tables,
    write_left_out,
)
from age_gender.pictures import UnreadablePicture, marked, read

BATCH = 64  # faces that go through the network at once,
PAUSE = 1.0  # but none wait longer than this for others, in seconds
KEPT_FORMATS = (".jpg", ".jpeg", ".png")  # others become PNG under their name with .png added
LONGEST = 255 - len(".part")  # bytes of a name that is written


@dataclasses.dataclass
class Counts:
    """What became of the files of a folder.

    Attributes:
        with_face, without_face, unreadable: numbers of pictures.
        faces: number of faces.
        left_out: list of (name, reason) of files that are not read.
        unwritten: number of pictures whose annotated copy could not be written.
    """

    with_face: int = 0
    without_face: int = 0
    unreadable: int = 0
    faces: int = 0
    left_out: list = dataclasses.field(default_factory=list)
    unwritten: int = 0

    @property
    def read(self):
        """Number of pictures that could be read."""
        return self.with_face + self.without_face

    @property
    def exit_code(self):
        """0 if all went well, else a code of `system`."""
        if not self.unreadable + self.unwritten:
            return 0
        return system.SOME_FAILED if self.read else system.ALL_FAILED

    def __str__(self):
        files = self.read + self.unreadable + len(self.left_out)
        text = (
            f"{plural(files, 'file')}: {self.with_face} with {plural(self.faces, 'face')}, "
            f"{self.without_face} without a face, {self.unreadable} unreadable, "
            f"{len(self.left_out)} left out"
        )
        if self.left_out:
            text += f" ({counted(reason for _, reason in self.left_out)})"
        if self.unwritten:
            text += f"; {plural(self.unwritten, 'annotated picture')} could not be written"
        return text


def estimate_folder(listing, output, recipe, as_json=False, parts=None):
    """Estimate every face in a folder of pictures; write annotated pictures and the tables.

    Each face, and each picture without one, is a line on stdout.

    Args:
        listing: `listing.Listing` of the folder.
        output: folder for the results; None to print lines alone.
        recipe: `face_estimator.Recipe`.
        as_json: lines are the rows of the tables as JSON, of unreadable pictures too.
        parts: of the labels, see `labels.labels`.

    Returns:
        `Counts`.
    """
    paths = listing.pictures
    ahead = 4 * system.cores() + 8
    columns = face_columns(["file", "face", "status"], recipe.interval_factor is not None)
    with (
        processes.pool(_prepare, recipe) as pool,
        open_tables(output, columns, as_json) as write_row,
    ):
        work = _Work(pool, listing, output, recipe, write_row, parts)
        with interrupts.explained(work.stopped):
            try:
                examined = processes.in_order(pool, _examine, paths, ahead)
                for outcome in progress(examined, len(paths), "pictures"):
                    work.add(*outcome)
                work.finish()
            except KeyboardInterrupt:
                pool.close()
                work.tidy()
                raise KeyboardInterrupt(work.stopped()) from None
    if output is not None:
        write_left_out(output, work.counts.left_out)
    return work.counts


class _Work:
    """Pictures between the search for faces and the tables.

    Attributes:
        counts: `Counts`.
        done: number of pictures whose rows are written.
    """

    def __init__(self, pool, listing, output, recipe, write_row, parts):
        left_out = [(listing.name(path), reason) for path, reason in listing.left_out]
        self.counts = Counts(left_out=left_out)
        self.done = 0
        self._pool = pool
        self._name = listing.name
        self._output = output
        self._total = len(listing.pictures)
        self._targets = {}
        if output is not None:
            self._targets = _targets(listing.pictures, listing.folder, output)
        self._columns = dict.fromkeys(face_columns([], recipe.interval_factor is not None))
        self._write_row = write_row
        self._parts = parts
        self._estimator = FaceEstimator(recipe=recipe)
        self._waiting = []  # (path, `_Examined`, None) or (path, None, problem), in order
        self._estimated = time.monotonic()
        self._drawn = collections.deque()  # (path, task)

    def add(self, path, examined, problem):
        """Add the outcome of a picture; estimate when there is a full batch of faces, or later."""
        _ = self._estimator.network  # loaded with the first picture, while others are searched
        self._waiting.append((path, examined, problem))
        faces = sum(len(each.cuts) for _, each, _ in self._waiting if each)
        late = time.monotonic() - self._estimated >= PAUSE
        if faces >= BATCH or len(self._waiting) >= BATCH or late:
            self._estimate()

    def finish(self):
        """Estimate the rest, and wait until the last picture is drawn."""
        self._estimate()
        while self._drawn:
            self._written(*self._drawn.popleft())

    def stopped(self):
        """The line about an end before the last picture."""
        text = f"stopped after {self.done} of {self._total} pictures"
        if self._output is not None:
            text += (
                f": finished pictures are in {self._output}, their rows in {TABLES[0]}.part; the "
                "same command starts over"
            )
        return text

    def tidy(self):
        """Remove what processes that were killed have begun to write."""
        for path, _ in self._drawn:
            target = self._targets[path]
            with contextlib.suppress(OSError):
                target.with_name(f"{target.name}.part").unlink()

    def _estimate(self):
        cuts = [cut for _, each, _ in self._waiting if each for cut in each.cuts]
        estimates = iter(self._estimator.each(self._estimator.network(cuts)))
        for path, examined, problem in self._waiting:
            if examined is None:
                self._report_problem(path, problem)
            else:
                own = list(itertools.islice(estimates, len(examined.faces)))
                self._report(path, examined, own)
                if self._output is not None:
                    boxes = [box for box, _ in examined.faces]
                    texts = labels(own, self._parts)
                    task = self._pool.submit(_draw, path, self._targets[path], boxes, texts)
                    self._drawn.append((path, task))
            self.done += 1
        self._waiting.clear()
        while len(self._drawn) > BATCH:
            self._written(*self._drawn.popleft())
        self._estimated = time.monotonic()

    def _report(self, path, examined, estimates):
        name = self._name(path)
        shown = printable(name)
        if examined.remark:
            log(f"{shown}: {examined.remark}: what is left of it is read")
        for number, ((box, score), estimate) in enumerate(zip(examined.faces, estimates), 1):
            first = {"file": name, "face": number, "status": "face"}
            row = face_row(first, box, score, estimate)
            self._write_row(row, face_line(f"{shown}  face {number}", row))
        self.counts.faces += len(estimates)
        if estimates:
            self.counts.with_face += 1
        else:
            row = {"file": name, "face": None, "status": "no face"} | self._columns
            self._write_row(row, f"{shown}  no face")
            self.counts.without_face += 1

    def _report_problem(self, path, problem):
        name = self._name(path)
        if problem == OUTPUT:
            self.counts.left_out.append((name, OUTPUT))
            return
        self.counts.unreadable += 1
        status = f"unreadable: {problem}"
        self._write_row({"file": name, "face": None, "status": status} | self._columns)
        log(f"skipped {printable(name)}: {problem}")

    def _written(self, path, task):
        _, problem = self._pool.wait(task)
        if problem is None:
            return
        target = self._targets[path]
        if problem.errno in NO_ROOM:
            raise UserError(f"{target}: {problem}: make room, and run the same command again")
        self.counts.unwritten += 1
        log(f"{printable(str(target))} could not be written: {problem}")


_estimator = None  # of each process of the pool


def _prepare(recipe):
    """Runs first in each process of the pool."""
    global _estimator
    cv2.setNumThreads(1)  # each process works on pictures of its own
    _estimator = FaceEstimator(recipe=recipe)
    _ = _estimator.finder  # a picture is not to blame if this fails


@dataclasses.dataclass(frozen=True)
class _Examined:
    """A picture that was searched: N (box, score), cuts (N, S, S, 3), `Picture.remark`."""

    faces: list
    cuts: list
    remark: str | None


def _examine(path):
    """Read a picture, find its faces and cut them, an `_Examined`: runs in another process.

    Boxes are those in the picture file, of which a large one is read at a smaller scale.
    """
    picture = read(path)
    if picture.annotated:
        raise UnreadablePicture(OUTPUT)
    faces, cuts = _estimator.find(picture.image)
    boxes = [[number * picture.scale for number in face.inside(picture.image)] for face in faces]
    return _Examined(
        [(tuple(box), face.score) for box, face in zip(boxes, faces)], cuts, picture.remark
    )


def _targets(paths, folder, output):
    """The annotated copy of each picture: under its own name if the format is kept."""
    targets, taken = {}, set()
    for path in sorted(paths, key=lambda path: path.suffix.lower() not in KEPT_FORMATS):
        target = output / path.relative_to(folder)
        if path.suffix.lower() not in KEPT_FORMATS:
            target = target.with_name(f"{target.name}.png")
        target = target.with_name(_shortened(target.name))
        while target in taken:  # a.bmp beside a picture called a.bmp.png
            target = target.with_name(_shortened(f"{target.stem}_.png"))
        targets[path] = target
        taken.add(target)
    return targets


def _shortened(name):
    """A file name that a file system takes, and one with .part behind it: its end may be a hash."""
    if len(os.fsencode(name)) <= LONGEST:
        return name
    stem, suffix = os.path.splitext(name)
    end = "~" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8] + suffix
    while len(os.fsencode(stem + end)) > LONGEST:
        stem = stem[:-1]
    return stem + end


def _draw(path, target, boxes, labels):
    """Write the annotated picture: runs in another process."""
    picture = read(path)
    boxes = [[number // picture.scale for number in box] for box in boxes]
    image = annotate(picture.image, boxes, labels, in_place=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if target.suffix.lower() != ".png" else []
    encoded = cv2.imencode(target.suffix.lower(), image, options)[1]
    with atomic_write(target) as partial, open(partial, "wb") as file:
        file.writelines(marked(encoded))
