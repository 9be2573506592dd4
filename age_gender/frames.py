"""Pictures, cameras and video files as frames: one iterator with one kind of item."""

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from age_gender.command_line import UserError, log
from age_gender.pictures import UnreadablePicture, read_picture

NOMINAL_RATE = 30.0  # frames per second of a camera, and of a video that does not state its own


class Frame(NamedTuple):
    """A picture of a source.

    Attributes:
        name: what results are reported under.
        image: (H, W, 3) uint8 BGR.
        number: from 1.
        time: seconds by the source's own clock, for intervals between its frames: the position in
            a video file, else when it was read.
        read: when it was read, in seconds of `time.monotonic`, which goes on when the system's
            clock is set.
    """

    name: str
    image: np.ndarray
    number: int
    time: float
    read: float

    @classmethod
    def now(cls, name, image, number):
        """A frame that is read now, of a source without a clock of its own."""
        moment = time.monotonic()
        return cls(name, image, number, moment, moment)

    @property
    def date(self):
        """When it was read, in seconds since 1970, by the system's clock as it is set now."""
        return time.time() - time.monotonic() + self.read


def pictures(paths, folder):
    """Yield a `Frame` for each picture, named relative to ``folder``; skip unreadable ones."""
    for number, path in enumerate(paths, 1):
        name = path.relative_to(folder).as_posix()
        try:
            yield Frame.now(name, read_picture(path), number)
        except UnreadablePicture as error:
            log(f"skipped {name}: {error}")


def open_source(text):
    """The `Camera` or `VideoFile` that an index or a path names.

    Raises `UserError` if it is a video that cannot be read; a camera is opened only when it is
    iterated over.
    """
    text = str(text)
    return Camera(int(text)) if text.isdigit() else VideoFile(text)


class Camera:
    """A camera. Iterating opens it and yields its frames until it fails.

    Attributes:
        live: frames come at their own speed and cannot wait.
        rate: nominal frames per second.
    """

    live = True
    rate = NOMINAL_RATE

    def __init__(self, index):
        self.index = index

    def __iter__(self):
        with _capture(self.index) as capture:
            if not capture.isOpened():
                raise UserError(
                    f"no camera {self.index}: connect one, or give the index of another, a video "
                    "file or a folder of pictures"
                )
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, 640)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 480)
            for number, image in enumerate(_images(capture), 1):
                yield Frame.now(f"camera {self.index}", image, number)
        raise UserError(f"camera {self.index} delivers no more pictures: connect it again")


class VideoFile:
    """A video file. Iterating opens it and yields its frames.

    Attributes:
        live: False: each frame waits until it is asked for.
        rate: frames per second as the file states it, else `NOMINAL_RATE`.
    """

    live = False

    def __init__(self, path):
        self.path = str(path)
        if not Path(path).is_file():
            raise UserError(f"{path} does not exist: give a camera index or a video file")
        with _capture(self.path) as capture:
            if not capture.isOpened():
                raise UserError(f"{path} is not a video that OpenCV can read")
            rate = capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 1 <= rate <= 240 else NOMINAL_RATE

    def __iter__(self):
        number = 0
        with _capture(self.path) as capture:
            for number, image in enumerate(_images(capture), 1):
                position = (number - 1) / self.rate
                yield Frame(f"frame {number}", image, number, position, time.monotonic())
        if not number:
            raise UserError(f"{self.path} holds no frame that OpenCV can read")


@contextlib.contextmanager
def _capture(source):
    """OpenCV's reader of a camera (its index) or a video file (its path), released at the end."""
    capture = cv2.VideoCapture(source)
    try:
        yield capture
    finally:
        capture.release()


def _images(capture):
    """Yield the pictures of an open reader until it delivers none."""
    while True:
        success, image = capture.read()
        if not success:
            return
        yield image
