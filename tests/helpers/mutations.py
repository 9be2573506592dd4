"""Damages files: at random in any file, and by the structure of HDF5, MATLAB, NumPy and text files.

Everything is drawn from a `numpy.random.Generator`, so that a seed repeats it.
"""

import io
import os
import pickle
import struct
import zipfile
import zlib

import h5py
import numpy as np

NUMBERS = (0, 1, -1, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**63 - 1)
TOKENS = (
    *("nan", "-inf", "1e999", "-1", "1" * 400, "", '"', ";", ",", "\0", "\ufeff", "é", "[[[[", "{"),
    *("null", "true", "\r", "\n", "=1+1", "../../x", "\x1b[2J", "\ud83d\ude00", "%s", "0x1F"),
)


def flip(content, rng):
    """Flip some bits."""
    data = bytearray(content)
    for place in rng.integers(len(data), size=rng.integers(1, 30)):
        data[place] ^= 1 << rng.integers(8)
    return bytes(data)


def cut(content, rng):
    """Leave out the end."""
    return content[: rng.integers(len(content))]


def overwrite(content, rng):
    """Put zeros, ones or noise over a stretch."""
    start = int(rng.integers(len(content)))
    length = int(min(len(content) - start, 2 ** rng.integers(14)))
    filling = (bytes(length), b"\xff" * length, rng.bytes(length))[rng.integers(3)]
    return content[:start] + filling + content[start + length :]


def move(content, rng):
    """Repeat, leave out or insert a stretch elsewhere."""
    start, end = sorted(rng.integers(len(content) + 1, size=2))
    place = int(rng.integers(len(content) + 1))
    if rng.integers(2):
        return content[:start] + content[end:]
    return content[:place] + content[start : min(end, start + 2**16)] + content[place:]


def number(content, rng):
    """Put a whole number of some size and byte order at some place, more often near the start."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        size = (1, 2, 4, 8)[rng.integers(4)]
        value = NUMBERS[rng.integers(len(NUMBERS))] % 256**size
        place = int(len(data) * rng.random() ** (1 + 3 * rng.integers(2)))
        data[place : place + size] = value.to_bytes(size, ("little", "big")[rng.integers(2)])
    return bytes(data)


ANYWHERE = (flip, cut, overwrite, move, number)


def anywhere(content, rng):
    """Damage the bytes of any file."""
    for _ in range(rng.integers(1, 3)):
        content = ANYWHERE[rng.integers(len(ANYWHERE))](content or b"\0", rng)
    return content


def text(content, rng):
    """Replace words of a text file, or damage its bytes."""
    if not rng.integers(4):
        return anywhere(content, rng)
    words = content.decode().replace(",", " , ").replace("\n", " \n ").split(" ")
    for place in rng.integers(len(words), size=rng.integers(1, 5)):
        words[place] = TOKENS[rng.integers(len(TOKENS))]
    encoding = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1")[rng.integers(5)]
    return "".join(words).encode(encoding, "surrogatepass" if "utf" in encoding else "replace")


class Marker:
    """Pickled data that makes a file of this name when it is read as such."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class Hdf5:
    """Changes the structure of an HDF5 file.

    Args:
        folder: for files that are linked to; it has one of known content.
    """

    PATTERN = struct.pack("<f", 123.456789) + b"\xa5\x5a"  # of the file that must not be read

    def __init__(self, folder):
        self.marker = folder / "executed"
        self.foreign = folder / "foreign.bin"
        self.foreign.write_bytes(self.PATTERN * 50_000)
        self.library = folder / "foreign.h5"
        with h5py.File(self.library, "w") as file:
            file["data"] = np.frombuffer(self.PATTERN * 10_000, np.uint8)
        self.pipe = folder / "pipe.h5"
        if hasattr(os, "mkfifo"):
            os.mkfifo(self.pipe)

    def __call__(self, content, rng):
        if not rng.integers(3):
            return anywhere(content, rng)
        stream = io.BytesIO(content)
        with h5py.File(stream, "r+") as file:
            for _ in range(rng.integers(1, 3)):
                names = []
                file.visit(names.append)
                objects = [file, *(file[name] for name in names)]
                chosen = objects[rng.integers(len(objects))]
                try:
                    if isinstance(chosen, h5py.Dataset) and rng.integers(3):
                        self._dataset(file, chosen, rng)
                    elif len(chosen.attrs) and rng.integers(4):
                        self._attribute(chosen, rng)
                    elif chosen.name != "/":
                        self._link(file, chosen.name, rng)
                except (ValueError, RuntimeError, OSError, KeyError, TypeError, AttributeError):
                    continue  # HDF5 itself refuses to write this
        content = stream.getvalue()
        return content if rng.integers(4) else anywhere(content, rng)

    def _attribute(self, chosen, rng):
        names = list(chosen.attrs)
        name = names[rng.integers(len(names))]
        values = (
            *(np.nan, -1, 0, 10**18, 1e300, np.inf, "", "x" * 40_000, "\x1b[2J\n", b"\xff\xfe"),
            *(np.zeros((3, 3)), np.arange(10_000), np.zeros(0), h5py.Empty("f"), True, 1 + 2j),
            np.array(["a", "b"], dtype=h5py.string_dtype()),
            np.void(pickle.dumps(Marker(self.marker), 0)),
            np.bytes_(pickle.dumps(Marker(self.marker), 0)),
            np.zeros(2, [("a", "i4"), ("b", "f8")]),
            chosen.ref,
        )
        kind = rng.integers(8)
        if kind == 0:
            del chosen.attrs[name]
        elif kind == 1:
            for extra in range(300):
                chosen.attrs[f"{name}{extra}"] = extra
        elif kind == 2:
            old = chosen.attrs[name]
            chosen.attrs[name] = np.repeat(np.atleast_1d(old), 3)
        else:
            chosen.attrs[name] = values[rng.integers(len(values))]

    def _dataset(self, file, chosen, rng):
        name, shape, dtype = chosen.name, chosen.shape or (), chosen.dtype
        attributes = dict(chosen.attrs)
        size = int(np.prod(shape)) * dtype.itemsize or 8
        if size > 2**24:  # it has been changed already
            return
        kind, before = rng.integers(10), chosen[()]
        del file[name]
        if kind == 0:
            external = [(str(self.foreign), 0, size)]
            file.create_dataset(name, shape, dtype, external=external)
        elif kind == 1:
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource(str(self.library), "data", shape, dtype)
            file.create_virtual_dataset(name, layout)
        elif kind == 2:  # nothing is stored of what is claimed
            huge = (2 ** int(rng.integers(20, 40)), *shape[1:])
            file.create_dataset(name, huge, dtype, chunks=(1, *shape[1:]), fillvalue=1)
        elif kind == 3:
            huge = (2 ** int(rng.integers(20, 33)), *shape[1:])
            file.create_dataset(name, huge, dtype, chunks=(2**16,) + (1,) * (len(huge) - 1))
        elif kind == 4:
            other = ("f8", "i1", "u8", "c16", "S5", "V7", ">f4", "f2", "?")[rng.integers(9)]
            file.create_dataset(name, shape, other)
        elif kind == 5:
            strings = np.full(shape, "text", object)
            file.create_dataset(name, data=strings, dtype=h5py.string_dtype())
        elif kind == 6:
            file.create_dataset(name, shape, h5py.ref_dtype)
        elif kind == 7:
            file[name] = before.reshape(-1)[: rng.integers(before.size + 1)]
        elif kind == 8:
            options = ({"compression": "lzf"}, {"compression": "gzip"}, {"scaleoffset": 2})
            filters = options[rng.integers(3)]
            file.create_dataset(name, data=before, **filters)
        else:
            file[name] = h5py.Empty(dtype)
        for key, value in attributes.items():
            file[name].attrs[key] = value

    def _link(self, file, name, rng):
        kind = rng.integers(6)
        if kind == 5:  # by another name besides
            file[f"{name}_"] = file[name]
            return
        del file[name]
        if kind == 0:
            file[name] = h5py.SoftLink(name)
        elif kind == 1:
            file[name] = h5py.SoftLink("/")
        elif kind == 2:
            file[name] = h5py.ExternalLink(str(self.library), "data")
        elif kind == 3:
            file[name] = h5py.ExternalLink(str(self.pipe), "/")
        elif rng.integers(2):
            file.create_group(name)


def matlab5(content, rng):
    """Change what is inside the compressed elements of a MATLAB 5 file, or its bytes."""
    if not rng.integers(3):
        return anywhere(content, rng)
    head, place, elements = content[:128], 128, []
    while place + 8 <= len(content):
        kind, size = struct.unpack("<II", content[place : place + 8])
        elements.append((kind, content[place + 8 : place + 8 + size]))
        place += 8 + size
    chosen = rng.integers(len(elements))
    for index, (kind, data) in enumerate(elements):
        if index == chosen:
            compressed = kind == 15
            inside = zlib.decompress(data) if compressed else data
            inside = (flip, number, cut, overwrite)[rng.integers(4)](inside, rng)
            data = zlib.compress(inside) if compressed else inside
        head += struct.pack("<II", kind, len(data)) + data
    return head


class Npz:
    """Changes the members of a NumPy archive.

    Args:
        folder: as in `Hdf5`.
    """

    def __init__(self, folder):
        self.marker = folder / "executed"

    def __call__(self, content, rng):
        if not rng.integers(3):
            return anywhere(content, rng)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
        chosen = int(rng.integers(len(members)))
        name, data = members[chosen]
        kind, method = rng.integers(7), zipfile.ZIP_STORED
        if kind == 0:
            del members[chosen]
        elif kind == 1:
            members.append((name, data))  # of which zipfile warns
        elif kind == 2:
            objects = io.BytesIO()
            np.save(objects, np.array([Marker(self.marker)], object), allow_pickle=True)
            members[chosen] = name, objects.getvalue()
        elif kind == 3:
            members[chosen] = name, pickle.dumps(Marker(self.marker))
        elif kind == 4:  # claims more than there is
            shapes = [(2**40,), (2**20, 2**20), (-1, 32), (10**9, 32), ()]
            header = io.BytesIO()
            shape = shapes[rng.integers(len(shapes))]
            what = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(header, what)
            members[chosen] = name, header.getvalue() + bytes(64)
        elif kind == 5:  # a few kilobytes that become a gigabyte
            header = io.BytesIO()
            what = {"descr": "|u1", "fortran_order": False, "shape": (2**28, 4)}
            np.lib.format.write_array_header_1_0(header, what)
            members[chosen] = name, header.getvalue() + bytes(2**24)
            method = zipfile.ZIP_DEFLATED
        else:
            members[chosen] = name, anywhere(data, rng)
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", method) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return written.getvalue()
