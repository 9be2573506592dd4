"""A process of its own that finds, estimates and follows faces, while the window goes on.

It is asked about one frame at a time. Faces that it knows are looked for near where they were,
which takes a tenth of the time; new ones all over the frame, every `NEW_EVERY` seconds or so seldom
that it takes no more than a `SHARE` of the time.
"""

import collections
import dataclasses
import time as clock

from age_gender import processes, system
from age_gender.command_line import UserError, log, quiet_start
from age_gender.estimates import Estimate

NEW_EVERY = 0.5  # seconds between searches of whole frames while faces are followed, at least
SHARE = 0.25  # of the time for them, at most

Analysis = collections.namedtuple("Analysis", "frame seen")
Analysis.__doc__ = "A `frames.Frame` and the list of `Seen` in it, from left to right."


@dataclasses.dataclass
class Seen:
    """A face in a frame, with the estimates that are shown of it.

    Attributes:
        identity: its number, the same while it is followed; 0 in pictures, where nobody is.
        face: `faces.Face`.
        estimate: `estimates.Estimate`, averaged while followed.
        single: the same of this frame alone.
        embedding: 128 numbers (dlib's face recognition network), where asked for.
    """

    identity: int
    face: object
    estimate: Estimate
    single: Estimate
    embedding: list | None = None


@dataclasses.dataclass
class Job:
    """What the process is to do; it is sent there.

    Attributes:
        weight_file: path.
        cut: `faces.Cut`.
        cropped: the frames are faces already.
        interval: factor of the age intervals, or None.
        age_offset: years added to every age.
        follow: the frames are those of a video.
    """

    weight_file: object
    cut: object
    cropped: bool = False
    interval: float | None = None
    age_offset: float = 0.0
    follow: bool = True

    def each(self, estimates):
        """List of N `Estimate` of N faces, with the interval and the age offset of this job."""
        return [each.shifted(self.age_offset) for each in estimates.each(self.interval)]


class Analyst:
    """The process, as a context manager that ends it.

    Where it dies, another is started; one that dies before it has answered anything is a
    `UserError`.

    Attributes:
        ready: whether it has loaded the network.
    """

    def __init__(self, job):
        self._job = job
        self.ready = False
        self._start()

    def _start(self):
        self._asked = None
        self._answered = False
        self._connection, other = processes.spawn.Pipe()
        self._process = processes.spawn.Process(target=_work, args=(other, self._job), daemon=True)
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
        """Whether it can be asked."""
        return self.ready and self._asked is None

    def wait(self):
        """Wait until it has loaded the network."""
        while not self.ready:
            self.answer(None)

    def ask(self, frame, embed=False):
        """Let it analyse a frame.

        Args:
            frame: `frames.Frame`.
            embed: also compute embeddings.
        """
        self._asked = frame
        try:
            self._connection.send((frame.time, frame.image, embed))
        except OSError:
            self._replace()

    def answer(self, wait=0.0):
        """The `Analysis` of the frame that it was asked about, or None where it is not done yet.

        Args:
            wait: seconds to wait for it at most; None for as long as it takes.
        """
        try:
            if not self._connection.poll(wait):
                return None
            seen = self._connection.recv()
        except (EOFError, OSError):
            self._replace()
            return None
        if isinstance(seen, UserError):
            raise seen
        if seen is None:  # its first words
            self.ready = True
            return None
        frame, self._asked, self._answered = self._asked, None, True
        return Analysis(frame, seen)

    def analyse(self, frame, embed=False):
        """The `Analysis` of a frame, however long it takes."""
        self.wait()
        self.ask(frame, embed)
        while (found := self.answer(None)) is None:
            if self.idle:  # another process was started
                self.ask(frame, embed)
        return found

    def _replace(self):
        self._process.join(5)
        self._connection.close()
        self.ready = False
        if not self._answered:
            raise UserError(
                "the process that looks for faces has ended, perhaps for want of memory: try again"
            )
        log("the process that looks for faces has ended: another is started")
        self._start()


def _work(connection, job):
    """What the process does: it answers until the other side closes the connection."""
    system.follow_parent()
    try:
        worker = Worker(job)
    except UserError as error:
        connection.send(error)
        return
    connection.send(None)
    while True:
        try:
            request = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(worker.examine(*request))


class Worker:
    """Finds, estimates and follows the faces of frames; see `Job` for its argument."""

    def __init__(self, job):
        with quiet_start():
            from age_gender.estimator import Estimator
        import numpy as np

        from age_gender import faces

        self._job = job
        self._estimator = Estimator(job.weight_file)
        self._estimator(np.zeros((1, job.cut.size, job.cut.size, 3), np.uint8))  # compiles it
        self._finder = None if job.cropped else faces.FaceFinder()
        self._embedder = None
        self.forget()

    def forget(self):
        """Begin anew: nobody is known."""
        from age_gender.live.tracking import FollowedFaces

        self._followed = FollowedFaces() if self._job.follow else None
        self._last = []
        self._searched, self._pause = -float("inf"), NEW_EVERY

    def examine(self, time, image, embed=False):
        """List of `Seen` in a frame.

        Args:
            time: of the frame, seconds.
            image: (H, W, 3) uint8 BGR.
            embed: also compute embeddings.
        """
        near = None
        if self._followed is not None and self._last and 0 <= time - self._searched < self._pause:
            near = self._last
        begun = clock.perf_counter()
        found, cuts = self._job.cut.examine(image, self._finder, near)
        if near is None:
            self._searched = time
            self._pause = max(NEW_EVERY, (clock.perf_counter() - begun) / SHARE)
        elif len(found) < len(near):
            self._searched = -float("inf")  # one is lost: look everywhere next time
        self._last = found
        estimates = self._estimator(cuts)
        singles = self._job.each(estimates)
        identities, averages = [0] * len(found), singles
        if self._followed is not None:
            followed = self._followed.update(time, found, cuts, estimates)
            identities = [each.identity for each in followed]
            averages = self._job.each(_averages(followed))
        embeddings = self._embeddings(image, found) if embed else [None] * len(found)
        return list(map(Seen, identities, found, averages, singles, embeddings))

    def _embeddings(self, image, found):
        if self._embedder is None:
            from age_gender import faces

            self._embedder = faces.Embedder()
        return self._embedder(image, found)


def _averages(followed):
    """`Estimates` of the averages of `followed_faces.Followed`."""
    import numpy as np

    from age_gender.estimates import Estimates
    from wide_resnet import AGE_CLASSES

    means = [each.mean for each in followed]
    ages = np.array([mean.age_probabilities for mean in means], np.float32)
    males = np.array([mean.males for mean in means], np.float32)
    return Estimates.from_probabilities(males, ages.reshape(-1, AGE_CLASSES))
