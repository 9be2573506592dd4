"""Estimates a folder of pictures: annotated copies, tables, a line or row for every input.

Processes on all cores handle one picture each, from its file to its annotated copy; this one
writes the rows as pictures are done. Memory does not grow with the number of pictures.
"""

import collections
import contextlib
import dataclasses
import hashlib
import os

import cv2

from age_gender import interrupts, processes, system
from age_gender.command_line import UserError, log, plural, printable, progress
from age_gender.face_estimator import FaceEstimator
from age_gender.files import NO_ROOM, atomic_write
from age_gender.listing import OUTPUT, counted
from age_gender.output import journal
from age_gender.output.drawing import annotate
from age_gender.output.labels import labels
from age_gender.output.tables import TABLES, face_columns, face_line, face_row, open_tables
from age_gender.pictures import UnreadablePicture, marked, read

AHEAD = 16  # pictures for each core that are worked on, or wait for those before them
KEPT_FORMATS = (".jpg", ".jpeg", ".png")  # others become PNG under their name with .png added
LONGEST = 255 - len(".part")  # bytes of a name that is written


@dataclasses.dataclass
class Counts:
    """What became of the files of a folder.

    Attributes:
        with_face, without_face, unreadable: numbers of pictures.
        faces: number of faces.
        left_out: list of the reasons why files are not read.
        unwritten: number of pictures whose annotated copy could not be written.
    """

    with_face: int = 0
    without_face: int = 0
    unreadable: int = 0
    faces: int = 0
    left_out: list = dataclasses.field(default_factory=list)
    unwritten: int = 0

    def add(self, rows):
        """Count a file by its rows."""
        status, _, reason = rows[0]["status"].partition(": ")
        if status == "face":
            self.with_face += 1
            self.faces += len(rows)
        elif status == "no face":
            self.without_face += 1
        elif status == "unreadable":
            self.unreadable += 1
        else:
            self.left_out.append(reason)

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
            text += f" ({counted(self.left_out)})"
        if self.unwritten:
            text += f"; {plural(self.unwritten, 'annotated picture')} could not be written"
        return text


def estimate_folder(listing, output, recipe, as_json=False, parts=None, resume=False):
    """Estimate every face in a folder of pictures; write annotated pictures and the tables.

    Each face, and each picture without one, is a line on stdout.

    Args:
        listing: `listing.Listing` of the folder.
        output: folder for the results; None to print lines alone.
        recipe: `face_estimator.Recipe`.
        as_json: lines are the rows of the tables as JSON, of all files.
        parts: of the labels, see `labels.labels`.
        resume: keep what an earlier run has done that was interrupted.

    Returns:
        `Counts`.

    Raises `UserError` if that run had other settings.
    """
    columns = face_columns(["file", "face", "status"], recipe.interval_factor is not None)
    kept, done, targets = {}, None, {}
    with contextlib.ExitStack() as stack:
        if output is not None:
            paths = {listing.name(path): path for path in listing.pictures}
            settings = journal.settings(recipe) | {"label": parts and list(parts)}
            done = journal.Journal(output, settings, paths, resume)
            stack.enter_context(contextlib.closing(done))
            kept = done.kept
            targets = _targets(listing.pictures, listing.folder, output)
        rows = [row for each in kept.values() for row in each]
        write_row = stack.enter_context(open_tables(output, columns, as_json, rows))
        if done is not None:
            done.open()
        work = _Work(listing, output, columns, write_row, done)
        jobs = work.jobs(kept, targets)
        with interrupts.explained(work.stopped):
            if jobs:
                work.do(jobs, recipe, parts)
            work.leave_out()
    return work.counts


class _Work:
    """The rows of a folder's files, in their order.

    Attributes:
        counts: `Counts`.
    """

    def __init__(self, listing, output, columns, write_row, journal):
        self.counts = Counts()
        self._listing, self._output = listing, output
        self._left_out = collections.deque(listing.left_out)
        self._columns = columns
        self._write_row = write_row
        self._journal = journal
        self._done = 0

    def jobs(self, kept, targets):
        """The `_Job` of each picture whose rows are not kept; the others are counted.

        Args:
            kept: dict of lists of rows by the name of their picture.
            targets: dict of the annotated copies by picture.
        """
        for rows in kept.values():
            self.counts.add(rows)
        self._done = len(kept)
        if kept:
            log(f"{self._done} of {plural(len(self._listing.pictures), 'picture')} are done")
        return [
            _Job(path, targets.get(path))
            for path in self._listing.pictures
            if self._listing.name(path) not in kept
        ]

    def do(self, jobs, recipe, parts):
        """Let processes do the work; write rows as pictures are done."""
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # ends OpenCV's threads, which are not there in forked processes
        try:
            with processes.pool(_prepare, recipe, parts, most=len(jobs), fork=True) as pool:
                begun = collections.deque()
                outcomes = processes.in_order(
                    pool, _estimate, _noted(jobs, begun), AHEAD * system.cores()
                )
                try:
                    for outcome in progress(outcomes, len(jobs), "pictures"):
                        self._add(*outcome)
                        begun.popleft()
                except BaseException:
                    pool.close()
                    _tidy(begun)
                    raise
        finally:
            cv2.setNumThreads(threads)

    def leave_out(self, before=None):
        """Write the rows of the files that are not read, up to a path."""
        while self._left_out and (before is None or self._left_out[0][0] < before):
            path, reason = self._left_out.popleft()
            self._write([self._row(path, f"skipped: {reason}")], [None])

    def stopped(self):
        """The line about an end before the last picture."""
        text = f"stopped after {self._done} of {plural(len(self._listing.pictures), 'picture')}"
        if self._output is not None:
            text += (
                f": their rows are in {self._output / TABLES[0]}.part; the same command with "
                "--resume goes on from there"
            )
        return text

    def _add(self, job, found, problem):
        """Write the rows of a picture. Raises `UserError` where the disk is full."""
        self.leave_out(before=job.path)
        name = self._listing.name(job.path)
        shown = printable(name)
        lines = [None]
        if problem == OUTPUT:
            rows = [self._row(job.path, f"skipped: {problem}")]
        elif problem is not None:
            rows = [self._row(job.path, f"unreadable: {problem}")]
            log(f"skipped {shown}: {problem}")
        elif not found.faces:
            rows, lines = [self._row(job.path, "no face")], [f"{shown}  no face"]
        else:
            rows = [
                face_row({"file": name, "face": number, "status": "face"}, *face)
                for number, face in enumerate(found.faces, 1)
            ]
            lines = [face_line(f"{shown}  face {row['face']}", row) for row in rows]
        if found and found.remark:
            log(f"{shown}: {found.remark}: what is left of it is read")
        self._write(rows, lines)
        self._done += 1
        if found and found.unwritten:
            self._unwritten(job.target, found.unwritten)
        elif self._journal is not None:
            self._journal.add(name, job.stamp)

    def _write(self, rows, lines):
        for row, line in zip(rows, lines):
            self._write_row(row, line)
        self.counts.add(rows)

    def _row(self, path, status):
        """The row of a file without faces."""
        return dict.fromkeys(self._columns) | {"file": self._listing.name(path), "status": status}

    def _unwritten(self, target, problem):
        if problem.errno in NO_ROOM:
            raise UserError(
                f"{target}: {problem}: make room, and run the same command with --resume"
            )
        self.counts.unwritten += 1
        log(f"{printable(str(target))} could not be written: {problem}")


class _Job:
    """A picture that is to be estimated.

    Attributes:
        path: its file.
        target: its annotated copy; None for none.
        stamp: `journal.stamp` of the file, from before it is read.
    """

    def __init__(self, path, target):
        self.path, self.target, self.stamp = path, target, None


def _noted(jobs, begun):
    """Iterate over jobs; those that were begun are added to a list."""
    for job in jobs:
        job.stamp = journal.stamp(job.path)
        begun.append(job)
        yield job


def _tidy(begun):
    """Remove what processes that were killed have begun to write."""
    for job in begun:
        if job.target is not None:
            with contextlib.suppress(OSError):
                job.target.with_name(f"{job.target.name}.part").unlink()


_estimator = _parts = None  # of each process of the pool


def _prepare(recipe, parts):
    """Runs first in each process of the pool, or before it is forked."""
    global _estimator, _parts
    cv2.setNumThreads(1)  # each process works on a picture of its own
    _estimator, _parts = FaceEstimator(recipe=recipe), parts
    _estimator.load()  # a picture is not to blame if this fails


@dataclasses.dataclass(frozen=True)
class _Found:
    """A picture that was estimated.

    Attributes:
        faces: list of (box, score, `Estimate`), from left to right; boxes are those in the picture
            file, of which a large one is read at a smaller scale.
        remark: `Picture.remark`.
        unwritten: the `Problem` of its annotated copy, or None.
    """

    faces: list
    remark: str | None
    unwritten: processes.Problem | None


def _estimate(job):
    """Estimate the faces of a picture, write its annotated copy: runs in another process."""
    picture = read(job.path)
    if picture.annotated:
        raise UnreadablePicture(OUTPUT)
    image = picture.image
    found, cuts = _estimator.find(image)
    estimates = _estimator.each(_estimator.network(cuts))
    boxes = [face.inside(image) for face in found]
    faces = [
        (tuple(number * picture.scale for number in box), face.score, estimate)
        for box, face, estimate in zip(boxes, found, estimates)
    ]
    unwritten = None
    if job.target is not None:
        texts = labels(estimates, _parts)
        _, unwritten = processes.attempt(_draw, image, boxes, texts, job.target)
    return _Found(faces, picture.remark, unwritten)


def _draw(image, boxes, texts, target):
    """Draw on a picture, and write it."""
    image = annotate(image, boxes, texts, in_place=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    suffix = target.suffix.lower()
    # OpenCV's own way to compress PNG is its fastest: half the time of level 1
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix != ".png" else []
    encoded = cv2.imencode(suffix, image, options)[1]
    with atomic_write(target) as partial, open(partial, "wb") as file:
        file.writelines(marked(encoded))


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
