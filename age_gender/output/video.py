"""Writes an annotated video of a camera or a video file, and tables of its faces."""

import contextlib

from age_gender import interrupts
from age_gender.command_line import UserError, plural, result
from age_gender.files import naming, replace
from age_gender.output.tables import face_columns, face_line, face_row, open_tables
from age_gender.output.video_writer import VideoWriter, count_frames

VIDEO = "video.mp4"
COLUMNS = ["source", "frame", "time", "identity"]  # before those of the face


@contextlib.contextmanager
def open_recording(output, rate, with_interval=False):
    """Yield a `Recording`; its files get their names when they are complete.

    If the video cannot grow, what is whole of it is kept, and the tables up to there.

    Args:
        output: the folder, which is made.
        rate: frames per second, nominally: each frame is shown until the next one's time.
        with_interval: rows have the ends of the age interval.

    Raises `UserError` if no frame came, or none could be analysed; `OSError` if the video cannot
    be written, or be read again.
    """
    partial = output / f"{VIDEO}.part"
    with open_tables(output, face_columns(COLUMNS, with_interval)) as write_row:
        recording = Recording(VideoWriter(partial, rate), write_row)
        try:
            with _closing(recording.video, output / VIDEO):
                yield recording
            if not recording.frames:
                raise UserError("it ended before the network analysed a frame: nothing is written")
        except UserError:
            partial.unlink()
            raise
        except OSError as error:
            if error is not recording.video.error:
                raise
        with interrupts.finishing(), naming(output / VIDEO):
            kept = count_frames(partial)
            if kept:
                replace(partial, output / VIDEO)
            else:
                partial.unlink()
    whole, error = recording.video.frames, recording.video.error
    if kept < whole:
        reason = error.strerror if error else "it cannot be read again"
        raise OSError(
            error and error.errno,
            f"{reason}: {kept} of {plural(whole, 'frame')} are kept",
            str(output / VIDEO),
        )
    if recording.failed and not recording.analysed:
        raise UserError("none of its frames could be analysed")


@contextlib.contextmanager
def _closing(writer, path):
    try:
        yield
    finally:
        with interrupts.finishing(), naming(path):
            writer.close()


class Recording:
    """Adds frames to the video and their faces to the tables.

    Attributes:
        video: `VideoWriter`.
        frames, analysed, failed, faces: numbers of frames, of those that were analysed, of those
            that could not be, of identities.
    """

    def __init__(self, video, write_row):
        self.video = video
        self.frames = self.analysed = self.failed = 0
        self._write_row = write_row
        self._identities = set()
        self._last = None  # number of the last frame
        self._start = None  # time of the first frame

    def add(self, shown, picture):
        """Add a `player.Shown` and its annotated picture."""
        if shown.frame.number != self._last:
            if self._start is None:
                self._start = shown.frame.time
            self.video.write(picture, shown.frame.time - self._start)
            self.frames += 1
            self._last = shown.frame.number
        if shown.analysis is None:
            return
        if shown.analysis.problem is not None:
            self.failed += 1
            return
        self.analysed += 1
        for row in _rows(shown.analysis, self._start):
            self._identities.add(row["identity"])
            self._write_row(row)
            result(face_line(f"{row['source']}  identity {row['identity']}", row))

    @property
    def faces(self):
        return len(self._identities)

    def __str__(self):
        frames, faces = plural(self.frames, "frame"), plural(self.faces, "face")
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{frames}, {self.analysed} analysed{failed}, {faces}"


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
