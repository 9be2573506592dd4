"""A folder of pictures becomes annotated pictures and tables of the faces in them.

Pictures are read, searched and drawn by processes on all cores; the network runs in this one,
on batches of faces across pictures. Memory does not grow with the number of pictures.
"""

import collections
import itertools

from age_gender import processes, system
from age_gender.command_line import UserError, in_order, log, progress, result
from age_gender.files import atomic_write
from age_gender.output import tables as results

BATCH = 64  # faces that go through the network at once
KEPT_FORMATS = (".jpg", ".jpeg", ".png")  # others are written as PNG, beside their old suffix


def estimate_folder(folder, paths, output, job):
    """Estimate every face in pictures; write annotated pictures and the tables into a folder.

    Args:
        folder: the folder that ``paths`` are relative to.
        paths: the pictures.
        output: folder for what is written.
        job: `analyst.Job`: the weights, and how faces are cut.

    Returns:
        Numbers of pictures, of faces, of pictures without a face, of unreadable pictures.
    """
    examine = _Examine(job.cut, job.cropped)
    ahead = 4 * system.cores() + 8
    columns = results.columns(["file", "face"], job.interval)
    with processes.pool() as pool, results.tables(output, columns) as write_row:
        targets = _targets(paths, folder, output)
        work = _Work(pool, folder, targets, job, write_row)
        try:
            examined = in_order(pool, examine, paths, ahead)
            for path, future in progress(examined, len(paths), "pictures"):
                work.add(path, *future.result())
            work.finish()
            if work.counts["unreadable"] == len(paths):
                raise UserError(f"--image_dir {folder}: none of its pictures can be read")
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped after {work.counts['pictures']} of {len(paths)} pictures: what was "
                f"finished is in {output}, its rows in {results.TABLES[0]}.part; the same command "
                "starts again"
            ) from None
    return work.counts


class _Work:
    """Pictures on their way from the search for faces through the network to the tables."""

    def __init__(self, pool, folder, targets, job, write_row):
        self.pool = pool
        self.folder = folder
        self.targets = targets
        self.job = job
        self.write_row = write_row
        self.counts = {"pictures": 0, "faces": 0, "without a face": 0, "unreadable": 0}
        self._estimator = None
        self._waiting = []
        self._drawn = collections.deque()

    def add(self, path, found, cuts, problem):
        """Take a picture that was examined; send a full batch of faces through the network."""
        if self._estimator is None:  # when the other processes are at work
            from age_gender.estimator import Estimator

            self._estimator = Estimator(self.job.weight_file)
        self.counts["pictures"] += 1
        if problem:
            self.counts["unreadable"] += 1
            log(f"skipped {path.relative_to(self.folder)}: {problem}")
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
        each = iter(self.job.each(estimates))
        for path, found, _ in self._waiting:
            own = list(itertools.islice(each, len(found)))
            self._report(path.relative_to(self.folder), found, own)
            boxes = [box for box, _ in found]
            drawing = self.pool.submit(_draw, path, self.targets[path], boxes, own)
            self._drawn.append(drawing)
        self._waiting.clear()
        while len(self._drawn) > BATCH:
            self._drawn.popleft().result()

    def _report(self, name, found, estimates):
        for number, ((box, score), estimate) in enumerate(zip(found, estimates), 1):
            row = results.row({"file": str(name), "face": number}, box, score, estimate)
            self.write_row(row)
            result(results.line(f"{name}  face {number}", row))
        if not found:
            result(f"{name}  no face")
            self.counts["without a face"] += 1
        self.counts["faces"] += len(found)


class _Examine:
    """Read a picture, find its faces and cut them: runs in another process."""

    finder = None  # made once in each process

    def __init__(self, cut, cropped):
        self.cut = cut
        self.cropped = cropped

    def __call__(self, path):
        """Return ([(box inside the picture, score)], cuts (N, S, S, 3), problem or None)."""
        from age_gender.frames import UnreadablePicture, read_picture

        try:
            image = read_picture(path)
        except UnreadablePicture as error:
            return [], [], str(error)
        if _Examine.finder is None and not self.cropped:
            from age_gender import faces

            _Examine.finder = faces.FaceFinder()
        found, cuts = self.cut.examine(image, self.finder)
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


def _draw(path, target, boxes, estimates):
    """Write the annotated picture: runs in another process."""
    import cv2

    from age_gender.frames import read_picture
    from age_gender.output.drawing import annotate

    labels = [estimate.label for estimate in estimates]
    image = annotate(read_picture(path), boxes, labels)
    target.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if target.suffix.lower() != ".png" else []
    encoded = cv2.imencode(target.suffix.lower(), image, options)[1]
    with atomic_write(target) as partial:
        partial.write_bytes(encoded)
