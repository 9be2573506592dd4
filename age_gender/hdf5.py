"""Read numbers and short texts from HDF5 files that anyone may have made.

The HDF5 library only finds the way through a file: groups, attributes, types, and where the
numbers lie. It is given the file in pieces of bounded size, and nothing else to open. The numbers
are read by `stored.Stored`, from places that were checked before, so that neither memory is
reserved for what a file only claims, nor another file read in its name.
"""

import contextlib
import errno
import itertools
import math

import numpy as np
from h5py import h5a, h5d, h5f, h5fd, h5g, h5l, h5o, h5p, h5s, h5t

from age_gender.command_line import UserError
from age_gender.hdf5_texts import Texts
from age_gender.stored import (
    DECODERS,
    DEFLATE,
    FLETCHER32,
    RATIO,
    Bytes,
    Source,
    Stored,
    Unreadable,
)

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FARTHEST = 2**20  # bytes before the signature
PIECE = 2**20  # bytes of a file's structure that the HDF5 library gets at a time,
STRUCTURE = 2**29  # and in all
LOCAL_HEAP, HEAP = b"HEAP\0\0\0\0", 32  # how it begins, and bytes of its head
NO_FREE_LIST = (1).to_bytes(8, "little")  # its bytes 16 to 23
ATTRIBUTES = 1000  # of an object
SMALL = 2**16  # bytes of what lies within the structure; HDF5's own limit
TEXT = 4096  # bytes of a string of fixed length in an array
TEXTS = 1024  # in an attribute, and members of a structure
CHUNK = 2**27  # bytes of a chunk
NUMBERS = (h5t.INTEGER, h5t.FLOAT)
REAL = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EMFILE, errno.ENFILE)


class _Source(Source):
    """An open file; offsets count from HDF5's signature on, before which MATLAB puts 512 bytes."""

    def __init__(self, path):
        super().__init__(path)
        self.start = 0
        self.start = self._signature()

    def _signature(self):
        """Bytes before the signature; None if there is none."""
        start = 0
        while start <= min(FARTHEST, self.size - len(SIGNATURE)):
            if self.bytes_at(len(SIGNATURE), start) == SIGNATURE:
                return start
            start = 2 * start or 512
        return None

    def read(self, array, offset):
        super().read(array, self.start + offset)


class _Structure:
    """A `_Source` as the HDF5 library sees it: a file object that gives bounded pieces.

    No exception may pass through the library, so what is refused reads as bytes that are no
    structure. Lists of free places, which only writing needs, read as empty, because the library
    follows one that is a loop for ever.
    """

    def __init__(self, source):
        self._source = source
        self._left = STRUCTURE
        self._place = 0

    def seek(self, offset, whence=0):
        self._place = offset + (self._source.size - self._source.start if whence == 2 else 0)
        return self._place

    def tell(self):
        return self._place

    def readinto(self, buffer):
        array = np.frombuffer(buffer, np.uint8)
        self._left -= len(array)
        try:
            if len(array) > PIECE or self._left < 0:
                raise Unreadable("its structure is too large")
            self._source.read(array, self._place)
            self._empty_free_lists(array)
        except (Unreadable, OSError):
            array[:PIECE] = 255
        return len(array)

    def _empty_free_lists(self, array):
        """Write the number for an empty list into the heads of local heaps, also of cut ones."""
        before = min(self._place, HEAP)
        after = min(self._source.size - self._source.start - self._place - len(array), HEAP)
        around = bytearray(self._source.bytes_at(before, self._place - before))
        around += array.tobytes()
        around += self._source.bytes_at(after, self._place + len(array))
        place = around.find(LOCAL_HEAP)
        if place < 0:
            return
        while place >= 0:
            around[place + 16 : place + 24] = NO_FREE_LIST
            place = around.find(LOCAL_HEAP, place + 1)
        array[:] = around[before : before + len(array)]

    def flush(self):
        pass


def is_hdf5(path):
    """Whether a file is an HDF5 file. Raises `UserError` or `OSError` if it cannot be opened."""
    return _Source(path).start is not None


@contextlib.contextmanager
def opened(path):
    """Open an HDF5 file and yield its root, a `Group`.

    Whatever the HDF5 library raises in the block becomes `Unreadable`; errors of the system
    (`OSError`) and `UserError` stay.
    """
    source = _Source(path)
    if not source.size:
        raise Unreadable("it is empty")
    if source.start is None:
        source.start = 0
        is_page = source.bytes_at(min(source.size, 512), 0).lstrip()[:1] == b"<"
        saved = "a web page saved under this name" if is_page else "not an HDF5 file"
        raise Unreadable(f"it is {saved}")
    try:
        access = h5p.create(h5p.FILE_ACCESS)
        access.set_fclose_degree(h5f.CLOSE_STRONG)
        access.set_fileobj_driver(h5fd.fileobj_driver, _Structure(source))
        file = h5f.open(b"file", h5f.ACC_RDONLY, fapl=access)
        try:
            yield Group(source, h5g.open(file, b"/"), "")
        finally:
            file.close()
    except (Unreadable, UserError):
        raise
    except Exception as error:  # HDF5's become exceptions of many kinds
        if isinstance(error, OSError) and error.errno in REAL:
            raise
        truncated = "truncated" in str(error)
        raise Unreadable("it is truncated" if truncated else "it is damaged") from error


class Group:
    """A group of an open file: its members and attributes by their names.

    Only hard links are followed, which cannot leave the file, and one for each name, so that a
    loop of them does no harm.
    """

    def __init__(self, source, identifier, name):
        self._source = source
        self._id = identifier
        self._name = name

    def __contains__(self, name):
        return self._id.links.exists(name.encode())

    def group(self, name):
        """The group of a name, or of several with slashes between them."""
        group = self
        for part in name.split("/"):
            group = Group(self._source, *group._open(part, h5g.GroupID, "a group"))
        return group

    def array(self, name):
        """The `Stored` array of a name, which may begin with those of groups."""
        folders, _, last = name.rpartition("/")
        group = self.group(folders) if folders else self
        return _stored(self._source, *group._open(last, h5d.DatasetID, "an array"))

    def _open(self, name, kind, what):
        """(a member, its full name)."""
        full = f"{self._name}/{name}" if self._name else name
        if name not in self:
            raise Unreadable(f"it has no {full!r}")
        if self._id.links.get_info(name.encode()).type != h5l.TYPE_HARD:
            raise Unreadable(f"its {full!r} is a link to elsewhere")
        member = h5o.open(self._id, name.encode())
        if not isinstance(member, kind):
            raise Unreadable(f"its {full!r} is not {what}")
        return member, full

    def attribute(self, name, of=None, raw=False):
        """An attribute: a number, a text, a list of texts, or None if there is none.

        Characters of texts that are not printable are replaced by escapes.

        Args:
            name: of the attribute.
            of: the name of an array in the group, whose attribute it is; by default the group's.
            raw: return a text as bytes, as it is.
        """
        owner = self._open(of, h5d.DatasetID, "an array")[0] if of else self._id
        if h5a.get_num_attrs(owner) > ATTRIBUTES:
            raise Unreadable(f"it has more than {ATTRIBUTES} attributes in one place")
        if not h5a.exists(owner, name.encode()):
            return None
        attribute = h5a.open(owner, name.encode())
        kind, shape = attribute.get_type(), _shape(attribute.get_space())
        if shape is not None and len(shape) < 2 and math.prod(shape) * kind.get_size() <= SMALL:
            if kind.get_class() == h5t.STRING:
                found = self._strings(owner, attribute, kind, shape, name)
                texts = [each if raw else _text(each) for each in found]
                return texts if shape else texts[0]
            if shape == (0,):
                return []  # Keras 2 writes no names as no numbers
            if kind.get_class() in NUMBERS and math.prod(shape) == 1:
                value = np.empty(shape, _number(kind, name))
                attribute.read(value)
                return value.item()
        raise Unreadable(f"its attribute {name!r} is neither a number nor a text")

    def _strings(self, owner, attribute, kind, shape, name):
        """A list of bytes."""
        if math.prod(shape) > TEXTS:
            raise Unreadable(f"its attribute {name!r} has too many texts")
        if kind.is_variable_str():
            texts = Texts(self._source.bytes_at)
            return texts.of_attribute(h5o.get_info(owner).addr, name, math.prod(shape), SMALL)
        strings = np.empty(shape, f"S{kind.get_size()}")
        attribute.read(strings)
        return strings.reshape(-1).tolist()


def _text(content):
    return printable(content.decode("utf-8", "replace"))


def printable(text):
    """A text with escapes for characters that a terminal would obey or not show."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _shape(space):
    """The shape of a data space; None of one without elements."""
    if space.get_simple_extent_type() == h5s.NULL:
        return None
    return space.get_simple_extent_dims()


def _number(kind, name):
    """The dtype of a type of integers or floating point numbers, as computers have them."""
    with contextlib.suppress(TypeError, ValueError):
        if kind.dtype.kind in "iuf" and h5t.py_create(kind.dtype).equal(kind):
            return kind.dtype
    raise Unreadable(f"its {name!r} has numbers of an unusual form")


def _dtype(kind, name):
    """The dtype of a type: numbers, strings of fixed length, lists and structures of them."""
    form = kind.get_class()
    if form in NUMBERS:
        return _number(kind, name)
    if form == h5t.STRING and not kind.is_variable_str() and kind.get_size() <= TEXT:
        return np.dtype(f"S{kind.get_size()}")
    if form == h5t.ARRAY and math.prod(kind.get_array_dims()) <= TEXTS:
        return np.dtype((_number(kind.get_super(), name), kind.get_array_dims()))
    if form == h5t.COMPOUND and kind.get_nmembers() <= TEXTS:
        numbers = range(kind.get_nmembers())
        members = [kind.get_member_type(number) for number in numbers]
        if not any(member.get_class() == h5t.COMPOUND for member in members):
            fields = {
                "names": [kind.get_member_name(number).decode() for number in numbers],
                "formats": [_dtype(member, name) for member in members],
                "offsets": [kind.get_member_offset(number) for number in numbers],
                "itemsize": kind.get_size(),
            }
            return np.dtype(fields)
    raise Unreadable(f"its {name!r} holds something other than numbers")


def _stored(source, identifier, name):
    """The `Stored` of an open data set, of which all that it claims has been checked."""
    plan = identifier.get_create_plist()  # before the data space, which could open other files
    layout = plan.get_layout()
    if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED) or plan.get_external_count():
        raise Unreadable(f"its {name!r} is stored in other files")
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    if not DECODERS.keys() >= set(filters):
        raise Unreadable(f"its {name!r} went through a filter that is not read here")
    kind = identifier.get_type()
    dtype, shape = _dtype(kind, name), _shape(identifier.get_space())
    if shape is None:
        raise Unreadable(f"its {name!r} is empty")
    size, chunk, origin = math.prod(shape) * dtype.itemsize, shape, (0,) * len(shape)
    if layout == h5d.CHUNKED and size:
        chunk = plan.get_chunk()
        places = _chunks(source, identifier, name, shape, chunk, dtype, filters)
    elif not size:
        places = {}
    elif identifier.get_storage_size() != size or layout == h5d.COMPACT and size > SMALL:
        raise Unreadable(f"its {name!r} is incomplete")
    elif layout == h5d.COMPACT:
        values = np.empty(shape, dtype)
        identifier.read(h5s.ALL, h5s.ALL, values, kind)
        source, places = Bytes(values.tobytes()), {origin: (0, size)}
    elif identifier.get_offset() is None:
        raise Unreadable(f"its {name!r} is incomplete")
    else:
        places = {origin: (identifier.get_offset(), size)}
    if layout != h5d.COMPACT:
        _inside(source, places, name)
    return Stored(source, name, shape, dtype, chunk, places, filters)


def _chunks(source, identifier, name, shape, chunk, dtype, filters):
    """The (offset, size) of each chunk, by the place of its first element."""
    count = math.prod(-(-side // part) for side, part in zip(shape, chunk))
    size = math.prod(chunk) * dtype.itemsize
    if size > CHUNK:
        raise Unreadable(f"its {name!r} has chunks that are too large")
    stored = size + 4 * filters.count(FLETCHER32)
    most = RATIO * source.size + CHUNK if DEFLATE in filters else source.size
    found = []

    def note(chunk):
        found.append(chunk)
        return True if len(found) > count else None  # which ends it

    if count * size <= most:
        identifier.chunk_iter(note)
    found = {each.chunk_offset: each for each in found}
    if len(found) != count or any(place not in found for place in _starts(shape, chunk)):
        raise Unreadable(f"its {name!r} is incomplete")
    if any(
        each.filter_mask or DEFLATE not in filters and each.size != stored
        for each in found.values()
    ):
        raise Unreadable(f"its {name!r} has chunks of different forms")
    return {place: (each.byte_offset, each.size) for place, each in found.items()}


def _starts(shape, chunk):
    """The places of the first elements of all chunks."""
    return itertools.product(*(range(0, side, part) for side, part in zip(shape, chunk)))


def _inside(source, places, name):
    """Raise `Unreadable` if a chunk lies outside the file, or they are more than the file."""
    if any(offset + size > source.size - source.start for offset, size in places.values()):
        raise Unreadable("it is truncated")
    if sum(size for _, size in places.values()) > source.size:
        raise Unreadable(f"its {name!r} is larger than the file")
