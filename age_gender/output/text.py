"""Text in pictures, with letters of Latin, Greek and Cyrillic alphabets.

The letters are those of a font that ships, drawn by Pillow; a text is rendered once and kept, so
that a label costs little in each frame of a camera.
"""

import functools
from pathlib import Path

import numpy as np
from PIL import ImageFont

FONT = Path(__file__).parent / "font/DejaVuSansCondensed.ttf"
CAPITAL = 0.729  # height of a capital letter as a share of the font's size
ASCENT, DESCENT = 0.93, 0.24  # the same of what is above and below the line, accents included
KEPT = 128  # rendered texts

WHITE = (255, 255, 255)


@functools.lru_cache(16)
def _font(letter):
    # Its other layout engine is missing in some builds, and fails on a line break.
    return ImageFont.truetype(FONT, letter / CAPITAL, layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(KEPT)
def coverage(text, letter):
    """How much of each pixel a line of text covers: (H, W) uint8; H depends on ``letter`` alone.

    Args:
        text: one line.
        letter: height of a capital letter in pixels.
    """
    width = width_of(text, letter)
    ascent, descent = (round(letter / CAPITAL * share) for share in (ASCENT, DESCENT))
    covered = np.zeros((ascent + descent, width), np.uint8)
    mask, (left, top) = _font(letter).getmask2(_encodable(text), "L", anchor="ls")
    if 0 not in mask.size:
        letters = np.array(mask, np.uint8).reshape(mask.size[::-1])
        _paste(covered, letters, left, ascent + top, np.maximum)
    covered.flags.writeable = False  # it is shared
    return covered


def width_of(text, letter):
    """Width in pixels of a line of text with capital letters of a height of ``letter`` pixels."""
    return max(1, round(_font(letter).getlength(_encodable(text))))


def _encodable(text):
    """The text without what is no character: a file name may hold any bytes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def height_of(letter):
    """Height in pixels of a line of text, accents included."""
    return sum(round(letter / CAPITAL * share) for share in (ASCENT, DESCENT))


def base_of(letter):
    """Distance in pixels from the top of a line of text to the foot of its letters."""
    return round(letter / CAPITAL * ASCENT)


def draw(image, text, left, foot, letter, colour=WHITE):
    """Draw a line of text in place; what is outside the picture is left out.

    Args:
        image: (H, W, 3) uint8 BGR.
        text: one line.
        left, foot: where the first letter begins and stands, in pixels.
        letter: height of a capital letter in pixels.
        colour: BGR.
    """

    def blend(under, covered):
        share = covered[..., None].astype(np.float32) / 255
        return np.rint(under + (np.float32(colour) - under) * share)

    _paste(image, coverage(text, letter), left, foot - base_of(letter), blend)


def fitting(text, width, letter):
    """The largest size up to ``letter``, at least 6 pixels, at which a text is at most ``width``
    pixels wide."""
    return max(6, min(letter, int(letter * width / width_of(text, letter))))


def _paste(image, patch, left, top, blend):
    """Put ``blend`` of image and patch into the image, as far as the patch is inside it."""
    height, width = image.shape[:2]
    rows = slice(max(top, 0), max(min(top + patch.shape[0], height), 0))
    columns = slice(max(left, 0), max(min(left + patch.shape[1], width), 0))
    part = patch[
        rows.start - top : max(rows.stop - top, 0),
        columns.start - left : max(columns.stop - left, 0),
    ]
    if part.size:
        under = image[rows, columns]
        image[rows, columns] = blend(under, part)
