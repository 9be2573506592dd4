"""Writes an annotated video of a camera or a video file, and tables of its faces."""

import contextlib

from age_gender import interrupts
from age_gender.command_line import UserError, plural
from age_gender.files import naming, replace
from age_gender.output.sound import open_sound
from age_gender.output.tables import face_columns, face_line, face_row, open_tables
from age_gender.output.video_writer import VideoWriter, count_frames, move_index_forward

VIDEO = "video.mp4"
COLUMNS = ["file", "status", "source", "frame", "time", "identity"]  # before those of the face


@contextlib.contextmanager
def open_recording(output, rate, with_interval=False, name=None, as_json=False, sound_of=None):
    """Yield a `Recording`; its files get their names when they are complete.

    If the video cannot grow, what is whole of it is kept, and the tables up to there.

    Args:
        output: the folder, which is made; None to print lines alone.
        rate: frames per second, nominally: each frame is shown until the next one's time.
        with_interval: rows have the ends of the age interval.
        name: of the video, camera or stream, in the rows.
        as_json: print the rows of the tables as JSON.
        sound_of: path of the video file whose sound the video gets; None for no sound.

    Raises `UserError` if no frame came, or none could be analysed; `OSError` if the video cannot
    be written, or be read again.
    """
    columns = face_columns(COLUMNS, with_interval)
    if output is None:
        with open_tables(None, columns, as_json) as write_row:
            recording = Recording(None, write_row, columns, name)
            yield recording
            recording.finish()
        recording.check()
        return
    partial = output / f"{VIDEO}.part"
    with open_tables(output, columns, as_json) as write_row, open_sound(sound_of) as sound:
        video = VideoWriter(partial, rate, sound)
        recording = Recording(video, write_row, columns, name, sound)
        try:
            with _closing(recording.video, output / VIDEO):
                yield recording
            recording.finish()
        except UserError:
            partial.unlink()
            raise
        except OSError as error:
            if error is not recording.video.error:
                raise
            with contextlib.suppress(OSError):  # the error of the video is the one to tell
                recording.finish()
        with interrupts.finishing(), naming(output / VIDEO):
            kept = count_frames(partial)
            if kept:
                if recording.video.error is None:
                    move_index_forward(partial)
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
    recording.check()


@contextlib.contextmanager
def _closing(writer, path):
    try:
        yield
    finally:
        with interrupts.finishing(), naming(path):
            writer.close()


class Recording:
    """Adds frames to the video and their faces to the tables.

    Args:
        video: `VideoWriter`; None for no video.
        write_row: as `tables.open_tables` yields it.
        columns: of the tables.
        name: of the source, in the rows.
        sound: `sound.Sound` that the video gets; None for none.

    Attributes:
        video: `VideoWriter`.
        frames, analysed, failed, faces: numbers of frames, of those that were analysed, of those
            that could not be, of identities.
    """

    def __init__(self, video, write_row, columns, name, sound=None):
        self.video = video
        self._sound = sound
        self.frames = self.analysed = self.failed = 0
        self._write_row = write_row
        self._columns, self._name = columns, name
        self._identities = set()
        self._last = None  # number of the last frame
        self._start = None  # time of the first frame

    def add(self, shown, picture):
        """Add a `player.Shown` and its annotated picture."""
        if shown.frame.number != self._last:
            if self._start is None:
                self._start = shown.frame.time
                if self._sound is not None:
                    self._sound.start = self._start
            if self.video is not None:
                self.video.write(picture, shown.frame.time - self._start)
            self.frames += 1
            self._last = shown.frame.number
        if shown.analysis is None:
            return
        if shown.analysis.problem is not None:
            self.failed += 1
            return
        self.analysed += 1
        for row in _rows(self._name, shown.analysis, self._start):
            self._identities.add(row["identity"])
            self._write_row(row, face_line(f"{row['source']}  identity {row['identity']}", row))

    def finish(self):
        """Add the row of a source without a face. Raises `UserError` if there was no frame."""
        if not self.frames:
            raise UserError("it ended before the network analysed a frame: nothing is written")
        if self.analysed and not self._identities:
            row = {"file": self._name, "status": "no face"}
            self._write_row(dict.fromkeys(self._columns) | row, f"{self._name}  no face")

    def check(self):
        """Raise `UserError` if no frame could be analysed."""
        if self.failed and not self.analysed:
            raise UserError("none of its frames could be analysed")

    @property
    def faces(self):
        return len(self._identities)

    def __str__(self):
        frames, faces = plural(self.frames, "frame"), plural(self.faces, "face")
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{frames}, {self.analysed} analysed{failed}, {faces}"


def _rows(name, analysis, start):
    """The rows of the faces in a frame.

    Args:
        name: of the source.
        analysis: `analyst.Analysis`.
        start: time of the first frame, in seconds.
    """
    frame = analysis.frame
    for each in analysis.faces:
        first = {
            "file": name,
            "status": "face",
            "source": frame.name,
            "frame": frame.number,
            "time": round(frame.time - start, 3),
            "identity": each.identity,
        }
        yield face_row(first, each.face.inside(frame.image), each.face.score, each.estimate)
