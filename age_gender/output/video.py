"""A camera or a video becomes an annotated video, and tables of the faces in it."""

import collections
import contextlib

from age_gender.command_line import UserError, result
from age_gender.files import replace
from age_gender.output import tables as results

VIDEO = "video.mp4"
FIRST = ["source", "frame", "time", "identity"]
MOST_REPEATED = 300  # frames that fill a pause of the camera

Recording = collections.namedtuple("Recording", "add counts")
Recording.__doc__ = "A function that takes a `live.Shown` and its picture, and a dict of counts."


@contextlib.contextmanager
def open_recording(output, rate, interval=None, steady=True):
    """Yield a `Recording`; its files get their names when they are complete.

    Args:
        output: the folder, which is made.
        rate: frames a second of the video.
        interval: whether rows have the ends of the age interval: not None.
        steady: each picture is one frame; else they come as a camera gives them, and are repeated
            or left out so that the video lasts as long as it took.

    Raises `UserError` where nothing came, or the video cannot be written.
    """
    counts = {"frames": 0, "analysed": 0, "faces": 0}
    identities, last = set(), None
    partial = output / f"{VIDEO.removesuffix('.mp4')}.part.mp4"
    with results.tables(output, results.columns(FIRST, interval)) as write:
        video = _Video(partial, rate, steady)

        def add(shown, picture):
            nonlocal last
            if shown.frame.number != last:
                video.write(picture, shown.frame.time)
                counts["frames"] += 1
                last = shown.frame.number
            if shown.analysis is None:
                return
            counts["analysed"] += 1
            for row in rows(shown.analysis, video.begun):
                identities.add(row["identity"])
                write(row)
                result(results.line(f"{row['source']}  face {row['identity']}", row))
            counts["faces"] = len(identities)

        try:
            yield Recording(add, counts)
        finally:
            video.close()
        if not counts["frames"]:
            raise UserError("it ended before the network saw a frame: nothing is written")
    replace(partial, output / VIDEO)


def rows(analysis, begun):
    """The rows of the faces in a frame; ``begun`` is the time of the first, in seconds."""
    frame = analysis.frame
    for seen in analysis.seen:
        first = {
            "source": frame.name,
            "frame": frame.number,
            "time": round(frame.time - begun, 3),
            "identity": seen.identity,
        }
        yield results.row(first, seen.face.inside(frame.image), seen.face.score, seen.estimate)


class _Video:
    """A video file of pictures that may differ in size: later ones are brought to the first's."""

    def __init__(self, path, rate, steady):
        self.path = path
        self.rate = rate
        self.steady = steady
        self.begun = 0.0
        self._writer = None
        self._written = 0

    def write(self, picture, time):
        import cv2

        if self._writer is None:
            self.begun = time
            self._size = (picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2)
            code = cv2.VideoWriter_fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self.path), code, self.rate, self._size)
            if not self._writer.isOpened():
                raise UserError(f"{self.path} cannot be written as a video")
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = cv2.resize(picture, self._size)
        due = self._written + 1
        if not self.steady:
            due = min(int((time - self.begun) * self.rate) + 1, self._written + MOST_REPEATED)
        while self._written < due:
            self._writer.write(picture)
            self._written += 1

    def close(self):
        if self._writer is not None:
            self._writer.release()
