"""Which views of a picture are searched for faces: at which sizes, and turned by how much.

The detector finds faces from `LEAST` pixels of a view up, however large they are beyond that, in
time in proportion to the view's area (benchmarks/detection.py). So a view is small where that will
do, and another follows where the faces that were found say that there may be smaller ones.
"""

import dataclasses
import math

DETAILS = ("low", "normal", "high")
LEAST = 60  # pixels of a view from which faces are found; of those of 55 half

USUAL = 0.8  # factor of the first view, in which faces from 75 pixels of a small picture are found,
USUAL_SIDE = 1024  # whose longer side is so long at most
SMALL = 1280  # pixels of the longer side up to which a picture is small
WHOLE_SIDE = 2560  # longer side of the view in which a large picture is searched
ENLARGED = 1.6  # factor by which small pictures are enlarged at most,
MOST_ENLARGED = 2.0  # and where every detail is wanted
FINE_SIDE = 3840  # longer side of the view for what is too small in that,
FINE = 1.25  # and its factor at least, where every detail is wanted: faces from 48 pixels
WORTHWHILE = 1.2  # factor between two views from which the larger one shows more
CLOSE = 0.25  # of a small picture's shorter side: a single face so wide is taken for all there is,
CLOSE_PIXELS = 100  # if it is so wide in the view
TURNED_SIDES = 320, 640  # longer side of turned views: half the picture's between these
QUARTERS = (90, 270, 180)
EIGHTHS = (*QUARTERS, 45, 315, 135, 225)
TILE = 2560  # side in pixels of what is searched at once, so that memory is bounded


@dataclasses.dataclass(frozen=True)
class View:
    """A view of a picture.

    Attributes:
        factor: by which the picture is resized.
        turns: degrees by which the faces are turned clockwise that are searched for in it.
        alone: width in pixels of the picture from which a single face that has been found before
            makes it needless.
        others: it is needed even though several have been found.
    """

    factor: float
    turns: tuple = (0,)
    alone: float = math.inf
    others: bool = True

    def needed(self, widths):
        """Whether it is needed where faces of these widths have been found."""
        if len(widths) == 1:
            return widths[0] < self.alone
        return self.others or not widths


def of_picture(height, width, detail):
    """The list of `View` of a picture of this size; ``detail`` is one of `DETAILS`."""
    longer = max(height, width)
    usual, whole = _usual(longer), _whole(longer, ENLARGED)
    none = {"alone": 0, "others": False}
    if detail == "low":
        return [View(usual)]
    if detail == "high":
        whole = _whole(longer, MOST_ENLARGED)
        fine = min(max(FINE_SIDE / longer, FINE), MOST_ENLARGED)
        finer = [View(fine)] if fine > WORTHWHILE * whole else []
        return [View(whole), *finer, View(usual, EIGHTHS, **none)]
    side = min(max(longer / 2, TURNED_SIDES[0]), TURNED_SIDES[1])
    turned = View(min(side / longer, USUAL), QUARTERS, **none)
    if longer <= SMALL:
        close = max(CLOSE * min(height, width), CLOSE_PIXELS / usual)
        return [View(usual), View(whole, alone=close), turned]
    fine = min(FINE_SIDE / longer, MOST_ENLARGED)
    finer = [View(fine, **none)] if fine > WORTHWHILE * whole else []
    return [View(whole), turned, *finer]


def of_frame(longer, detail, number):
    """The `View` list of a whole frame of a video, of which ``number`` have been searched.

    The small view alternates with the large one, in which there are smaller faces: half the time.
    """
    if detail == "high":
        return [View(_whole(longer, MOST_ENLARGED))]
    return [View(_whole(longer, ENLARGED) if detail == "normal" and number % 2 else _usual(longer))]


def _usual(longer):
    return min(USUAL, USUAL_SIDE / longer)


def _whole(longer, enlarged):
    return min(WHOLE_SIDE / longer, enlarged)


def tiles(height, width, factor):
    """Parts of a picture of which each takes no more than `TILE` pixels in a view.

    They overlap by so much that a face that fits into none is found in a view of the whole picture.

    Returns:
        List of (top, bottom, left, right) in pixels of the picture.
    """
    overlap = math.ceil(1.5 * LEAST / _whole(max(height, width), ENLARGED))
    most = max(int(TILE / factor), 2 * overlap)
    return [
        (*rows, *columns)
        for rows in _spans(height, most, overlap)
        for columns in _spans(width, most, overlap)
    ]


def _spans(length, most, overlap):
    """Spans (start, end) of at most ``most`` that cover a length and overlap."""
    count = max(math.ceil((length - overlap) / (most - overlap)), 1)
    size = math.ceil((length + (count - 1) * overlap) / count)
    starts = [round(number * (length - size) / max(count - 1, 1)) for number in range(count)]
    return [(start, start + size) for start in starts] if count > 1 else [(0, length)]
