"""A separate process that analyses frames (worker.py), one at a time, while the window goes on."""

from typing import NamedTuple

from age_gender import processes, system
from age_gender.command_line import UserError, log
from age_gender.frames import Frame
from age_gender.live.worker import AnalysedFace, Worker

MOST_DEATHS = 6  # of the process in a row, without a result between


class Analysis(NamedTuple):
    """What was found in a frame.

    Attributes:
        frame: `frames.Frame`.
        faces: list of its `AnalysedFace`, from left to right.
        problem: why it could not be analysed, or None.
    """

    frame: Frame
    faces: list[AnalysedFace]
    problem: str | None = None

    @property
    def detected(self):
        """The faces that the detector sees, without those that are only followed."""
        return [each for each in self.faces if each.detected]


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
