"""OpenCV's reader of cameras and videos: what it may open, what time a frame has, what fails."""

import contextlib
import math
import os

import cv2

from age_gender.command_line import UserError, log, printable

MOST_FAILED = 100  # frames in a row that cannot be read, after which the source is given up
CAPTURE_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"  # read by OpenCV when it opens a video
ONLY = "protocol_whitelist;{}"


class Clock:
    """Positions of the frames of a video file, which rise whatever its container says.

    Where that gives no time, the same as before or an earlier one, frames follow one another at
    the file's rate; where it starts anew, as in files that were put together, it goes on.

    Args:
        name: of the file, for the message that it has such places.
        rate: frames per second.

    Attributes:
        last: seconds of the newest frame.
        step: seconds between the last two frames.
    """

    LEAP = 3600.0  # seconds between two frames that are taken for a mistake
    RESTART = 1.0  # seconds back that are taken for a new start
    LEAST = 1e-4  # seconds between two frames

    def __init__(self, name, rate):
        self._name = name
        self.last, self.step = None, 1 / rate
        self._frame = 1 / rate
        self._stated = 0.0  # by the container, for the newest frame
        self._offset = 0.0
        self._warned = False

    def position(self, stated):
        """Position of the next frame in seconds; ``stated`` is what the container says."""
        if self.last is None:
            self.last = self._stated = stated if 0 <= stated < self.LEAP else 0.0
            return self.last
        before, due = self.last, self.last + self._frame
        if not math.isfinite(stated):
            stated = self._stated
        if 0 < stated - self._stated < self.LEAP:
            self.last = max(stated + self._offset, before + self.LEAST)
        else:
            self._warn()
            self.last = due
            if abs(stated - self._stated) >= self.RESTART:
                self._offset = due - stated
        self._stated, self.step = stated, self.last - before
        return self.last

    def _warn(self):
        if not self._warned:
            self._warned = True
            log(
                f"warning: {self._name}: not all of its frames have a time of their own: where "
                f"they have none, there are {1 / self._frame:g} a second"
            )


@contextlib.contextmanager
def open_file(path):
    """OpenCV's reader of a video file: `open_capture` of the file alone."""
    with ffmpeg_file(path) as (address, options):
        text = "|".join(f"{key};{value}" for key, value in options.items())
        with open_capture((address, cv2.CAP_FFMPEG), text) as capture:
            yield capture


@contextlib.contextmanager
def ffmpeg_file(path):
    """Yield the address under which FFmpeg reads a file alone, and its options, a dict.

    FFmpeg gets the open file instead of its name, which it may take for an address or a pattern,
    and may open no other file or address that the video names.
    """
    if os.name == "nt":  # file names are plain there, and FFmpeg has no open files of Python's
        yield f"file:{os.path.abspath(path)}", {"protocol_whitelist": "file"}
        return
    try:
        file = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise UserError(f"{printable(path)}: {error.strerror}") from error
    with file:
        yield "fd:", {"fd": str(file.fileno()), "protocol_whitelist": "fd"}


@contextlib.contextmanager
def open_capture(arguments, options=None):
    """A cv2.VideoCapture, released at the end.

    Args:
        arguments: of cv2.VideoCapture.
        options: for FFmpeg, as OpenCV's environment variable has them; None for no change.
    """
    before = os.environ.get(CAPTURE_OPTIONS)
    if options is not None:
        os.environ[CAPTURE_OPTIONS] = options
    try:
        capture = cv2.VideoCapture(*arguments)
    except (cv2.error, TypeError):
        capture = cv2.VideoCapture()  # which is not open; the message may hold a password
    finally:
        if options is not None:
            os.environ.pop(CAPTURE_OPTIONS)
            if before is not None:
                os.environ[CAPTURE_OPTIONS] = before
    try:
        yield capture
    finally:
        capture.release()


def images(capture, name):
    """Yield (number, picture) from an open reader until it delivers none.

    A frame at which OpenCV raises an error is left out with a line; `MOST_FAILED` in a row are the
    end.
    """
    number = failed = 0
    while failed < MOST_FAILED:
        number += 1
        try:
            success, image = capture.read()
        except Exception as error:  # whatever is wrong with one frame
            failed += 1
            log(f"skipped frame {number} of {name}: {' '.join(str(error).split())}")
            continue
        if not success:
            return
        failed = 0
        yield number, image
