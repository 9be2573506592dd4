"""Still boxes: a face's place by its landmarks, filtered over time.

The detector searches at scales of 5/6: the boxes that it gives of a still face jump by a fifth of
their width. The landmarks hardly depend on the box that they are found in: a box around them stays
within 0.3 percent of its width (standard deviation, in sensor noise).
"""

import math

import cv2
import dlib
import numpy as np

from age_gender.detection import landmarks
from age_gender.faces import Face

LEAST_CUTOFF = 0.4  # Hz, of a face that does not move: below, the filter averages over 0.4 s,
GAIN = 8.0  # Hz more for each width (or factor of e in size) a second,
SPEED_CUTOFF = 2.0  # Hz, of the speed; see Casiez et al.
BREAK = 0.5  # seconds without the face, and
JUMP = 1.0  # widths from frame to frame, after which the filter begins anew
HOLD = 0.01  # widths, at least a pixel, by which a number changes before what is shown does
IN_CHIPS = 1.32  # width of the detector's boxes, in dlib's chips without padding (median)
RESTING = 0.15  # widths a second of which half is taken for noise, of less more
AHEAD = 0.2  # seconds for which a movement is continued at most


def places(image, found):
    """Where faces are by their landmarks, in boxes as large as the detector's on the average.

    Args:
        image: (H, W, 3) uint8 BGR.
        found: list of N `Face` in it.

    Returns:
        List of N (x, y, width): centre and side of a square, in pixels.
    """
    if not found:
        return []
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    boxes = []
    for face in found:
        shape = landmarks.predictor()(grey, face.rectangle())
        chip = dlib.get_face_chip_details(shape, landmarks.CHIP, 0.0).rect
        x, y = (chip.left() + chip.right()) / 2, (chip.top() + chip.bottom()) / 2
        boxes.append((x, y, IN_CHIPS * chip.width()))
    return boxes


class OneEuro:
    """The 1 euro filter: the faster a signal changes, the less it is averaged.

    Casiez, Roussel and Vogel, "1 € Filter", CHI 2012. Signals are vectors, whose speed is that of
    all their numbers together.
    """

    def __init__(self, least_cutoff=LEAST_CUTOFF, gain=GAIN, speed_cutoff=SPEED_CUTOFF):
        self._least, self._gain, self._of_speed = least_cutoff, gain, speed_cutoff
        self._raw = None
        self.value = self.speed = None

    def add(self, step, value):
        """Add a value ``step`` seconds after the one before. Returns the filtered one."""
        value = np.asarray(value, float)
        if self._raw is None:
            self._raw, self.value, self.speed = value, value, np.zeros_like(value)
            return value
        speed = (value - self._raw) / step
        self.speed = self.speed + _share(self._of_speed, step) * (speed - self.speed)
        cutoff = self._least + self._gain * float(np.linalg.norm(self.speed))
        self.value = self.value + _share(cutoff, step) * (value - self.value)
        self._raw = value
        return self.value


def _share(cutoff, step):
    """Weight of a new value in a low-pass filter, for its cutoff in Hz."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * step))


class SteadyBox:
    """The box of one face as it is shown.

    Position and size are filtered in widths of the face, so that small faces are treated as large
    ones are.
    """

    def __init__(self):
        self._time = None
        self._shown = None

    def add(self, time, place):
        """Add where the face is: seconds, (x, y, width) in pixels."""
        x, y, width = place
        if self._time is None or time - self._time > BREAK or self._far(x, y, width):
            self._start(width)
        step = max(time - (time if self._time is None else self._time), 1e-3)
        self._place.add(step, (x / self._unit, y / self._unit))
        self._size.add(step, (math.log(width),))
        self._time = time

    def _start(self, width):
        self._unit = width  # pixels: the filter's own measure stays while it runs
        self._place, self._size = OneEuro(), OneEuro()
        self._time = self._shown = None

    def _far(self, x, y, width):
        old = self._place.value * self._unit
        return math.hypot(x - old[0], y - old[1]) > JUMP * width

    @property
    def width(self):
        """Filtered, in pixels."""
        return math.exp(self._size.value[0])

    @property
    def velocity(self):
        """Of the centre, (x, y) in pixels a second; next to nothing below `RESTING`."""
        speed = self._place.speed
        square = float(speed @ speed)
        factor = self._unit * square / (square + RESTING**2)
        return tuple(float(number) for number in speed * factor)

    def ahead(self, time):
        """(x, y, width) at a later time, in pixels: the movement goes on for `AHEAD`."""
        seconds = min(max(time - self._time, 0), AHEAD)
        x, y = self._place.value * self._unit + np.multiply(self.velocity, seconds)
        return float(x), float(y), self.width

    def face(self, score):
        """The `Face` to show, with a score; its numbers change when the box has really moved."""
        x, y = self._place.value * self._unit
        exact = np.array((x - self.width / 2, y - self.width / 2, self.width, self.width))
        if self._shown is None:
            self._shown = np.round(exact)
        moved = np.abs(exact - self._shown) > max(HOLD * self.width, 1)
        self._shown = np.where(moved, np.round(exact), self._shown)
        return Face(*map(int, self._shown), score)


def face_at(place, score=None):
    """The `Face` around (x, y, width)."""
    x, y, width = place
    return Face(round(x - width / 2), round(y - width / 2), round(width), round(width), score)
