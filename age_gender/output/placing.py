"""Finds places for the labels of faces: near their faces, and on none of them.

The box of a face ends at the eyebrows: its head, which labels leave free, reaches higher.
"""

from typing import NamedTuple

import numpy as np

FOREHEAD = 0.45  # of the height of a box, above it
EARS = 0.06  # of the width of a box, to either side
STEADY = 1.25  # factor by which the size for a face must change before that of its label does
FORGOTTEN = 60  # pictures after which the label of a face that is gone is forgotten


class Memory:
    """Where the labels of a video are: each keeps its side and size while its face keeps its place.

    Hand the same one to `drawing.annotate` with each picture.
    """

    def __init__(self):
        self._letters = {}  # number of a face: size of its letters
        self._places = {}  # number of a face: (side, step)
        self._unseen = {}  # number of a face: pictures since it was there

    def letter(self, number, letter):
        """The size for the letters of a face: that of before, unless it changes by `STEADY`."""
        before = self._letters.get(number)
        if before is not None and before / STEADY < letter < before * STEADY:
            return before
        self._letters[number] = letter
        if before is not None and number in self._places:
            self._places[number] = self._places[number][0], 0
        return letter

    def place(self, number):
        """The side of the label of a face and how many steps smaller it is, or None."""
        return self._places.get(number)

    def keep(self, number, side, step):
        """Remember the place of the label of a face."""
        self._places[number] = side, step

    def forget(self, present):
        """Note whose faces a picture has: the others are forgotten after `FORGOTTEN` pictures."""
        for number in self._letters.keys() - set(present):
            self._unseen[number] = self._unseen.get(number, 0) + 1
            if self._unseen[number] > FORGOTTEN:
                for each in (self._letters, self._places, self._unseen):
                    each.pop(number, None)
        for number in present:
            self._unseen.pop(number, None)


# Where a label goes, best first: (left, top) of a label of (width, height) at a box, and whether it
# may be shifted along x or y to be inside the picture.
SIDES = {
    "right": (lambda box, w, h: (box.right, box.top), (0, 1)),
    "left": (lambda box, w, h: (box.left - w, box.top), (0, 1)),
    "right of the chin": (lambda box, w, h: (box.right, box.bottom - h), (0, 1)),
    "left of the chin": (lambda box, w, h: (box.left - w, box.bottom - h), (0, 1)),
    "below": (lambda box, w, h: (box.left, box.bottom), (1, 0)),
    "below, to the left": (lambda box, w, h: (box.right - w, box.bottom), (1, 0)),
    "above": (lambda box, w, h: (box.left, box.hair - h), (1, 0)),
    "above, to the left": (lambda box, w, h: (box.right - w, box.hair - h), (1, 0)),
    "right, below": (lambda box, w, h: (box.right, box.bottom), (0, 0)),
    "left, below": (lambda box, w, h: (box.left - w, box.bottom), (0, 0)),
    "right, above": (lambda box, w, h: (box.right, box.top - h), (0, 0)),
    "left, above": (lambda box, w, h: (box.left - w, box.top - h), (0, 0)),
}


class Head(NamedTuple):
    """The edges of a head in pixels: ``top`` and ``bottom`` are those of the face's box."""

    left: int
    hair: int
    right: int
    bottom: int
    top: int

    @classmethod
    def of(cls, box):
        """The head of a box (left, top, width, height)."""
        left, top, width, height = box
        ear = round(EARS * width)
        hair = top - round(FOREHEAD * height)
        return cls(left - ear, hair, left + width + ear, top + height, top)


class Placer:
    """Places the labels of one picture.

    Args:
        size: width and height of the picture.
        boxes: list of (left, top, width, height) of its faces.
        memory: `Memory`, or None.
    """

    def __init__(self, size, boxes, memory=None):
        self._size = size
        self._memory = memory
        self._heads = [Head.of(box) for box in boxes]
        self._boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes]).reshape(-1, 4)
        self._taken = np.array([head[:4] for head in self._heads], float).reshape(-1, 4)

    def order(self, numbers):
        """Indices of the faces in the order of placing: labels that are kept go first."""
        place = self._memory.place if self._memory else lambda number: None
        return sorted(range(len(numbers)), key=lambda index: place(numbers[index]) is None)

    def place(self, index, number, sizes, anywhere):
        """Place the label of a face.

        Args:
            index: of the face among the boxes.
            number: under which the place is remembered, or None.
            sizes: list of (width, height), best first.
            anywhere: where nothing is free, take what hides least.

        Returns:
            The position (left, top) and the index of the size; None if there is no place.
        """
        head = self._heads[index]
        kept = self._memory.place(number) if self._memory and number is not None else None
        choices = [(side, step) for step in range(len(sizes)) for side in SIDES]
        if kept is not None:
            choices.insert(0, kept)
        for side, step in choices:
            step = min(step, len(sizes) - 1)
            size, (corner, shifts) = sizes[step], SIDES[side]
            wished = corner(head, *size)
            position = self._into_picture(wished, size)
            moved = [a != b for a, b in zip(position, wished)]
            if min(position) < 0 or any(each and not may for each, may in zip(moved, shifts)):
                continue
            if self._hidden(position, size) == 0 and self._nearest(position, size) == index:
                return self._take(number, side, position, step, size)
        if not anywhere:
            return None
        step, size = len(sizes) - 1, sizes[-1]
        places = {
            side: self._into_picture(corner(head, *size), size)
            for side, (corner, _) in SIDES.items()
        }
        side = min(places, key=lambda side: self._hidden(places[side], size))
        return self._take(number, side, places[side], step, size)

    def _into_picture(self, position, size):
        """The position moved into the picture; negative if the label is larger than that."""
        return tuple(
            min(max(start, 0), limit - length)
            for start, length, limit in zip(position, size, self._size)
        )

    def _hidden(self, position, size):
        """Pixels of heads and other labels that a label would hide."""
        (x, y), (width, height) = position, size
        left, top, right, bottom = self._taken.T
        across = np.minimum(right, x + width) - np.maximum(left, x)
        down = np.minimum(bottom, y + height) - np.maximum(top, y)
        return float((np.maximum(across, 0) * np.maximum(down, 0)).sum())

    def _nearest(self, position, size):
        """Index of the face whose box is the nearest to a label: a reader takes it for its."""
        (x, y), (width, height) = position, size
        left, top, right, bottom = self._boxes.T
        across = np.maximum(np.maximum(left - x - width, x - right), 0)
        down = np.maximum(np.maximum(top - y - height, y - bottom), 0)
        return int(np.argmin(np.hypot(across, down)))

    def _take(self, number, side, position, step, size):
        (x, y), (width, height) = position, size
        self._taken = np.vstack([self._taken, (x, y, x + width, y + height)])
        if self._memory and number is not None:
            self._memory.keep(number, side, step)
        return position, step
