"""Estimates a folder of pictures: annotated copies, and tables of the faces.

Pictures are read, searched for faces and drawn on by processes on all cores; the network runs in
this process, on batches of faces across pictures. Memory does not grow with the number of pictures.
"""

import collections
import dataclasses
import itertools

import cv2

from age_gender import processes, system
from age_gender.command_line import UserError, log, plural, progress, result
from age_gender.face_estimator import FaceEstimator
from age_gender.files import atomic_write
from age_gender.output.drawing import annotate
from age_gender.output.tables import TABLES, face_columns, face_line, face_row, open_tables
from age_gender.pictures import UnreadablePicture, read_picture

BATCH = 64  # faces that go through the network at once
KEPT_FORMATS = (".jpg", ".jpeg", ".png")  # others become PNG under their name with .png added


@dataclasses.dataclass
class Counts:
    """Numbers of pictures, of faces, of pictures without a face and of unreadable pictures."""

    pictures: int = 0
    faces: int = 0
    without_face: int = 0
    unreadable: int = 0

    def __str__(self):
        return (
            f"{plural(self.pictures, 'picture')}, {plural(self.faces, 'face')}, "
            f"{self.without_face} without a face, {self.unreadable} unreadable"
        )


def estimate_folder(folder, paths, output, recipe):
    """Estimate every face in pictures; write annotated pictures and the tables.

    Args:
        folder: the folder that ``paths`` are relative to.
        paths: the pictures.
        output: folder for the results.
        recipe: `face_estimator.Recipe`.

    Returns:
        `Counts`.
    """
    ahead = 4 * system.cores() + 8
    columns = face_columns(["file", "face"], recipe.interval_factor is not None)
    with processes.pool(_prepare, recipe) as pool, open_tables(output, columns) as write_row:
        work = _Work(pool, folder, _targets(paths, folder, output), recipe, write_row)
        try:
            examined = processes.in_order(pool, _examine, paths, ahead)
            for path, future in progress(examined, len(paths), "pictures"):
                work.add(path, *future.result())
            work.finish()
            if work.counts.unreadable == len(paths):
                raise UserError(f"{folder}: none of its pictures can be read")
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped after {work.counts.pictures} of {len(paths)} pictures: finished pictures "
                f"are in {output}, their rows in {TABLES[0]}.part; the same command starts over"
            ) from None
    return work.counts


class _Work:
    """Pictures between the search for faces and the tables."""

    def __init__(self, pool, folder, targets, recipe, write_row):
        self.counts = Counts()
        self._pool = pool
        self._folder = folder
        self._targets = targets
        self._write_row = write_row
        self._estimator = FaceEstimator(recipe=recipe)
        self._waiting = []
        self._drawn = collections.deque()

    def add(self, path, faces, cuts, problem):
        """Add a picture that was searched; estimate when there is a full batch of faces."""
        _ = self._estimator.network  # loaded with the first picture, while others are searched
        self.counts.pictures += 1
        if problem:
            self.counts.unreadable += 1
            log(f"skipped {path.relative_to(self._folder)}: {problem}")
            return
        self._waiting.append((path, faces, cuts))
        if sum(len(cuts) for _, _, cuts in self._waiting) >= BATCH or len(self._waiting) >= BATCH:
            self._estimate()

    def finish(self):
        """Estimate the rest, and wait until the last picture is drawn."""
        self._estimate()
        while self._drawn:
            self._drawn.popleft().result()

    def _estimate(self):
        cuts = [cut for _, _, cuts in self._waiting for cut in cuts]
        estimates = iter(self._estimator.each(self._estimator.network(cuts)))
        for path, faces, _ in self._waiting:
            own = list(itertools.islice(estimates, len(faces)))
            self._report(path.relative_to(self._folder).as_posix(), faces, own)
            boxes, labels = [box for box, _ in faces], [estimate.label for estimate in own]
            self._drawn.append(self._pool.submit(_draw, path, self._targets[path], boxes, labels))
        self._waiting.clear()
        while len(self._drawn) > BATCH:
            self._drawn.popleft().result()

    def _report(self, name, faces, estimates):
        for number, ((box, score), estimate) in enumerate(zip(faces, estimates), 1):
            row = face_row({"file": name, "face": number}, box, score, estimate)
            self._write_row(row)
            result(face_line(f"{name}  face {number}", row))
        if not faces:
            result(f"{name}  no face")
            self.counts.without_face += 1
        self.counts.faces += len(faces)


_estimator = None  # of each process of the pool


def _prepare(recipe):
    """Runs first in each process of the pool."""
    global _estimator
    _estimator = FaceEstimator(recipe=recipe)


def _examine(path):
    """Read a picture, find its faces and cut them: runs in another process.

    Returns:
        (list of N (box inside the picture, score), cuts (N, S, S, 3), problem or None).
    """
    try:
        image = read_picture(path)
    except UnreadablePicture as error:
        return [], [], str(error)
    faces, cuts = _estimator.find(image)
    return [(face.inside(image), face.score) for face in faces], cuts, None


def _targets(paths, folder, output):
    """The annotated copy of each picture: under its own name if the format is kept."""
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


def _draw(path, target, boxes, labels):
    """Write the annotated picture: runs in another process."""
    image = annotate(read_picture(path), boxes, labels)
    target.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if target.suffix.lower() != ".png" else []
    encoded = cv2.imencode(target.suffix.lower(), image, options)[1]
    with atomic_write(target) as partial:
        partial.write_bytes(encoded)
