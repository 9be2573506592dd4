"""Finds, estimates and tracks faces in a separate process, while the window goes on.

The process takes one frame at a time. Known faces are searched for around their last position,
which takes a tenth of the time of a search of the whole frame. The whole frame is searched every
`SEARCH_PAUSE` seconds, or so seldom that this takes no more than a `SEARCH_SHARE` of the time.
"""

import collections
import dataclasses
import time as clock

import numpy as np

from age_gender import processes, system
from age_gender.command_line import UserError, log
from age_gender.estimates import Estimate, Estimates
from age_gender.face_estimator import FaceEstimator
from age_gender.faces import Face
from age_gender.live.tracking import Tracker
from wide_resnet import AGE_CLASSES

SEARCH_PAUSE = 0.5  # seconds at least between searches of whole frames while faces are tracked
SEARCH_SHARE = 0.25  # of the time for these searches, at most

MOST_DEATHS = 6  # of the process in a row, without a result between

Analysis = collections.namedtuple("Analysis", "frame faces problem", defaults=[None])
Analysis.__doc__ = """What was found in a frame.

frame: `frames.Frame`. faces: the list of its `AnalysedFace`, from left to right. problem: why it
could not be analysed, or None.
"""


@dataclasses.dataclass
class AnalysedFace:
    """A face in a frame with its estimates.

    Attributes:
        identity: number of the tracked face, from 1; 0 in pictures, which are not tracked.
        face: `faces.Face`.
        estimate: `Estimate`, averaged over time for a tracked face.
        single: `Estimate` of this frame alone.
        embedding: 128 numbers (dlib's face recognition network), if asked for.
    """

    identity: int
    face: Face
    estimate: Estimate
    single: Estimate
    embedding: list | None = None


class Analyst:
    """The process, as a context manager that ends it.

    A frame at which it fails has an analysis without faces and a line with the reason. If it dies,
    another is started, and the frame is tried once more; if it dies while it loads the network, or
    again and again, that is a `UserError`.

    Args:
        recipe: `face_estimator.Recipe`.
        track: the frames are those of a camera or a video.

    Attributes:
        ready: whether it has loaded the network.
    """

    def __init__(self, recipe, track=True):
        self._recipe = recipe
        self._track = track
        self._deaths = 0  # since the last answer
        self.ready = False
        self._start()

    def _start(self):
        self._submitted = None
        self._connection, other = processes.spawn.Pipe()
        self._process = processes.spawn.Process(
            target=_work, args=(other, self._recipe, self._track), daemon=True
        )
        with system.interrupts_ignored():
            self._process.start()
        other.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.join()
        self._connection.close()

    @property
    def idle(self):
        """Whether it can take a frame."""
        return self.ready and self._submitted is None

    def wait(self):
        """Wait until it has loaded the network."""
        while not self.ready:
            self.poll(None)

    def submit(self, frame, embed=False):
        """Start the analysis of a frame.

        Args:
            frame: `frames.Frame`.
            embed: also compute embeddings.
        """
        self._submitted = frame
        try:
            self._connection.send((frame.time, frame.image, embed))
        except OSError:
            self._replace()

    def poll(self, timeout=0.0):
        """The `Analysis` of the submitted frame, or None if it is not finished.

        Args:
            timeout: seconds to wait for it at most; None for as long as it takes.
        """
        try:
            if not self._connection.poll(timeout):
                return None
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._replace()
            return None
        if isinstance(answer, UserError):
            raise answer
        if answer is None:  # the network is loaded
            self.ready = True
            return None
        frame, self._submitted, self._deaths = self._submitted, None, 0
        if isinstance(answer, str):
            return _failed(frame, answer)
        return Analysis(frame, answer)

    def analyse(self, frame, embed=False):
        """The `Analysis` of a frame, however long it takes."""
        for _ in range(2):
            self.wait()
            self.submit(frame, embed)
            while self._submitted is not None:
                if (analysis := self.poll(None)) is not None:
                    return analysis
        return _failed(frame, "the process that analyses faces has ended at it twice")

    def _replace(self):
        self._process.join(5)
        self._connection.close()
        self._deaths += 1
        if not self.ready or self._deaths == MOST_DEATHS:
            raise UserError(
                "the process that analyses faces has ended, perhaps for lack of memory: try again"
            )
        self.ready = False
        log("the process that analyses faces has ended: another is started")
        self._start()


def _failed(frame, reason):
    """The `Analysis` of a frame that could not be analysed; prints the reason."""
    log(f"not analysed: {frame.name}: {reason}")
    return Analysis(frame, [], reason)


def _work(connection, recipe, track):
    """Main function of the process: answers until the other side closes the connection."""
    system.follow_parent()
    try:
        worker = Worker(recipe, track)
    except UserError as error:
        connection.send(error)
        return
    connection.send(None)
    while True:
        try:
            request = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = worker.analyse(*request)
        except Exception as error:  # whatever is wrong with one frame
            answer = " ".join(f"{type(error).__name__}: {error}".split())
        connection.send(answer)


class Worker:
    """Finds, estimates and tracks the faces of frames; arguments as those of `Analyst`."""

    def __init__(self, recipe, track=True):
        self._estimator = FaceEstimator(recipe=recipe)
        self._track = track
        self._estimator.load()
        self.forget()

    def forget(self):
        """Start over, without any known face."""
        self._tracker = Tracker() if self._track else None
        self._last = []
        self._searched, self._pause = -float("inf"), SEARCH_PAUSE

    def analyse(self, time, image, embed=False):
        """List of the `AnalysedFace` in a frame.

        Args:
            time: of the frame, seconds.
            image: (H, W, 3) uint8 BGR.
            embed: also compute embeddings.
        """
        faces, cuts = self._find(time, image)
        estimates = self._estimator.network(cuts)
        singles = averages = self._estimator.each(estimates)
        identities = [0] * len(faces)
        if self._tracker is not None:
            tracked = self._tracker.update(time, faces, cuts, estimates)
            identities = [each.identity for each in tracked]
            averages = self._estimator.each(_averages(tracked))
        embeddings = self._estimator.embedder(image, faces) if embed else [None] * len(faces)
        return list(map(AnalysedFace, identities, faces, averages, singles, embeddings))

    def _find(self, time, image):
        """The faces of a frame and their cuts, searched for where it is time to."""
        due = not 0 <= time - self._searched < self._pause
        near = None if due or not self._last or self._tracker is None else self._last
        start = clock.perf_counter()
        faces, cuts = self._estimator.find(image, near)
        if near is None:
            self._searched = time
            self._pause = max(SEARCH_PAUSE, (clock.perf_counter() - start) / SEARCH_SHARE)
        elif len(faces) < len(near):
            self._searched = -float("inf")  # one is lost: search the whole next frame
        self._last = faces
        return faces, cuts


def _averages(tracked):
    """`Estimates` of the averages of `tracking.TrackedFace`."""
    means = [each.mean for each in tracked]
    ages = np.array([mean.age_probabilities for mean in means], np.float32)
    males = np.array([mean.males for mean in means], np.float32)
    return Estimates.from_probabilities(males, ages.reshape(-1, AGE_CLASSES))
