"""Texts of variable length in the attributes of an HDF5 file, without the HDF5 library.

The library reserves the memory that such a text claims, 4 GB for one damaged byte, and walks some
damaged heaps for ever. The layout is that of the "HDF5 File Format Specification", sections III.E
(global heap), III.A.2 and III.G (version 2 B-trees and fractal heaps, where newer files have the
attributes of an object with many), IV.A.1 (object headers, versions 1 and 2), IV.A.2.m (attribute
message) and IV.A.2.v (attribute info message).
"""

import bisect
import itertools
import struct

from age_gender.stored import Unreadable

MESSAGES, MESSAGE = 5000, 2**16  # of an object, and bytes of one
RECORDS = 1000  # of a B-tree
HEAP = 2**20  # bytes of a collection of texts
ATTRIBUTE, CONTINUATION, ELSEWHERE = 0x0C, 0x10, 0x15  # types of messages
NOWHERE = 2**64 - 1
NODES, WIDTHS = 2**16, 2**10  # bytes of a node of a B-tree, blocks in a row of a fractal heap


class Texts:
    """Finds the texts of attributes.

    Args:
        read: function of a number of bytes and an offset that returns the bytes.
    """

    def __init__(self, read):
        self._read = read
        self._heaps = {}
        version = read(1, 8)[0]
        if read(2, 13 if version < 2 else 9) != b"\x08\x08":
            raise Unreadable("its addresses are of an unusual size")

    def of_attribute(self, address, name, count, most):
        """The bytes of the texts of an attribute, a list.

        Args:
            address: of the object header.
            name: of the attribute.
            count: number of texts.
            most: bytes of a text.

        Raises `Unreadable` if they cannot be found.
        """
        for kind, body in self._messages(address):
            if kind == ATTRIBUTE and (data := _data_of(body, name.encode())) is not None:
                places = struct.iter_unpack("<IQI", data[: 16 * count])
                found = [self._text(*place, most) for place in places]
                if len(found) == count:
                    return found
        raise Unreadable(f"its attribute {name!r} is damaged, or of an unusual form")

    def _messages(self, address):
        """The (type, content) of the messages of an object header."""
        head = self._read(16, address)
        if head[:4] == b"OHDR":
            flags = head[5]
            first = 6 + 16 * (flags >> 5 & 1) + 4 * (flags >> 4 & 1)
            width = 1 << (flags & 3)
            size = int.from_bytes(self._read(width, address + first), "little")
            parts, form = [(address + first + width, size)], "<BHBH" if flags & 4 else "<BHB"
        else:
            parts, form = [(address + 16, struct.unpack_from("<I", head, 8)[0])], "<HHI"
        seen, many = 0, []
        while parts and seen < MESSAGES:
            offset, size = parts.pop(0)
            part = self._read(min(size, HEAP), offset)
            place = 4 if part[:4] == b"OCHK" else 0
            while place + struct.calcsize(form) <= len(part):
                kind, length = struct.unpack_from(form, part, place)[:2]
                place += struct.calcsize(form)
                body = part[place : place + length]
                if kind == CONTINUATION and length >= 16:
                    parts.append(struct.unpack_from("<QQ", body))
                yield kind, body
                if kind == ELSEWHERE and length >= 18:
                    many = struct.unpack_from("<QQ", body, 4 if body[1] & 1 else 2)
                place += length
                seen += 1
        if many and NOWHERE not in many:
            for body in self._in_heap(*many):
                yield ATTRIBUTE, body

    def _in_heap(self, heap, index):
        """The attribute messages in a fractal heap, found by a B-tree of their names."""
        head = self._read(142, heap)
        width, least, most, bits, _, root, rows = struct.unpack_from("<HQQHHQH", head, 110)
        width_of_place = -(-bits // 8)
        if head[:4] != b"FRHP" or not 0 < width <= WIDTHS or not least or rows > 64:
            raise Unreadable("its attributes are damaged")
        blocks = [(0, root)]  # the first place of each, and where it lies in the file
        if rows:
            first = 0
            entries = self._read(8 * width * rows, root + 13 + width_of_place)
            for number, (address,) in enumerate(struct.iter_unpack("<Q", entries)):
                size = least << max(0, number // width - 1)
                if size > most:
                    break
                blocks.append((first, address))
                first += size
            del blocks[0]
        for record in itertools.islice(self._records(index), RECORDS):
            place = int.from_bytes(record[1 : 1 + width_of_place], "little")
            length = int.from_bytes(record[1 + width_of_place : 8], "little")
            begin, address = blocks[bisect.bisect_right(blocks, (place, NOWHERE)) - 1]
            if not record[0] >> 4 & 3 and not record[8] and address != NOWHERE:
                yield self._read(min(length, MESSAGE), address + place - begin)

    def _records(self, index):
        """The records of a B-tree of up to two levels, each of 17 bytes."""
        head = self._read(26, index)
        size, width, depth, root, count = struct.unpack_from("<IHH2xQH", head, 6)
        if head[:4] != b"BTHD" or head[5] != 8 or width != 17 or depth > 1 or size > NODES:
            raise Unreadable("its attributes are damaged, or too many")
        nodes = [(root, count)]
        if depth:
            digits = 1 if (size - 10) // width < 256 else 2  # bytes of a number of records
            pointers = self._read((8 + digits) * (count + 1), root + 6 + width * count)
            for start in range(0, len(pointers), 8 + digits):
                pointer = pointers[start : start + 8 + digits]
                address, records = pointer[:8], pointer[8:]
                nodes.append((int.from_bytes(address, "little"), int.from_bytes(records, "little")))
        for address, count in nodes:
            content = self._read(width * count, address + 6)
            yield from (content[start : start + width] for start in range(0, len(content), width))

    def _text(self, length, address, number, most):
        if not length:
            return b""
        if address not in self._heaps:
            self._heaps[address] = self._heap(address)
        text = self._heaps[address].get(number, b"")
        if not length <= len(text) or length > most:
            raise Unreadable("it has a text that is damaged or too long")
        return text[:length]

    def _heap(self, address):
        """The objects of a collection of the global heap, by number."""
        magic, size = struct.unpack("<4s4xQ", self._read(16, address))
        if magic != b"GCOL" or size > HEAP:
            raise Unreadable("its texts are damaged")
        content, place, found = self._read(size, address), 16, {}
        while place + 16 <= len(content):
            number, length = struct.unpack_from("<H6xQ", content, place)
            if not number:  # the rest is free
                break
            found[number] = content[place + 16 : place + 16 + length]
            place += 16 + -(-length // 8) * 8
        return found


def _data_of(body, name):
    """The data of an attribute message, if it is that of the attribute of a name; else None."""
    version, flags, *sizes = struct.unpack_from("<BBHHH", body)
    start = 9 if version == 3 else 8
    if flags and version > 1 or body[start : start + sizes[0]].rstrip(b"\0") != name:
        return None
    return body[start + sum(-(-size // 8) * 8 if version == 1 else size for size in sizes) :]
