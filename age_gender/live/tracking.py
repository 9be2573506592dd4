"""Faces followed from frame to frame: who is who, and an estimate of each that holds still.

A detection belongs to the followed face that it is nearest to and looks like most, all pairs
weighed together (the assignment problem, SciPy's). Faces are told apart by small grey pictures of
themselves, aligned as the network sees them: those of one person correlate with 0.9 from frame to
frame, those of two with 0.2 (medians on UTKFace; `ALIKE` leaves 3 of 100 on either wrong side).
"""

import dataclasses

import cv2
import numpy as np

KEPT = 1.0  # seconds for which a face that is not found keeps its identity
REACH = 1.0  # how far it may have moved, in widths of its box
GROWTH = 1.6  # and by what factor its size may have changed
LOOK = 16  # side of the small picture that faces are told apart by
ALIKE = 0.65  # correlation of two looks from which they are one person's
DOUBT = 0.25  # seconds of looking like somebody else, from which it is somebody else
MEMORY = 5.0  # seconds in which a detection's weight falls to 1/e
LEAST = 0.1  # weight of a detection whose score is lower
IMPOSSIBLE = 1e6


def look(cut):
    """What a face is recognised by: (LOOK * LOOK,) float32, of mean 0 and norm 1.

    Args:
        cut: (S, S, 3) uint8 BGR, as the network gets it.
    """
    grey = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (LOOK, LOOK), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    return _unit(small - small.mean())


def _unit(vector):
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


@dataclasses.dataclass
class Mean:
    """A running average of what the network says of one face, newer detections weighing more."""

    time: float
    weight: float = 0.0
    males: float = 0.0
    age_probabilities: np.ndarray | float = 0.0

    def add(self, time, weight, male, age_probabilities):
        """Take a detection: its time in seconds, weight, probability of male, (101,) of ages."""
        old = self.weight * float(np.exp((self.time - time) / MEMORY))
        share = weight / (old + weight)
        self.males += share * (male - self.males)
        self.age_probabilities = self.age_probabilities + share * (
            age_probabilities - self.age_probabilities
        )
        self.time, self.weight = time, old + weight


@dataclasses.dataclass
class Followed:
    """A face that is followed.

    Attributes:
        identity: its number, from 1.
        face: `faces.Face`, where it was found last.
        time: seconds, when that was.
        mean: `Mean` of its estimates.
        look: its looks, averaged.
        other: `Followed` of the one that stands in its place if it goes on looking different.
        since: when that one was seen first.
    """

    identity: int
    face: object
    time: float
    mean: Mean
    look: np.ndarray
    other: "Followed | None" = None
    since: float = 0.0

    def add(self, time, face, seen, weight, male, age_probabilities):
        """Take a detection of this face; `seen` is its look."""
        self.face, self.time = face, time
        self.look = _unit(0.8 * self.look + 0.2 * seen)
        self.mean.add(time, weight, male, age_probabilities)


class FollowedFaces:
    """The faces of a video. Identities count from 1 and are never given twice."""

    def __init__(self):
        self.known = []
        self._count = 0

    def update(self, time, found, cuts, estimates):
        """Take what was found in a frame.

        Args:
            time: of the frame, in seconds, later than those before.
            found: list of N `faces.Face`.
            cuts: (N, S, S, 3) uint8 BGR, as the network gets them.
            estimates: `estimates.Estimates` of them.

        Returns:
            List of N `Followed`, in the order of ``found``.
        """
        self.known = [each for each in self.known if time - each.time < KEPT]
        looks = [look(cut) for cut in cuts]
        whose = self._assign(found, looks)
        answers = zip(estimates.males, estimates.age_probabilities)
        followed = []
        for number, (face, seen, answer) in enumerate(zip(found, looks, answers)):
            weight = LEAST if face.score is None else max(face.score, LEAST)
            detection = (time, face, seen, weight, *answer)
            if number in whose:
                followed.append(self._take(whose[number], detection))
            else:
                followed.append(self._new(*detection))
        return followed

    def _assign(self, found, looks):
        """Which known face each found one is: dict of numbers to `Followed`."""
        from scipy.optimize import linear_sum_assignment

        if not found or not self.known:
            return {}
        costs = np.array(
            [[_cost(face, seen, each) for each in self.known] for face, seen in zip(found, looks)]
        )
        pairs = zip(*linear_sum_assignment(costs))
        return {row: self.known[column] for row, column in pairs if costs[row, column] < IMPOSSIBLE}

    def _take(self, followed, detection):
        """Add a detection to the face in whose place it is, or to the one that took its place."""
        time, face, seen = detection[:3]
        if followed.look @ seen >= ALIKE:
            followed.other = None
            followed.add(*detection)
            return followed
        if followed.other is None or followed.other.look @ seen < ALIKE:
            followed.other, followed.since = _begun(*detection), time
        else:
            followed.other.add(*detection)
        followed.face, followed.time = face, time
        if time - followed.since < DOUBT:
            return followed
        self.known.remove(followed)
        return self._keep(followed.other)

    def _new(self, *detection):
        return self._keep(_begun(*detection))

    def _keep(self, followed):
        self._count += 1
        followed.identity = self._count
        self.known.append(followed)
        return followed


def _begun(time, face, seen, *answer):
    """A face that begins with a detection; it has no identity yet."""
    followed = Followed(0, face, time, Mean(time), seen)
    followed.add(time, face, seen, *answer)
    return followed


def _cost(face, seen, known):
    """How little a found face speaks for being a known one; `IMPOSSIBLE` where it cannot be."""
    at, was = face, known.face
    size = (at.width + was.width) / 2
    away = np.hypot(
        at.left + at.width / 2 - was.left - was.width / 2,
        at.top + at.height / 2 - was.top - was.height / 2,
    )
    growth = max(at.width, was.width) / min(at.width, was.width)
    if away > REACH * size or growth > GROWTH:
        return IMPOSSIBLE
    return away / size + (1 - float(known.look @ seen)) / 2
