"""A detected face: its box, and the picture around it."""

import dataclasses
import math

import dlib

from age_gender.detection import turning

SAME = 0.3  # overlap above which two boxes are of one face


@dataclasses.dataclass(frozen=True)
class Face:
    """A detected face: its box in pixels of the whole picture, which it may exceed.

    Attributes:
        left, top, width, height: of the box.
        score: confidence of the detector; None if none was run.
        turn: degrees by which the face is turned clockwise; 0 if it stands upright, more or less.
            The box has the same centre and size as that of the upright face.
    """

    left: int
    top: int
    width: int
    height: int
    score: float | None = None
    turn: int = 0

    def scaled(self, factor):
        """The same face in the picture resized by ``factor``."""
        numbers = (self.left, self.top, self.width, self.height)
        return Face(*(round(number * factor) for number in numbers), self.score, self.turn)

    def moved(self, right, down):
        """The same face, moved by so many pixels."""
        return dataclasses.replace(self, left=self.left + right, top=self.top + down)

    def turned(self, degrees, before, after):
        """The same face when the picture is turned, as by `turning.turned_point`."""
        x, y = self.left + self.width / 2, self.top + self.height / 2
        x, y = turning.turned_point(x, y, degrees, before, after)
        left, top = round(x - self.width / 2), round(y - self.height / 2)
        return Face(left, top, self.width, self.height, self.score, (self.turn - degrees) % 360)

    def overlap(self, other):
        """Intersection over union of two boxes, 0 to 1."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        shared = max(across, 0) * max(down, 0)
        return shared / (self.width * self.height + other.width * other.height - shared)

    def inside(self, image):
        """The part of the box inside ``image``: (left, top, width, height)."""
        height, width = image.shape[:2]
        left, top = max(self.left, 0), max(self.top, 0)
        right = min(self.left + self.width, width)
        bottom = min(self.top + self.height, height)
        return left, top, max(right - left, 1), max(bottom - top, 1)

    def rectangle(self):
        """The box as a dlib rectangle, whose right and bottom are the last pixels inside."""
        return dlib.rectangle(
            self.left, self.top, self.left + self.width - 1, self.top + self.height - 1
        )


def in_order(found):
    """The faces from left to right, without those that overlap one of higher score."""
    kept = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(face.overlap(other) < SAME for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: (face.left, face.top))


def around(image, face, reach):
    """What lies up to so many widths from a face's centre: left, top, right, bottom in pixels."""
    height, width = image.shape[:2]
    reach = math.ceil(reach * face.width)
    x, y = face.left + face.width // 2, face.top + face.height // 2
    return max(x - reach, 0), max(y - reach, 0), min(x + reach, width), min(y + reach, height)


def upright(image, face, reach=1.0):
    """What is around a face, turned so that the face stands upright.

    Args:
        image: (H, W, 3) uint8 BGR.
        face: a `Face` in it.
        reach: how much around its box is needed, in widths of it.

    Returns:
        ((H, W, 3) uint8 BGR, the `Face` in it); picture and face themselves if that is upright.
    """
    if not face.turn:
        return image, face
    diagonal = 1 if face.turn % 90 == 0 else 2**0.5
    left, top, right, bottom = around(image, face, (0.5 + reach) * diagonal + 0.05)
    part = image[top:bottom, left:right]
    turned = turning.turned(part, face.turn)
    return turned, face.moved(-left, -top).turned(face.turn, part.shape, turned.shape)
