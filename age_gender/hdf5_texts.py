"""Texts of variable length in the attributes of an HDF5 file, without the HDF5 library.

The library reserves the memory that such a text claims, 4 GB for one damaged byte, and walks some
damaged heaps for ever. The layout is that of the "HDF5 File Format Specification", sections III.E
(global heap), IV.A.1 (object headers, versions 1 and 2) and IV.A.2.m (attribute message).
"""

import struct

from age_gender.stored import Unreadable

MESSAGES = 5000  # of an object
HEAP = 2**20  # bytes of a collection of texts
ATTRIBUTE, CONTINUATION = 0x0C, 0x10  # types of messages


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
        seen = 0
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
                place += length
                seen += 1

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
