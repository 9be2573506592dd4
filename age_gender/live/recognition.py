"""Who a face is: embeddings of the faces of the last seconds, compared when places do not tell.

The embedding is that of dlib's recognition network. In made videos the distance between two of one
person, turned by up to 35 degrees, small, dark or bright, is 0.2 (median) and 0.31 to 0.48 at most.
Of two adults of UTKFace (its training and validation parts) it is 0.85, below 0.38 in 0.003 percent
of pairs, below 0.6 in 1.2. The network tells some groups apart less well: of Asian women between 20
and 40 years 0.24 percent are below 0.38, and of children up to 3 years 4.7 percent.

Embeddings stay in the memory of the process, and go with their `tracking.TrackedFace` some seconds
after the face is gone.
"""

import numpy as np

SAME = 0.38  # distance up to which a face that comes back is taken for a person seen before
NEAR_SAME = 0.5  # the same, where that person was a moment ago
DIFFERENT = 0.6  # distance from which a face that stays in its place may be somebody else,
CERTAINLY = 0.75  # and is, also in a single frame that is clear
CLEAR = 0.5  # score of a clear detection: others may be blurred, or of a face in profile
PATIENCE = 4  # embeddings of such in a row from which it is somebody else all the same
VIEW = 0.25  # distance to all others from which an embedding is worth keeping
MOST_VIEWS = 6  # embeddings of one face
REFRESH = 5.0  # seconds after which an embedding is computed anew
RETRY = 0.5  # seconds after which a new face is compared again with those that are away
PAUSE = 0.3  # seconds at least between two embeddings of a face that are not urgent
RATE = 3.0  # embeddings a second, in the long run,
BURST = 15.0  # and at once: a cut to a group
SPARE = 2.0  # of them that are kept for what is urgent


class Budget:
    """How many embeddings may be computed: no more than `RATE` a second in the long run."""

    def __init__(self):
        self._left, self._time = BURST, None

    def go_on(self, time):
        """Tell the time of the next frame, in seconds."""
        passed = 0 if self._time is None else time - self._time
        self._left, self._time = min(self._left + RATE * passed, BURST), time

    def take(self, urgent):
        """Whether one may be computed now."""
        if self._left < 1 + (0 if urgent else SPARE):
            return False
        self._left -= 1
        return True


class Views:
    """Embeddings of one face, from different sides and in different light.

    Attributes:
        time: of the last one, seconds.
    """

    def __init__(self):
        self._embeddings, self._looks = [], []
        self.time = -float("inf")

    def __bool__(self):
        return bool(self._embeddings)

    def distance(self, embedding):
        """To the nearest of them; None without any."""
        if not self._embeddings:
            return None
        return float(np.linalg.norm(np.array(self._embeddings) - embedding, axis=1).min())

    def likeness(self, look):
        """The largest correlation with the appearances of them."""
        return max((float(each @ look) for each in self._looks), default=-1.0)

    def add(self, time, embedding, look):
        """Add an embedding that is known to be of this face, if it differs from the others."""
        self.time = time
        distance = self.distance(embedding)
        if distance is not None and distance < VIEW and self.likeness(look) > 0.8:
            return
        if len(self._embeddings) == MOST_VIEWS:  # the first one stays: it began the face
            del self._embeddings[1], self._looks[1]
        self._embeddings.append(embedding)
        self._looks.append(look)

    def take(self, other):
        """Take over the embeddings of another face that is the same person."""
        self._embeddings = (self._embeddings + other._embeddings)[-MOST_VIEWS:]
        self._looks = (self._looks + other._looks)[-MOST_VIEWS:]
        self.time = max(self.time, other.time)
