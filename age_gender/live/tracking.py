"""Tracks faces from frame to frame, with a running average of the estimates of each.

Detections are assigned to tracked faces by distance and appearance, all pairs at once (the linear
assignment problem, solved by SciPy). The appearance of a face is a small grey version of its cut:
those of one person correlate with 0.9 from frame to frame, those of two persons with 0.2 (medians
on UTKFace; at `SAME_PERSON` 3 percent of either are misjudged).
"""

import dataclasses

import cv2
import numpy as np

from age_gender.faces import Face

KEPT = 1.0  # seconds for which a face that is not found keeps its identity
MOST_MOVED = 1.0  # distance between two detections of a face at most, in widths of its box
MOST_GROWN = 1.6  # factor between their sizes at most
SIDE = 16  # of the appearance, in pixels
SAME_PERSON = 0.65  # correlation of two appearances from which they are taken for one person
TAKEOVER = 0.25  # seconds of another appearance after which the face is another person
MEMORY = 5.0  # seconds in which the weight of a detection falls to 1/e
LEAST_WEIGHT = 0.1  # of a detection, else its score
IMPOSSIBLE = 1e6  # cost of a pair


def appearance(cut):
    """The appearance of a face: (SIDE * SIDE,) float32 with mean 0 and norm 1.

    Args:
        cut: (S, S, 3) uint8 BGR, as the network gets it.
    """
    grey = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    return _unit(small - small.mean())


def _unit(vector):
    """The vector at norm 1."""
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


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


@dataclasses.dataclass
class Detection:
    """A face that was found in a frame.

    Attributes:
        time: of the frame, in seconds.
        face: `faces.Face`.
        appearance: of its cut.
        male: probability, 0 to 1.
        age_probabilities: (101,).
    """

    time: float
    face: Face
    appearance: np.ndarray
    male: float
    age_probabilities: np.ndarray

    @property
    def weight(self):
        """Weight in the average of the estimates."""
        return max(self.face.score or 0, LEAST_WEIGHT)


@dataclasses.dataclass
class TrackedFace:
    """A face that is tracked.

    Attributes:
        face: `faces.Face`, the last detection.
        time: of the last detection, seconds.
        mean: `Mean` of its estimates.
        appearance: running average.
        identity: its number, from 1; 0 before it has one.
        successor: `TrackedFace` of another appearance in the same place, which takes over if it
            stays for `TAKEOVER` seconds.
        successor_since: when the successor was detected first.
    """

    face: Face
    time: float
    mean: Mean
    appearance: np.ndarray
    identity: int = 0
    successor: "TrackedFace | None" = None
    successor_since: float = 0.0

    @classmethod
    def of(cls, detection):
        """A tracked face that begins with a detection."""
        mean = Mean(detection.time)
        tracked = cls(detection.face, detection.time, mean, detection.appearance)
        tracked.add(detection)
        return tracked

    def resembles(self, detection):
        """Whether a detection has the appearance of this face."""
        return self.appearance @ detection.appearance >= SAME_PERSON

    def add(self, detection):
        """Add a detection of this face."""
        self.move(detection)
        self.appearance = _unit(0.8 * self.appearance + 0.2 * detection.appearance)
        self.mean.add(detection.time, detection.weight, detection.male, detection.age_probabilities)

    def move(self, detection):
        """Take over where and when a detection was, but not its appearance and estimates."""
        self.face, self.time = detection.face, detection.time


class Tracker:
    """The tracked faces of a video. Identities count from 1 and are never reused.

    Attributes:
        tracked: list of `TrackedFace`.
    """

    def __init__(self):
        self.tracked = []
        self._count = 0

    def update(self, time, faces, cuts, estimates):
        """Add the faces of a frame.

        Args:
            time: of the frame, in seconds, later than those before.
            faces: list of N `faces.Face`.
            cuts: (N, S, S, 3) uint8 BGR, as the network gets them.
            estimates: `estimates.Estimates` of them.

        Returns:
            List of N `TrackedFace`, in the order of ``faces``.
        """
        self.tracked = [each for each in self.tracked if time - each.time < KEPT]
        detections = [
            Detection(time, face, appearance(cut), male, age_probabilities)
            for face, cut, male, age_probabilities in zip(
                faces, cuts, estimates.males, estimates.age_probabilities
            )
        ]
        matches = self._match(detections)
        return [
            self._add(matches[number], detection)
            if number in matches
            else self._start(TrackedFace.of(detection))
            for number, detection in enumerate(detections)
        ]

    def _match(self, detections):
        """The tracked face of each detection that has one: dict of numbers to `TrackedFace`."""
        if not detections or not self.tracked:
            return {}
        from scipy.optimize import linear_sum_assignment  # slow to import

        costs = np.array(
            [[_cost(detection, each) for each in self.tracked] for detection in detections]
        )
        pairs = zip(*linear_sum_assignment(costs))
        return {
            row: self.tracked[column] for row, column in pairs if costs[row, column] < IMPOSSIBLE
        }

    def _add(self, tracked, detection):
        """Add a detection to the tracked face in its place, or to the successor of that."""
        if tracked.resembles(detection):
            tracked.successor = None
            tracked.add(detection)
            return tracked
        if tracked.successor is None or not tracked.successor.resembles(detection):
            tracked.successor = TrackedFace.of(detection)
            tracked.successor_since = detection.time
        else:
            tracked.successor.add(detection)
        tracked.move(detection)
        if detection.time - tracked.successor_since < TAKEOVER:
            return tracked
        self.tracked.remove(tracked)
        return self._start(tracked.successor)

    def _start(self, tracked):
        """Give a tracked face an identity and keep it."""
        self._count += 1
        tracked.identity = self._count
        self.tracked.append(tracked)
        return tracked


def _cost(detection, tracked):
    """Cost of assigning a detection to a tracked face; `IMPOSSIBLE` if it cannot be the same."""
    new, old = detection.face, tracked.face
    size = (new.width + old.width) / 2
    distance = np.hypot(
        new.left + new.width / 2 - old.left - old.width / 2,
        new.top + new.height / 2 - old.top - old.height / 2,
    )
    growth = max(new.width, old.width) / min(new.width, old.width)
    if distance > MOST_MOVED * size or growth > MOST_GROWN:
        return IMPOSSIBLE
    return distance / size + (1 - float(tracked.appearance @ detection.appearance)) / 2
