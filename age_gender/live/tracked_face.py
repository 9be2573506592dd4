"""What is known of a face that is tracked: where it was, what it looks like, its estimates.

The appearance of a face is a small grey version of its cut: those of one person correlate with 0.9
from frame to frame, those of two persons with 0.2 (medians on UTKFace).
"""

import dataclasses

import cv2
import numpy as np

from age_gender.live.recognition import Views
from age_gender.live.smoothing import SteadyBox, face_at

SIDE = 16  # of the appearance, in pixels
MEMORY = 5.0  # seconds in which the weight of a detection falls to 1/e
LEAST_WEIGHT = 0.1  # of a detection, else its score


def appearance(cut):
    """The appearance of a face: (SIDE * SIDE,) float32 with mean 0 and norm 1.

    Args:
        cut: (S, S, 3) uint8 BGR, as the network gets it.
    """
    grey = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


@dataclasses.dataclass
class Mean:
    """A running average of the estimates of one face, in which newer detections weigh more."""

    time: float
    weight: float = 0.0
    males: float = 0.0
    age_probabilities: np.ndarray | float = 0.0

    def add(self, time, weight, male, age_probabilities):
        """Add a detection: time in seconds, weight, probability of male, (101,) of the ages."""
        old = self.weight * float(np.exp((self.time - time) / MEMORY))
        share = weight / (old + weight)
        self.males += share * (male - self.males)
        self.age_probabilities = self.age_probabilities + share * (
            age_probabilities - self.age_probabilities
        )
        self.time, self.weight = time, old + weight


class Detection:
    """A face that was found in a frame.

    Args:
        time: of the frame, in seconds.
        face: `faces.Face`, as the detector gives it.
        place: its (x, y, width), see `smoothing.places`.
        look: appearance of its cut.
        male: probability, 0 to 1.
        age_probabilities: (101,).
        embed: function that returns its embedding.
        budget: `recognition.Budget` of them.
    """

    def __init__(self, time, face, place, look, male, age_probabilities, embed, budget):
        self.time, self.face, self.place, self.look = time, face, place, look
        self.male, self.age_probabilities = male, age_probabilities
        self._embed, self._budget = embed, budget
        self.known = None  # the embedding, if it has been computed

    @property
    def weight(self):
        """Weight in the average of the estimates."""
        return max(self.face.score or 0, LEAST_WEIGHT)

    def embedding(self, urgent=True):
        """(128,), computed once; None if the budget does not allow it."""
        if self.known is None and self._budget.take(urgent):
            self.known = np.asarray(self._embed())
        return self.known


@dataclasses.dataclass(eq=False)
class TrackedFace:
    """A face that is tracked.

    Attributes:
        identity: its number, from 1.
        born: time of its first detection, seconds.
        shot: number of the shot in which it was last.
        time: of the last detection.
        seen: when it was detected last, or carried on (see carrying.py).
        look: appearance in the last detection.
        box: `SteadyBox`.
        mean: `Mean` of its estimates.
        views: `recognition.Views`.
        doubts: how many embeddings in a row were those of somebody else.
        checked: when its embedding was compared last.
        carrier: `carrying.Carrier` that follows it now, or None.
    """

    identity: int
    born: float
    shot: int
    time: float = 0.0
    seen: float = 0.0
    look: np.ndarray | None = None
    box: SteadyBox = dataclasses.field(default_factory=SteadyBox)
    mean: Mean | None = None
    views: Views = dataclasses.field(default_factory=Views)
    doubts: int = 0
    checked: float = -float("inf")
    carrier: object = None

    def add(self, detection, shot):
        """Add a detection of this face."""
        self.move(detection, shot)
        if self.mean is None:
            self.mean = Mean(detection.time)
        self.mean.add(detection.time, detection.weight, detection.male, detection.age_probabilities)
        self.look = detection.look

    def move(self, detection, shot):
        """Take over where and when a detection was, but not its appearance and estimates."""
        if shot != self.shot:
            self.box, self.shot = SteadyBox(), shot
        self.time = self.seen = detection.time
        self.carrier = None
        self.box.add(detection.time, detection.place)

    def carry(self, time, place):
        """Take over where it was carried on to, without a detection."""
        self.seen = time
        self.box.add(time, place)

    def go_on_as(self, other):
        """Take over where another face is now, which is the same person, and its estimates."""
        self.box, self.shot, self.look = other.box, other.shot, other.look
        self.time, self.seen = other.time, other.seen
        self.views.take(other.views)
        mean = other.mean
        self.mean.add(mean.time, mean.weight, mean.males, mean.age_probabilities)

    def expected(self, time):
        """The `Face` where it should be now."""
        return face_at(self.box.ahead(time))
