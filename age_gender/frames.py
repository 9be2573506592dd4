"""Pictures, cameras and video files as frames: one iterator with one kind of item."""

import collections
import contextlib
import time
from pathlib import Path

import cv2
import numpy as np

from age_gender.command_line import UserError, log

NOMINAL_RATE = 30.0  # frames per second of a camera, and of a video that does not state its own

Frame = collections.namedtuple("Frame", "name image number time")
Frame.__doc__ = """A picture of a source.

name: what results are reported under. image: (H, W, 3) uint8 BGR. number: from 1. time: seconds
since 1970 at which it was read; in a video file, the start of reading plus the position.
"""

SUFFIXES = set("avif bmp dib exr gif hdr jp2 jpe jpeg jpg pbm pfm pgm pic png".split())  # noqa: SIM905
SUFFIXES |= set("pnm ppm pxm ras sr tif tiff webp".split())  # noqa: SIM905


class UnreadablePicture(UserError):
    """A picture that cannot be read; the message says why."""


def list_pictures(folder, exclude=None):
    """Paths of the pictures in a folder and its subfolders, sorted.

    Args:
        folder: the folder.
        exclude: a subfolder to leave out, such as the output of an earlier run.

    Raises `UserError` if the folder is missing or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {state}: give a folder with pictures")
    excluded = None if exclude is None else Path(exclude).resolve()
    if excluded in folder.resolve().parents:
        excluded = None
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix[1:].lower() in SUFFIXES
        and path.is_file()
        and excluded not in path.resolve().parents
    )
    if not paths:
        raise UserError(f"{folder} holds no pictures (looked for {', '.join(sorted(SUFFIXES))})")
    return paths


def read_picture(path):
    """Read a picture file as `decode_picture` does. Raises `UnreadablePicture`."""
    try:
        return decode_picture(np.fromfile(path, np.uint8))  # unlike imread, with any file name
    except OSError as error:
        raise UnreadablePicture(error.strerror) from error


def decode_picture(data):
    """Decode the bytes of a picture file, whatever its channels and depth.

    Returns:
        (H, W, 3) uint8 BGR, upright (EXIF).

    Raises `UnreadablePicture`.
    """
    if not len(data):
        raise UnreadablePicture("it is empty")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise UnreadablePicture(str(error).strip().splitlines()[0]) from error
    if image is None:
        raise UnreadablePicture("it is damaged or not a picture")
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:  # linear light; 1 is white
        image = np.nan_to_num(image.astype(np.float32))
        return (255 * np.clip(image, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return image


def pictures(paths, folder):
    """Yield a `Frame` for each picture, named relative to ``folder``; skip unreadable ones."""
    for number, path in enumerate(paths, 1):
        name = path.relative_to(folder).as_posix()
        try:
            yield Frame(name, read_picture(path), number, time.time())
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
                yield Frame(f"camera {self.index}", image, number, time.time())
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
        start, number = time.time(), 0
        with _capture(self.path) as capture:
            for number, image in enumerate(_images(capture), 1):
                yield Frame(f"frame {number}", image, number, start + (number - 1) / self.rate)
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
