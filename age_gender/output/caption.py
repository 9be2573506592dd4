"""The picture of a kiosk: that of the camera, and below it a caption that hides nothing of it."""

import dataclasses
import functools

import cv2
import numpy as np

from age_gender.output import text
from age_gender.output.drawing import COLOUR, annotated

GROUND = (28, 24, 22)  # BGR, of the caption and around the picture
QUIET = (190, 185, 180)  # of its second line
DARK = (40, 30, 25)  # of the letters on keys
LETTERS = 40  # capital letters are a 40th of the height, or of 3/4 of the width, of the whole
FIRST = 1.2  # size of the first line, in letters
ROWS = 8  # height of the caption in letters


@dataclasses.dataclass(frozen=True)
class Caption:
    """What a caption says.

    Attributes:
        text: the first line.
        detail: the second, less prominent one.
        keys: tuple of (key, what it does).
        asks: it is a question, for which the caption changes its colour.
    """

    text: str
    detail: str = ""
    keys: tuple = ()
    asks: bool = False


def captioned(shown, caption, size=None, parts=None, memory=None, counting=0, flashing=False):
    """The picture of a kiosk, a new one.

    Args:
        shown: `player.Shown`; its message is not drawn.
        caption: `Caption`.
        size: width and height of the whole, such as those of the screen; None for the size of the
            frame with the caption below.
        parts, memory: of the labels, see `drawing.annotated`.
        counting: number that is counted down, 0 for none.
        flashing: whether a frame is captured in this moment.
    """
    h, w = shown.frame.image.shape[:2]
    letter = max(8, min(size[1], size[0] * 3 // 4) // LETTERS) if size else max(10, h // LETTERS)
    height = round(ROWS * letter)
    width, whole = size or (w, h + height)
    room = max(whole - height, 1)
    shown = _scaled(shown._replace(message=None), min(width / w, room / h))
    picture = annotated(shown, parts=parts, memory=memory)
    picture = picture[:room, :width]
    if counting:
        _draw_number(picture, counting)
    if flashing:
        picture = cv2.addWeighted(picture, 0.25, np.full_like(picture, 255), 0.75, 0)
    canvas = np.empty((whole, width, 3), np.uint8)
    canvas[:room] = GROUND
    left, top = (width - picture.shape[1]) // 2, (room - picture.shape[0]) // 2
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    canvas[room:] = _drawn_caption(caption, width, whole - room, letter)
    return canvas


def _scaled(shown, factor):
    """A `player.Shown` whose picture is resized: quickly, since it is done for each frame."""
    image = shown.frame.image
    size = [max(1, round(side * factor)) for side in image.shape[1::-1]]
    if size == list(image.shape[1::-1]):
        return shown
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    faces = [dataclasses.replace(each, face=each.face.scaled(factor)) for each in shown.faces]
    return shown._replace(
        frame=shown.frame._replace(image=cv2.resize(image, size, interpolation=way)), faces=faces
    )


@functools.lru_cache(4)
def _drawn_caption(caption, width, height, letter):
    """The lines and the keys of a caption, in the middle of a picture of this size."""
    canvas = np.full((height, width, 3), COLOUR if caption.asks else GROUND, np.uint8)
    margin = 2 * letter
    lines = [(caption.text, round(FIRST * letter), text.WHITE)]
    if caption.detail:
        lines.append((caption.detail, letter, text.WHITE if caption.asks else QUIET))
    rows = len(lines) + bool(caption.keys)
    for row, (line, largest, colour) in enumerate(lines):
        fitting = text.fitting(line, width - 2 * margin, largest)
        foot = _foot(row, rows, height, letter)
        left = (width - text.width_of(line, fitting)) // 2
        text.draw(canvas, line, left, foot, fitting, colour)
    if caption.keys:
        _draw_keys(canvas, caption.keys, _foot(rows - 1, rows, height, letter), letter)
    canvas.flags.writeable = False  # it is shared
    return canvas


def _foot(row, rows, height, letter):
    """Where the letters of a row stand, of rows in the middle of a height."""
    return round(height / 2 + 2.3 * letter * (row - (rows - 1) / 2) + letter / 2)


def _draw_keys(canvas, keys, foot, letter):
    """Draw keys in the middle of a row, each with what it does, in place."""
    gap = letter
    widths = [
        (text.width_of(key, letter) + 2 * gap, text.width_of(effect, letter))
        for key, effect in keys
    ]
    total = sum(cap + effect + gap for cap, effect in widths) + 3 * gap * (len(keys) - 1)
    left = max((canvas.shape[1] - total) // 2, 0)
    for (key, effect), (cap, length) in zip(keys, widths):
        _draw_cap(canvas, left, foot + letter // 2, cap, 2 * letter)
        text.draw(canvas, key, left + gap, foot, letter, DARK)
        text.draw(canvas, effect, left + cap + gap, foot, letter)
        left += cap + length + 4 * gap


def _draw_cap(canvas, left, bottom, width, height):
    """Draw the rounded white rectangle of a key, in place."""
    radius, line = height // 5, cv2.LINE_AA
    top, right = bottom - height, left + width
    corners = [(left + radius, top + radius), (right - radius, bottom - radius)]
    (x, y), (x2, y2) = corners
    for centre in [(x, y), (x2, y), (x, y2), (x2, y2)]:
        cv2.circle(canvas, centre, radius, text.WHITE, cv2.FILLED, line)
    cv2.rectangle(canvas, (x, top), (x2, bottom), text.WHITE, cv2.FILLED)
    cv2.rectangle(canvas, (left, y), (right, y2), text.WHITE, cv2.FILLED)


def _draw_number(picture, number):
    """Draw a large number on a disk at the foot of a picture, where faces are not, in place."""
    height, width = picture.shape[:2]
    letter = max(8, min(height, width) // 9)
    radius = round(1.1 * letter)
    middle = width // 2, height - round(1.4 * letter)
    disk = picture.copy()
    cv2.circle(disk, middle, radius, GROUND, cv2.FILLED, cv2.LINE_AA)
    cv2.addWeighted(disk, 0.75, picture, 0.25, 0, dst=picture)
    shown = str(number)
    left = middle[0] - text.width_of(shown, letter) // 2
    text.draw(picture, shown, left, middle[1] + letter // 2, letter)
