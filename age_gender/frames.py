"""Cameras, video files and picture folders become frames: one iterator, one yield shape."""

import collections
import time
from pathlib import Path

import cv2
import numpy as np

from age_gender.command_line import UserError, log

USUAL = 30.0  # frames a second

Frame = collections.namedtuple("Frame", "name image number time")
Frame.__doc__ = """A picture with what it is called and when it was.

name: what results are reported under. image: (H, W, 3) uint8 BGR. number: from 1. time: seconds
since 1970 at which it was read; of a video file, those at which it began, and its place in it.
"""

SUFFIXES = set("avif bmp dib exr gif hdr jp2 jpe jpeg jpg pbm pfm pgm pic png".split())  # noqa: SIM905
SUFFIXES |= set("pnm ppm pxm ras sr tif tiff webp".split())  # noqa: SIM905


class UnreadablePicture(Exception):
    """A file that OpenCV cannot read as a picture; the message says why."""


def list_pictures(folder, but_not=None):
    """Paths of the pictures in a folder and the folders in it, sorted.

    Args:
        folder: the folder.
        but_not: a folder in it that is left out (one's own output).

    Raises `UserError` where the folder is missing or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"--image_dir {folder} {state}: give a folder with pictures")
    left_out = None if but_not is None else Path(but_not).resolve()
    if left_out == folder.resolve():
        raise UserError(f"--output_dir {but_not} is the folder of the pictures: give another")
    if left_out in folder.resolve().parents:
        left_out = None
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix[1:].lower() in SUFFIXES
        and path.is_file()
        and left_out not in path.resolve().parents
    )
    if not paths:
        raise UserError(
            f"--image_dir {folder} holds no pictures (looked for {', '.join(sorted(SUFFIXES))})"
        )
    return paths


def read_picture(path):
    """Read a picture file as `decode_picture` does. Raises `UnreadablePicture`."""
    try:
        return decode_picture(np.fromfile(path, np.uint8))  # unlike imread, with any file name
    except OSError as error:
        raise UnreadablePicture(str(error).strip().splitlines()[0]) from error


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
    if image.dtype != np.uint8:  # linear light, of which 1 is taken for white
        image = np.nan_to_num(image.astype(np.float32))
        return (255 * np.clip(image, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return image


def pictures(paths, folder):
    """Yield a `Frame` for each picture, named relative to ``folder``; say which are skipped."""
    for number, path in enumerate(paths, 1):
        name = str(path.relative_to(folder))
        try:
            yield Frame(name, read_picture(path), number, time.time())
        except UnreadablePicture as error:
            log(f"skipped {name}: {error}")


def is_camera(source):
    """Whether a source is a camera's index, and not the path of a video file."""
    return str(source).isdigit()


def rate_of(source):
    """Frames a second of a video file; `USUAL` of a camera, or where the file does not say."""
    if is_camera(source):
        return USUAL
    capture = cv2.VideoCapture(str(source))
    try:
        return _rate(capture)
    finally:
        capture.release()


def _rate(capture):
    """Frames a second that an open video file says of itself, or `USUAL`."""
    found = capture.get(cv2.CAP_PROP_FPS)
    return found if 1 <= found <= 240 else USUAL


def video(source):
    """Yield the frames of a camera (its index) or of a video file (its path).

    Raises `UserError` where it cannot be opened.
    """
    camera = is_camera(source)
    if not camera and not Path(source).is_file():
        raise UserError(f"--source {source} does not exist: give a camera index or a video file")
    capture = cv2.VideoCapture(int(source) if camera else str(source))
    try:
        if not capture.isOpened():
            raise UserError(
                f"no camera {source}: connect one, give its index with --source, or use "
                "--image_dir with a folder of pictures"
                if camera
                else f"--source {source} is not a video that OpenCV can read"
            )
        if camera:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, 640)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 480)
        pace = USUAL if camera else _rate(capture)
        number, begun = 0, time.time()
        while True:
            whole, image = capture.read()
            if not whole:
                if camera:
                    raise UserError(f"camera {source} gives no more pictures: connect it again")
                if not number:
                    raise UserError(f"--source {source} holds no frame that OpenCV can read")
                return
            number += 1
            if camera:
                yield Frame(f"camera {source}", image, number, time.time())
            else:
                yield Frame(f"frame {number}", image, number, begun + (number - 1) / pace)
    finally:
        capture.release()
