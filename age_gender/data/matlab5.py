"""The pictures of the original's databases, MATLAB 5 files, without loading them all into memory.

MATLAB's first axis is the fastest: such a file holds the first byte of every picture, then the
second byte of every picture, so that one picture is spread over all of it. On opening they are
transposed once into a temporary file without a name, which goes with the process.
"""

import os
import struct
import tempfile

import cv2
import numpy as np

from age_gender.files import read_at

BLOCK = 4096  # pictures that are transposed at a time
# Elements as MathWorks's "MAT-File Format" numbers them: a type, a size in bytes, the content.
MATRIX, UINT8 = 14, 2
FOUR_AXES = struct.pack("<II", 5, 16)  # int32
IMAGE = struct.pack("<II8s", 1, 5, b"image")  # int8, padded to 8


def images(path):
    """The array "image" of a MATLAB 5 file as (N, H, W, 3) uint8, read from disk on demand.

    Raises ValueError if there is none, or it is incomplete.
    """
    with open(path, "rb", buffering=0) as file:
        found = _find(file)
        if found is None:  # compressed, or of a machine with the other byte order
            return _load(path)
        offset, (count, height, width, channels) = found
        if offset + count * height * width * channels > os.path.getsize(path):
            raise ValueError("it is truncated")
        turned = _temporary(path)
        for start in range(0, count, BLOCK):
            rows = min(BLOCK, count - start)
            block = np.empty((height, width, channels, rows), np.uint8)
            for y, x, channel in np.ndindex(height, width, channels):
                place = offset + ((channel * width + x) * height + y) * count + start
                read_at(file, block[y, x, channel], place)
            _transposed(block.reshape(-1, rows)).tofile(turned)
        turned.flush()
        if not count:
            return np.empty((0, height, width, channels), np.uint8)
        return np.memmap(turned, np.uint8, "r", shape=(count, height, width, channels))


def _find(file):
    """Offset and shape (N, H, W, C) of the array "image"; None if they cannot be found."""
    if file.read(128)[126:128] != b"IM":
        return None
    while True:
        tag = file.read(8)
        if len(tag) < 8:
            return None
        kind, size = struct.unpack("<II", tag)
        following = file.tell() + size
        if kind == MATRIX:
            head = file.read(64)
            shape = struct.unpack("<4i", head[24:40]) if head[16:24] == FOUR_AXES else ()
            if shape and head[40:56] == IMAGE and head[56:60] == struct.pack("<I", UINT8):
                return file.tell(), shape
        file.seek(following)


def _load(path):
    import scipy.io

    image = scipy.io.loadmat(path, variable_names=["image"])["image"]
    return np.ascontiguousarray(image)


def _temporary(path):
    try:
        return tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(path)))
    except OSError:
        return tempfile.TemporaryFile()


def _transposed(plane):
    """The transposed matrix of bytes; OpenCV is ten times as fast as NumPy."""
    return cv2.transpose(plane)
