"""Finds, estimates and tracks the faces of frames.

Known faces are searched for around their last position, which takes a tenth of the time of a search
of the whole frame. The whole frame is searched every `SEARCH_PAUSE` seconds, or so seldom that this
takes no more than a `SEARCH_SHARE` of the time.
"""

import dataclasses
import time as clock

import cv2
import numpy as np

from age_gender.estimates import Estimate, Estimates
from age_gender.face_estimator import FaceEstimator
from age_gender.faces import Face
from age_gender.live.carrying import Carrier
from age_gender.live.shots import Shots
from age_gender.live.smoothing import AHEAD, face_at, places
from age_gender.live.tracking import Tracker
from wide_resnet import AGE_CLASSES

SEARCH_PAUSE = 0.5  # seconds at least between searches of whole frames while faces are tracked
SEARCH_SHARE = 0.25  # of the time for these searches, at most
HIDDEN = 0.3  # overlap of a face that is followed with one that is detected, which then covers it


@dataclasses.dataclass
class AnalysedFace:
    """A face in a frame with its estimates.

    Attributes:
        identity: number of the tracked face, from 1; 0 in pictures, which are not tracked.
        face: `faces.Face`; in a video its box is filtered over time.
        estimate: `Estimate`, averaged over time for a tracked face.
        single: `Estimate` of this frame alone.
        embedding: 128 numbers (dlib's face recognition network), if asked for.
        detected: False where the detector does not see the face, which is followed by its
            movement; estimate and single are those of the last detections then.
        velocity: of the box, (right, down) in pixels a second.
    """

    identity: int
    face: Face
    estimate: Estimate
    single: Estimate
    embedding: list | None = None
    detected: bool = True
    velocity: tuple = (0.0, 0.0)

    def after(self, seconds):
        """The same face so much later, if it goes on moving."""
        right, down = (round(speed * min(seconds, AHEAD)) for speed in self.velocity)
        return dataclasses.replace(self, face=self.face.moved(right, down))


class Worker:
    """Finds, estimates and tracks the faces of frames; arguments as those of `analyst.Analyst`."""

    def __init__(self, recipe, track=True):
        self._estimator = FaceEstimator(recipe=recipe)
        self._track = track
        self._estimator.load()
        self.forget()

    def forget(self):
        """Start over, without any known face."""
        self._tracker = Tracker() if self._track else None
        self._shots = Shots()
        self._grey = None  # the last frame, while a face is in it
        self._searched, self._pause = -float("inf"), SEARCH_PAUSE

    def analyse(self, time, image, embed=False):
        """List of the `AnalysedFace` in a frame.

        Args:
            time: of the frame, seconds.
            image: (H, W, 3) uint8 BGR.
            embed: also compute embeddings.
        """
        if self._tracker is None:
            faces, cuts = self._estimator.find(image)
            singles = self._estimator.each(self._estimator.network(cuts))
            embeddings = self._estimator.embedder(image, faces) if embed else [None] * len(faces)
            return list(map(AnalysedFace, [0] * len(faces), faces, singles, singles, embeddings))
        new_shot = self._shots.cut_before(image)
        faces, cuts = self._find(time, image, new_shot)
        estimates = self._estimator.network(cuts)
        embeddings = [None] * len(faces)

        def embedding(number):
            if embeddings[number] is None:
                (embeddings[number],) = self._estimator.embedder(image, [faces[number]])
            return embeddings[number]

        tracked = self._tracker.update(
            time, faces, places(image, faces), cuts, estimates, embedding, new_shot
        )
        asked = list(map(embedding, range(len(faces)))) if embed else [None] * len(faces)
        singles = self._estimator.each(estimates)
        averages = self._estimator.each(_averages(tracked))
        found = [
            AnalysedFace(
                each.identity,
                each.box.face(face.score),
                average,
                single,
                embedding,
                velocity=each.box.velocity,
            )
            for each, face, average, single, embedding in zip(
                tracked, faces, averages, singles, asked
            )
        ]
        found += self._carried(time, image, tracked)
        return sorted(found, key=lambda each: (each.face.left, each.face.top))

    def _find(self, time, image, new_shot):
        """The faces of a frame and their cuts, searched for where it is time to."""
        known = [] if new_shot else self._tracker.away(time)  # all of them, before this frame
        due = new_shot or not 0 <= time - self._searched < self._pause
        everywhere = due or not known
        near = [each.expected(time) for each in known]
        start = clock.perf_counter()
        faces, cuts = self._estimator.find(image, near, everywhere)
        if everywhere:
            self._searched = time
            self._pause = max(SEARCH_PAUSE, (clock.perf_counter() - start) / SEARCH_SHARE)
        elif len(faces) < sum(each.time == each.seen for each in known):
            self._searched = -float("inf")  # one is lost: search the whole next frame
        return faces, cuts

    def _carried(self, time, image, tracked):
        """The `AnalysedFace` of those that are not detected now, but followed."""
        away = self._tracker.away(time)
        last, self._grey = self._grey, None
        if tracked or away:
            self._grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), time
        followed = []
        for each in away:
            if each.carrier is None and last is not None and last[1] == each.time:
                each.carrier = Carrier(*last, each.box.ahead(last[1]))
            place = each.carrier and each.carrier.follow(self._grey[0], time)
            if place is None or self._is_hidden(place, tracked):
                each.carrier = None
                continue
            each.carry(time, place)
            followed.append(each)
        estimates = self._estimator.each(_averages(followed))
        return [
            AnalysedFace(each.identity, each.box.face(None), estimate, estimate, None, False)
            for each, estimate in zip(followed, estimates)
        ]

    def _is_hidden(self, place, tracked):
        """Whether another face is before a place."""
        face = face_at(place)
        return any(each.box.face(None).overlap(face) > HIDDEN for each in tracked)


def _averages(tracked):
    """`Estimates` of the averages of `tracking.TrackedFace`."""
    means = [each.mean for each in tracked]
    ages = np.array([mean.age_probabilities for mean in means], np.float32)
    males = np.array([mean.males for mean in means], np.float32)
    return Estimates.from_probabilities(males, ages.reshape(-1, AGE_CLASSES))
