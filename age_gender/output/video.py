"""Writes an annotated video of a camera or a video file, and tables of its faces."""

import contextlib

import cv2

from age_gender.command_line import UserError, plural, result
from age_gender.files import replace
from age_gender.output.tables import face_columns, face_line, face_row, open_tables

VIDEO = "video.mp4"
COLUMNS = ["source", "frame", "time", "identity"]  # before those of the face
MOST_REPEATED = 300  # frames that fill a pause of the camera


@contextlib.contextmanager
def open_recording(output, rate, with_interval=False, steady=True):
    """Yield a `Recording`; its files get their names when they are complete.

    Args:
        output: the folder, which is made.
        rate: frames per second of the video.
        with_interval: rows have the ends of the age interval.
        steady: each picture becomes one frame; otherwise pictures are repeated or left out so that
            the video lasts as long as the recording.

    Raises `UserError` if no frame came or the video cannot be written.
    """
    partial = output / f"{VIDEO.removesuffix('.mp4')}.part.mp4"
    with open_tables(output, face_columns(COLUMNS, with_interval)) as write_row:
        video = _Video(partial, rate, steady)
        recording = Recording(video, write_row)
        try:
            yield recording
        finally:
            video.close()
        if not recording.frames:
            raise UserError("it ended before the network analysed a frame: nothing is written")
    replace(partial, output / VIDEO)


class Recording:
    """Adds frames to the video and their faces to the tables.

    Attributes:
        frames, analysed, faces: numbers of frames, of those that were analysed, of identities.
    """

    def __init__(self, video, write_row):
        self.frames = self.analysed = 0
        self._video = video
        self._write_row = write_row
        self._identities = set()
        self._last = None  # number of the last frame

    def add(self, shown, picture):
        """Add a `player.Shown` and its annotated picture."""
        if shown.frame.number != self._last:
            self._video.write(picture, shown.frame.time)
            self.frames += 1
            self._last = shown.frame.number
        if shown.analysis is None:
            return
        self.analysed += 1
        for row in _rows(shown.analysis, self._video.start):
            self._identities.add(row["identity"])
            self._write_row(row)
            result(face_line(f"{row['source']}  identity {row['identity']}", row))

    @property
    def faces(self):
        return len(self._identities)

    def __str__(self):
        frames, faces = plural(self.frames, "frame"), plural(self.faces, "face")
        return f"{frames}, {self.analysed} analysed, {faces}"


def _rows(analysis, start):
    """The rows of the faces in a frame; ``start`` is the time of the first frame, in seconds."""
    frame = analysis.frame
    for each in analysis.faces:
        first = {
            "source": frame.name,
            "frame": frame.number,
            "time": round(frame.time - start, 3),
            "identity": each.identity,
        }
        yield face_row(first, each.face.inside(frame.image), each.face.score, each.estimate)


class _Video:
    """A video file; pictures of another size than the first are resized to it.

    Attributes:
        start: time of the first frame, in seconds.
    """

    def __init__(self, path, rate, steady):
        self.path = path
        self.rate = rate
        self.steady = steady
        self.start = 0.0
        self._writer = None
        self._written = 0

    def write(self, picture, time):
        if self._writer is None:
            self.start = time
            self._size = (picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2)
            code = cv2.VideoWriter_fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self.path), code, self.rate, self._size)
            if not self._writer.isOpened():
                raise UserError(f"{self.path} cannot be written as a video")
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = cv2.resize(picture, self._size)
        due = self._written + 1
        if not self.steady:
            due = min(int((time - self.start) * self.rate) + 1, self._written + MOST_REPEATED)
        while self._written < due:
            self._writer.write(picture)
            self._written += 1

    def close(self):
        if self._writer is not None:
            self._writer.release()
