"""MATLAB 5 files, as the original's databases and IMDB-WIKI's metadata are, from anyone.

What a file claims is compared with what it has before memory is reserved; compressed arrays are
unfolded into a temporary file without a name, which goes with the process. The layout is that of
MathWorks's "MAT-File Format".
"""

import math
import struct
import zlib

import cv2
import numpy as np

from age_gender.files import temporary
from age_gender.stored import MEMORY, RATIO, Bytes, Source, Unreadable

HEADER = 128  # bytes
BLOCK = 4096  # pictures that are transposed at a time,
BLOCK_BYTES = 2**27  # but no more bytes
ELEMENTS, AXES, FIELDS = 1000, 32, 100  # most
TEXT = 4096  # characters
HEAD = 2048  # bytes in which the name of an array is
PIECE = 2**22  # bytes that are unfolded at a time
MATRIX, COMPRESSED = 14, 15  # types of elements that are no numbers
NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16{}", 16: "utf-8", 17: "utf-16{}", 18: "utf-32{}"}
CELL, STRUCT, CHAR, DOUBLE, UINT64 = 1, 2, 4, 6, 15  # classes of arrays; numbers from DOUBLE on


def opened(path):
    """The arrays of a MATLAB 5 file, an `Arrays`. Raises `Unreadable` if it is not one."""
    source = Source(path)
    if source.size < HEADER:
        raise Unreadable("it is truncated")
    mark = source.bytes_at(HEADER, 0)[126:]
    if mark not in (b"IM", b"MI"):
        raise Unreadable("it is neither an HDF5 nor a MATLAB 5 file")
    order = "<" if mark == b"IM" else ">"
    arrays, offset = {}, HEADER
    while offset < source.size and len(arrays) < ELEMENTS:
        kind, size, start = _tag(source, order, offset)
        offset = start + size
        if kind == MATRIX:
            array = Array(source, order, start, offset)
        elif kind == COMPRESSED:
            array = _Compressed(source, order, start, size)
        else:
            raise Unreadable("it is damaged")
        arrays.setdefault(array.name, array)
    return Arrays(arrays)


class Arrays:
    """Arrays by their names."""

    def __init__(self, arrays):
        self._arrays = arrays

    def __contains__(self, name):
        return name in self._arrays

    def array(self, name):
        """The `Array` of a name. Raises `Unreadable` if there is none, or it is damaged."""
        if name not in self._arrays:
            raise Unreadable(f"it has no {name!r}")
        return self._arrays[name].whole()


class Array:
    """An array in a file.

    Attributes:
        name: a text.
        kind: MATLAB's class, a number.
        shape: in MATLAB's order.
    """

    def __init__(self, source, order, start, end):
        self._source, self._order = source, order
        if end > source.size:
            raise Unreadable("it is truncated")
        (_, flags), place = self._part(start, 8)
        self.kind = int.from_bytes(flags[:4], "little" if order == "<" else "big") & 255
        (_, shape), place = self._part(place, 4 * AXES)
        self.shape = struct.unpack(f"{order}{len(shape) // 4}i", shape[: len(shape) // 4 * 4])
        (_, name), self._place = self._part(place, TEXT)
        self.name = name.decode("latin-1")
        self._end = end
        if min(self.shape, default=-1) < 0:
            raise Unreadable(f"its {self.name!r} is damaged")

    def whole(self):
        """The array itself; of a compressed one that which was unfolded."""
        return self

    def _part(self, place, most):
        """((type, bytes) of a part, where the next one begins)."""
        kind, size, start = _tag(self._source, self._order, place)
        if size > most:
            raise Unreadable("it is damaged")
        small = start == place + 4
        following = place + 8 if small else start + -(-size // 8) * 8
        return (kind, self._source.bytes_at(size, start)), following

    def _numbers(self):
        """(dtype, offset) of the numbers, which are all there."""
        kind, size, start = _tag(self._source, self._order, self._place)
        if not DOUBLE <= self.kind <= UINT64 or kind not in NUMBERS:
            raise Unreadable(f"its {self.name!r} holds something other than numbers")
        dtype = np.dtype(self._order + NUMBERS[kind])
        if start + size > self._end:
            raise Unreadable("it is truncated")
        if math.prod(self.shape) * dtype.itemsize != size:
            raise Unreadable(f"its {self.name!r} is damaged")
        return dtype, start

    def read(self):
        """The numbers, in an array of the shape."""
        dtype, start = self._numbers()
        values = np.empty(math.prod(self.shape), dtype)
        if values.nbytes > MEMORY:
            raise Unreadable(f"its {self.name!r} is too large: {self.shape}")
        self._source.read(values.view(np.uint8), start)
        return values.reshape(self.shape, order="F")

    def text(self, name=None):
        """The text of an array of characters, one row; ``name`` is for messages."""
        (kind, data), _ = self._part(self._place, 4 * TEXT)
        if self.kind != CHAR or kind not in TEXTS:
            raise Unreadable(f"its {(name or self.name)!r} is not a text")
        ending = "-le" if self._order == "<" else "-be"
        return data.decode(TEXTS[kind].format(ending), "replace")

    def texts(self):
        """The texts of a cell array, a list."""
        cells = self._members(CELL, math.prod(self.shape), self._place)
        return [cell.text(self.name) for cell in cells]

    def fields(self):
        """The arrays of a structure, a dict by field."""
        (_, length), place = self._part(self._place, 4)
        length = max(1, int.from_bytes(length, "little" if self._order == "<" else "big"))
        (_, names), place = self._part(place, 64 * FIELDS)
        names = [names[at : at + length] for at in range(0, len(names), length)]
        names = [name.partition(b"\0")[0].decode("latin-1") for name in names]
        if math.prod(self.shape) != 1:
            raise Unreadable(f"its {self.name!r} is not one structure")
        found = dict(zip(names, self._members(STRUCT, len(names), place)))
        for name, array in found.items():
            array.name = name
        return found

    def _members(self, kind, count, place):
        """The arrays within, of which each has 8 bytes at least."""
        if self.kind != kind or self._end - place > MEMORY or 8 * count > self._end - place:
            raise Unreadable(f"its {self.name!r} is of another kind, or damaged")
        content = Bytes(self._source.bytes_at(self._end - place, place))
        offset = 0
        for _ in range(count):
            form, size, start = _tag(content, self._order, offset)
            offset = start + size
            if form != MATRIX:
                raise Unreadable(f"its {self.name!r} is damaged")
            yield Array(content, self._order, start, offset)

    def rows(self, memory=0):
        """The array as (N, H, W, C) uint8, if it is one of pictures.

        MATLAB's first axis is the fastest: the file holds the first byte of every picture, then
        the second byte of every picture. They are transposed once, in memory if they take at most
        ``memory`` bytes there, else into a temporary file.
        """
        dtype, start = self._numbers()
        if dtype != np.uint8 or len(self.shape) != 4:
            raise Unreadable(f"its {self.name!r} is {dtype} {self.shape}, not uint8 (N, S, S, 3)")
        count, height, width, channels = self.shape
        if not math.prod(self.shape):
            return np.empty(self.shape, np.uint8)
        if math.prod(self.shape) <= memory:
            turned = np.empty(self.shape, np.uint8)
        else:
            with temporary(self._source.path, math.prod(self.shape)) as file:
                turned = np.memmap(file, np.uint8, "r+", shape=self.shape)
        step = min(BLOCK, max(1, BLOCK_BYTES // (height * width * channels)))
        for first in range(0, count, step):
            rows = min(step, count - first)
            block = np.empty((height, width, channels, rows), np.uint8)
            for y, x, channel in np.ndindex(height, width, channels):
                place = ((channel * width + x) * height + y) * count + first
                self._source.read(block[y, x, channel], start + place)
            turned[first : first + rows] = _transposed(block.reshape(-1, rows)).reshape(
                rows, height, width, channels
            )
        return turned


class _Compressed:
    """A compressed array: its name is read at once, the rest when it is needed."""

    def __init__(self, source, order, start, size):
        self._source, self._order, self._start, self._size = source, order, start, size
        try:
            first = source.bytes_at(min(size, HEAD), start)
            first = Bytes(zlib.decompressobj().decompress(first, HEAD))
            kind, length, begin = _tag(first, order, 0)
            self._length = begin + length
            self.name = Array(first, order, begin, min(first.size, self._length)).name
        except zlib.error as error:
            raise Unreadable("it is damaged") from error
        if kind != MATRIX or self._length > RATIO * source.size + MEMORY:
            raise Unreadable("it is damaged")

    def whole(self):
        return Array(self._unfolded(), self._order, 8, self._length)

    def _unfolded(self):
        """The content, a `Bytes`; in a temporary file if it is large."""
        if self._length <= PIECE:
            content = np.empty(self._length, np.uint8)
        else:
            with temporary(self._source.path, self._length) as file:
                content = np.memmap(file, np.uint8, "r+")
        inflater, read, done, data = zlib.decompressobj(), 0, 0, b""
        try:
            while not inflater.eof and (data or read < self._size):
                if not data:
                    data = self._source.bytes_at(min(PIECE, self._size - read), self._start + read)
                    read += len(data)
                found = np.frombuffer(inflater.decompress(data, PIECE), np.uint8)
                data = inflater.unconsumed_tail
                if done + len(found) > self._length:
                    break
                content[done : done + len(found)] = found
                done += len(found)
        except zlib.error as error:
            raise Unreadable(f"its {self.name!r} is damaged") from error
        if not inflater.eof or done != self._length:
            raise Unreadable(f"its {self.name!r} is damaged")
        return Bytes(content, self._source.path)


def _tag(source, order, place):
    """(type, size in bytes, where they begin) of an element."""
    kind, size = struct.unpack(order + "II", source.bytes_at(8, place))
    if kind >> 16:  # a small one
        if kind >> 16 > 4:
            raise Unreadable("it is damaged")
        return kind & 0xFFFF, kind >> 16, place + 4
    return kind, size, place + 8


def _transposed(plane):
    """The transposed matrix of bytes; OpenCV is ten times as fast as NumPy."""
    return cv2.transpose(plane)
