"""Arrays of numbers in a file: read by rows or whole, with their checksums compared.

They lie in chunks, as HDF5 lays them: all of the same shape, those at the end of an axis filled
up. What was compressed or checked by HDF5's filters is decoded here, because HDF5 itself reserves
as much memory as compressed numbers unfold to, and would check a whole chunk for each row.
"""

import math
import threading
import zlib

import numpy as np

from age_gender.errors import UserError
from age_gender.files import open_regular, read_at, temporary

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3  # HDF5's numbers of filters
RATIO = 50  # of all numbers to the compressed file, at most
MEMORY = 2**29  # bytes of an array that is read at once
BLOCK = 2**15  # words whose sums are exact in float64, and stay in the processor's cache
WEIGHTS = np.arange(BLOCK, 0, -1, dtype=np.float64)


class Unreadable(UserError):
    """A file that is not what it should be; the message says what is wrong with "it"."""


class Source:
    """An open file, read by any thread; closed with the last object that needs it.

    Attributes:
        path: the file.
        size: its bytes.
    """

    def __init__(self, path):
        """Raises `UserError` if it is not a regular file, `OSError` if the system refuses."""
        self.path = path
        self._file = open_regular(path)
        self._lock = threading.Lock()
        self.size = self._file.seek(0, 2)

    def __del__(self):
        if hasattr(self, "_file"):
            self._file.close()

    def read(self, array, offset):
        """Fill an array of bytes from an offset. Raises `Unreadable` if the file ends before."""
        with self._lock:
            read = read_at(self._file, array, offset) if 0 <= offset <= self.size else 0
        if read < len(array):
            raise Unreadable("it is truncated")

    def bytes_at(self, count, offset):
        """Some bytes. Raises `Unreadable` if the file ends before."""
        if count > self.size:
            raise Unreadable("it is truncated")
        array = np.empty(count, np.uint8)
        self.read(array, offset)
        return array.tobytes()


class Bytes(Source):
    """What is in memory, or in a `numpy.memmap`, read as if it were a file."""

    def __init__(self, content, path=None):
        self.path = path
        self._content = np.frombuffer(content, np.uint8)
        self.size = len(self._content)

    def read(self, array, offset):
        """Fill an array of bytes from an offset. Raises `Unreadable` if they end before."""
        found = self._content[offset : offset + len(array)]
        if offset < 0 or len(found) < len(array):
            raise Unreadable("it is truncated")
        array[:] = found

    def bytes_at(self, count, offset):
        if offset + count > self.size:
            raise Unreadable("it is truncated")
        return self._content[offset : offset + count].tobytes()


class Stored:
    """An array in a file.

    Args:
        source: has ``read(array of bytes, offset)``, and ``path`` if it is a file.
        name: what messages call it.
        shape, dtype: as of NumPy's arrays.
        chunk: the shape of the chunks; ``shape`` where there is one.
        places: dict of (offset, size) of each chunk, by the place of its first element.
        filters: HDF5's numbers of the filters that the chunks went through.

    Attributes:
        name, shape, dtype: as above.
        nbytes: the array's size in memory.
        checked: the file has checksums of its chunks.
    """

    def __init__(self, source, name, shape, dtype, chunk, places, filters=()):
        self.name, self.shape, self.dtype = name, shape, dtype
        self.nbytes = math.prod(shape) * dtype.itemsize
        self.checked = FLETCHER32 in filters
        self._source = source
        self._chunk = chunk
        self._places = places
        self._filters = filters
        self._starts = [places[place][0] for place in sorted(places)]

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """A row by its number, or a slice of rows, of what `by_rows` returned; without a check."""
        numbers = range(len(self))[rows]
        if isinstance(rows, slice):
            found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
            for number, row in zip(numbers, found):
                self._read_row(number, row)
            return found
        row = np.empty(self.shape[1:], self.dtype)
        self._read_row(numbers, row)
        return row

    def _read_row(self, number, row):
        chunk, place = divmod(number, self._chunk[0])
        data = row.reshape(-1).view(np.uint8)
        try:
            self._source.read(data, self._starts[chunk] + place * len(data))
        except Unreadable as problem:
            raise UserError(f"{self._source.path} has changed: {problem}") from problem

    def by_rows(self, memory=0):
        """This array, or a copy of it, of which rows can be read one by one.

        The copy is in memory if it takes at most ``memory`` bytes there, else in a temporary file.
        Raises `Unreadable` if the array is damaged, as far as there are checksums.
        """
        if 0 < self.nbytes <= memory:
            return self.read(memory)
        if set(self._filters) <= {FLETCHER32} and self._chunk[1:] == self.shape[1:]:
            self.check()
            return self
        with temporary(self._source.path, self.nbytes) as file:
            copy = np.memmap(file, self.dtype, "r+", shape=self.shape)
        self._copy_to(copy)
        return copy

    def read(self, most=MEMORY):
        """The array in memory. Raises `Unreadable` if it has more than ``most`` bytes."""
        if self.nbytes > most:
            raise Unreadable(f"its {self.name!r} is too large: {self.shape}")
        array = np.empty(self.shape, self.dtype)
        self._copy_to(array)
        return array

    def _copy_to(self, array):
        for place in self._places:
            part = array[*map(slice, place, np.add(place, self._chunk)), ...]
            part[...] = self._chunk_at(place)[tuple(map(slice, part.shape))]

    def check(self):
        """Compare the checksums. Raises `Unreadable` that names the rows where one is wrong."""
        for place in self._places if self.checked else ():
            self._chunk_at(place)

    def _chunk_at(self, place):
        """The chunk that begins at a place. Raises `Unreadable` if it is damaged."""
        offset, length = self._places[place]
        data = np.empty(length, np.uint8)
        self._source.read(data, offset)
        size = math.prod(self._chunk) * self.dtype.itemsize
        try:
            for each in reversed(self._filters):
                data = DECODERS[each](data, size, self.dtype.itemsize)
            return data.view(self.dtype).reshape(self._chunk)
        except (zlib.error, ValueError) as error:
            where = ""
            if len(self) > self._chunk[0]:
                where = (
                    f" in the rows {place[0]} to {min(place[0] + self._chunk[0], len(self)) - 1}"
                )
            raise Unreadable(f"its {self.name!r} is damaged{where}") from error


def _inflated(data, size, _):
    inflater = zlib.decompressobj()
    found = inflater.decompress(data, size + 4)  # a checksum may have been added before
    if not inflater.eof:
        raise ValueError
    return np.frombuffer(found, np.uint8)


def _unshuffled(data, _, itemsize):
    """From the first bytes of all elements, then the second bytes of all, and so on."""
    return np.ascontiguousarray(data.reshape(itemsize, -1).T).reshape(-1)


def _without_checksum(data, *_):
    second, first = (int(word) % 65535 for word in data[-4:].view("<u2")[::-1])
    if (first, second) != fletcher32(data[:-4]):
        raise ValueError
    return data[:-4]


def fletcher32(data):
    """The two sums, modulo 65535, of HDF5's checksum of an array of bytes."""
    words = np.append(data, np.uint8(0)) if len(data) % 2 else data
    words = words.view(">u2")
    first = second = 0
    for start in range(0, len(words), BLOCK):
        block = words[start : start + BLOCK].astype(np.float64)
        second += first * len(block)
        first += int(block.sum())
        block *= WEIGHTS[BLOCK - len(block) :]  # not by @: it would wait for threads that are busy
        second += int(block.sum())
    return first % 65535, second % 65535


DECODERS = {DEFLATE: _inflated, SHUFFLE: _unshuffled, FLETCHER32: _without_checksum}
