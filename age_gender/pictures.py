"""Picture files: find those of a folder, and read them whatever their format."""

from pathlib import Path

import cv2
import numpy as np

from age_gender.command_line import UserError

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
