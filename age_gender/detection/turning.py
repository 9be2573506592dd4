"""Views of a picture for the detector: grey, resized, turned."""

import math

import cv2


def grey(image, factor):
    """The view of a picture (H, W, 3) uint8 BGR: (H * factor, W * factor) uint8.

    In grey the detector takes five sixths of the time, and finds as much (benchmarks/detection.py).
    """
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if factor > 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    return image


def turned(image, degrees):
    """A picture turned counterclockwise: what is turned by ``degrees`` clockwise stands upright.

    What lies outside the picture repeats its border.
    """
    quarters = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
    if degrees == 0:
        return image
    if degrees % 90 == 0:
        return cv2.rotate(image, quarters[degrees // 90 - 1])
    height, width = image.shape[:2]
    cos, sin = map(abs, _cos_sin(degrees))
    across, down = round(width * cos + height * sin), round(width * sin + height * cos)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    matrix[:, 2] += (across - width) / 2, (down - height) / 2
    return cv2.warpAffine(image, matrix, (across, down), borderMode=cv2.BORDER_REPLICATE)


def turned_point(x, y, degrees, before, after):
    """Where a point is when the picture is `turned`.

    Args:
        x, y: from the upper left corner.
        degrees: counterclockwise.
        before, after: (height, width) of the picture before and after.
    """
    cos, sin = _cos_sin(degrees)
    x, y = x - before[1] / 2, y - before[0] / 2
    return cos * x + sin * y + after[1] / 2, cos * y - sin * x + after[0] / 2


def _cos_sin(degrees):
    if degrees % 90 == 0:
        return ((1, 0), (0, 1), (-1, 0), (0, -1))[degrees // 90 % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
