"""Tracks faces from frame to frame, with a running average of the estimates of each.

A face keeps its number while it stays where it is expected and does not suddenly look different.
Where that leaves a doubt (it looks different, another face is in its way, it was away, the picture
was cut), its embedding decides: see recognition.py. Who comes back within `REMEMBERED` seconds gets
the same number, and goes on with the same average; anybody else gets a new one.
"""

import functools

import dlib
import numpy as np

from age_gender.live import recognition
from age_gender.live.recognition import Budget
from age_gender.live.smoothing import face_at
from age_gender.live.tracked_face import Detection, TrackedFace, appearance

REMEMBERED = 10.0  # seconds for which a face that is gone can come back
UNKNOWN_KEPT = 1.0  # the same of a face without an embedding
CONTINUOUS = 0.4  # seconds without detection in which a face is still where it was
RECENT = 1.0  # seconds in which it is still near there
MOST_MOVED = 1.0  # distance between where a face is and where it is expected, in widths of its box
MOST_GROWN = 1.6  # factor between their sizes at most
ALIKE = 0.65  # correlation of two appearances from which nothing has changed
CROSSING = 0.15  # overlap with another face from which either may be taken for the other
YOUNG = 2.0  # seconds in which a new number may turn out to be somebody who came back
IMPOSSIBLE = 9.0  # cost of a pair
FINE = 10_000  # steps of a cost of 1: dlib's assignment takes whole numbers


def assign(costs):
    """The pairs of rows and columns that cost least together, as many as are possible.

    Args:
        costs: (N, M), each at most `IMPOSSIBLE`, which pairs that cannot be have.

    Returns:
        List of (row, column).
    """
    rows, columns = costs.shape
    side = max(rows, columns)
    gains = np.zeros((side, side), np.int64)
    gains[:rows, :columns] = np.round((IMPOSSIBLE - costs) * FINE)
    chosen = dlib.max_cost_assignment(dlib.matrix(gains.tolist()))
    return [pair for pair in enumerate(chosen) if gains[pair] > 0]


class Tracker:
    """The tracked faces of a video. Identities count from 1 and are never reused.

    Attributes:
        tracked: list of `TrackedFace`, those that are away among them.
    """

    def __init__(self):
        self.tracked = []
        self._count = 0
        self._shot = 0
        self._budget = Budget()

    def update(self, time, faces, places, cuts, estimates, embed, new_shot=False):
        """Add the faces of a frame.

        Args:
            time: of the frame, in seconds, later than those before.
            faces: list of N `faces.Face`.
            places: their N (x, y, width), see `smoothing.places`.
            cuts: (N, S, S, 3) uint8 BGR, as the network gets them.
            estimates: `estimates.Estimates` of them.
            embed: function from the number of a face to its embedding, (128,).
            new_shot: the picture was cut before this frame.

        Returns:
            List of N `TrackedFace`, in the order of ``faces``.
        """
        self._shot += new_shot
        self._budget.go_on(time)
        self.tracked = [each for each in self.tracked if self._is_remembered(each, time)]
        detections = [
            Detection(time, face, place, appearance(cut), male, ages, embed_it, self._budget)
            for face, place, cut, male, ages, embed_it in zip(
                faces,
                places,
                cuts,
                estimates.males,
                estimates.age_probabilities,
                [functools.partial(embed, number) for number in range(len(faces))],
            )
        ]
        held = self._in_place(time, detections)
        matches = {row: each for row, each in held.items() if self._is_sure(each, detections[row])}
        matches |= self._recognise(detections, held, matches)
        found = []
        for row, detection in enumerate(detections):
            tracked = matches.get(row)
            if tracked is None:
                tracked = self._start(detection)
            elif row in held and held[row] is tracked and tracked.doubts:
                tracked.move(detection, self._shot)
            else:
                tracked.add(detection, self._shot)
            found.append(tracked)
        for tracked, detection in zip(found, detections):
            self._learn(tracked, detection)
        return [self._who_came_back(*pair) for pair in zip(found, detections)]

    def away(self, time):
        """The `TrackedFace` of this shot that were seen a moment ago, but not in this frame."""
        return [
            each
            for each in self.tracked
            if each.time < time and each.shot == self._shot and time - each.seen < CONTINUOUS
        ]

    def _is_remembered(self, tracked, time):
        return time - tracked.seen < (REMEMBERED if tracked.views else UNKNOWN_KEPT)

    def _in_place(self, time, detections):
        """The tracked face in whose place each detection is: dict of numbers to `TrackedFace`."""
        here = [
            each
            for each in self.tracked
            if each.shot == self._shot and time - each.seen < CONTINUOUS
        ]
        if not here or not detections:
            return {}
        expected = [each.expected(time) for each in here]
        costs = np.full((len(detections), len(here)), IMPOSSIBLE)
        for row, detection in enumerate(detections):
            new = face_at(detection.place)
            for column, (each, old) in enumerate(zip(here, expected)):
                if (apart := distance(new, old)) is not None:
                    costs[row, column] = apart + (1 - float(each.look @ detection.look)) / 2
        return {row: here[column] for row, column in assign(costs)}

    def _is_sure(self, tracked, detection):
        """Whether a detection in the place of a tracked face is certainly that face."""
        if tracked.doubts or detection.time - tracked.time >= CONTINUOUS:
            return False
        if not _alike(tracked, detection):
            return False
        if detection.time - tracked.checked < recognition.PAUSE:
            return True
        place = face_at(detection.place)
        return not any(
            each is not tracked
            and each.shot == self._shot
            and detection.time - each.seen < RECENT
            and each.expected(detection.time).overlap(place) > CROSSING
            for each in self.tracked
        )

    def _recognise(self, detections, held, sure):
        """The tracked faces of the other detections, by their embeddings: a dict as in `_in_place`.

        Args:
            held: what `_in_place` returns.
            sure: the part of it that is certain.
        """
        taken = {id(each) for each in sure.values()}
        rest = [each for each in self.tracked if id(each) not in taken]
        rows = [row for row in range(len(detections)) if row not in sure]
        if not rest or not rows:
            return {}
        if any(each.views for each in rest):
            for row in rows:
                detections[row].embedding(
                    urgent=row not in held or not _alike(held[row], detections[row])
                )
        costs = np.array(
            [[self._cost(detections[row], each, held.get(row)) for each in rest] for row in rows]
        )
        matches = {rows[row]: rest[column] for row, column in assign(costs)}
        for row, tracked in matches.items():
            embedding = detections[row].known
            apart = None if embedding is None else tracked.views.distance(embedding)
            if apart is not None:
                tracked.checked = detections[row].time
                tracked.doubts = tracked.doubts + 1 if apart > recognition.DIFFERENT else 0
        return matches

    def _cost(self, detection, tracked, held):
        """Cost of taking a detection for a tracked face, in distances of embeddings.

        Args:
            held: the `TrackedFace` in whose place it is, or None.
        """
        in_place = held is tracked
        near = (
            tracked.shot == self._shot
            and detection.time - tracked.seen < RECENT
            and distance(face_at(detection.place), tracked.expected(detection.time)) is not None
        )
        if not tracked.views or detection.known is None:
            if _alike(tracked, detection) and (in_place or near) or (in_place and tracked.views):
                return recognition.NEAR_SAME
            return IMPOSSIBLE
        apart = tracked.views.distance(detection.known)
        if in_place:
            return IMPOSSIBLE if self._is_another(tracked, detection, apart) else apart
        limit = recognition.NEAR_SAME if near else recognition.SAME
        return apart if apart < limit else IMPOSSIBLE

    def _is_another(self, tracked, detection, apart):
        """Whether a detection in the place of a tracked face, with such an embedding, is not it."""
        if (detection.face.score or 0) < recognition.CLEAR:
            return apart >= recognition.DIFFERENT and tracked.doubts >= recognition.PATIENCE
        return apart >= (recognition.DIFFERENT if tracked.doubts else recognition.CERTAINLY)

    def _start(self, detection):
        """A new tracked face with a new identity."""
        self._count += 1
        tracked = TrackedFace(self._count, detection.time, self._shot)
        tracked.add(detection, self._shot)
        self.tracked.append(tracked)
        return tracked

    def _learn(self, tracked, detection):
        """Keep an embedding of a face, and compute one where that is due."""
        if tracked.doubts or detection.time - tracked.views.time < recognition.PAUSE:
            return
        due = not tracked.views or detection.time - tracked.views.time > recognition.REFRESH
        due = due or tracked.views.likeness(detection.look) < ALIKE
        due = due or self._may_have_come_back(tracked, detection.time)
        if due and detection.embedding(urgent=not tracked.views) is None:
            return
        if detection.known is None:
            return
        apart = tracked.views.distance(detection.known)
        tracked.views.time = detection.time
        if apart is not None and apart > recognition.DIFFERENT:
            tracked.doubts = 1
        elif apart is None or apart < recognition.NEAR_SAME:
            tracked.views.add(detection.time, detection.known, detection.look)

    def _may_have_come_back(self, tracked, time):
        """Whether a young face should be compared once more with those that are away."""
        return (
            time - tracked.born < YOUNG
            and time - tracked.views.time > recognition.RETRY
            and any(each.views and each.seen < tracked.born for each in self.tracked)
        )

    def _who_came_back(self, tracked, detection):
        """The earlier face that a young one turns out to be, which goes on in its place; or it."""
        if detection.time - tracked.born > YOUNG or detection.known is None:
            return tracked
        away = [each for each in self.tracked if each.views and each.seen < tracked.born]
        apart = [each.views.distance(detection.known) for each in away]
        if not away or min(apart) >= recognition.SAME:
            return tracked
        earlier = away[int(np.argmin(apart))]
        earlier.go_on_as(tracked)
        self.tracked.remove(tracked)
        return earlier


def _alike(tracked, detection):
    """Whether a face looks as it did."""
    return float(tracked.look @ detection.look) >= ALIKE


def distance(new, old):
    """Between two `Face`, in widths; None if they are too far apart or too different in size."""
    size = (new.width + old.width) / 2
    apart = np.hypot(
        new.left + new.width / 2 - old.left - old.width / 2,
        new.top + new.height / 2 - old.top - old.height / 2,
    )
    growth = max(new.width, old.width) / min(new.width, old.width)
    return None if apart > MOST_MOVED * size or growth > MOST_GROWN else float(apart / size)
