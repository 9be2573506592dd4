"""A camera or a video shown at its own speed, with what is known of its faces.

The camera is read in a thread, faces are looked for in a process of their own (analyst.py) on the
newest frame, and every frame is shown with the newest analysis: nothing waits for anything slower.
"""

import collections
import queue
import threading
import time

import numpy as np

from age_gender import frames
from age_gender.command_line import UserError, log

FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0  # seconds before a camera is tried again
STALE = 1.0  # seconds after which boxes go that no newer analysis replaces
PATIENCE = 0.05  # seconds that the window waits for a frame before it sees to the keys

LOADING = "loading the network"

Shown = collections.namedtuple("Shown", "frame seen analysis message")
Shown.__doc__ = """What is to be shown now.

frame: `frames.Frame`. seen: the list of `analyst.Seen` to draw. analysis: the `analyst.Analysis`
that has come in since the last, else None. message: what the user should know, or None.
"""


class Source(threading.Thread):
    """The frames of a camera or a video file, read in a thread of its own.

    A camera gives its newest frame; one that is missing, busy or unplugged is tried again with
    growing pauses. A video file gives all its frames at its own speed.

    Attributes:
        trouble: what is wrong with the camera, or None.
        ended: whether the video is over.
    """

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source = source
        self.trouble = None
        self.ended = False
        self._error = None
        self._frames = queue.Queue(2)
        self._closing = threading.Event()
        self.start()

    def next(self, timeout):
        """The next `frames.Frame`, or None where there is none within ``timeout`` seconds.

        Raises `UserError` where the video cannot be read.
        """
        try:
            return self._frames.get(timeout=timeout)
        except queue.Empty:
            if self._error is not None:
                raise self._error from None
            return None

    def close(self):
        """Let go of the camera; waits half a second for it at most."""
        self._closing.set()
        self.join(0.5)

    def run(self):
        try:
            if frames.is_camera(self.source):
                self._read_camera()
            else:
                self._read_file()
        except Exception as error:  # it is raised where the frames are asked for
            self._error = error
        self.ended = True

    def _read_file(self):
        ahead = None  # of this clock, the video's is
        for frame in frames.video(self.source):
            now = time.time()
            if ahead is None:
                ahead = frame.time - now
            late = now + ahead - frame.time
            if late > 0:
                ahead -= late  # it goes on from here: no frame is left out
            elif self._closing.wait(-late):
                return
            self._put(frame._replace(time=time.time()))
            if self._closing.is_set():
                return

    def _put(self, frame):
        while not self._closing.is_set():
            try:
                return self._frames.put(frame, timeout=0.1)
            except queue.Full:
                continue

    def _read_camera(self):
        pause, number = FIRST_PAUSE, 0
        while not self._closing.is_set():
            try:
                for frame in frames.video(self.source):
                    pause, self.trouble, number = FIRST_PAUSE, None, number + 1
                    self._newest(frame._replace(number=number))
                    if self._closing.is_set():
                        return
            except UserError as error:
                if self.trouble is None:
                    log(f"{error}; it is tried again until then")
                self.trouble = str(error).split(":")[0]
            self._closing.wait(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def _newest(self, frame):
        while True:
            try:
                return self._frames.put_nowait(frame)
            except queue.Full:
                try:
                    self._frames.get_nowait()
                except queue.Empty:
                    continue


class Live:
    """Iterates over `Shown`, one for each frame of a camera or a video at its own speed.

    Without a camera there is one every `PATIENCE` seconds all the same, so that keys are heeded.

    Args:
        source: camera index or path of a video file.
        analyst: `analyst.Analyst`.
        embed: function that says whether embeddings are computed too.
    """

    def __init__(self, source, analyst, embed=lambda: False):
        self._source = source
        self._analyst = analyst
        self._embed = embed

    def __iter__(self):
        last = frames.Frame("", np.zeros((480, 640, 3), np.uint8), 0, 0.0)
        while not frames.is_camera(self._source) and not self._analyst.ready:
            self._analyst.answer(PATIENCE)
            yield Shown(last, [], None, LOADING)
        source = Source(self._source)
        newest = None
        try:
            while True:
                frame = source.next(PATIENCE)
                if frame is None and source.ended:
                    frame = source.next(0)
                    if frame is None:
                        return
                analysis = self._analyst.answer()
                newest = analysis or newest
                if frame is not None and self._analyst.idle:
                    self._analyst.ask(frame, self._embed())
                last = frame or last
                old = newest is None or time.time() - newest.frame.time > STALE
                seen = [] if old else newest.seen
                yield Shown(last, seen, analysis, self._message(source))
        finally:
            source.close()

    def _message(self, source):
        if source.trouble:
            return f"{source.trouble}: trying again"
        return None if self._analyst.ready else LOADING


def each(source, analyst, embed=lambda: False):
    """Yield a `Shown` for every frame with its own analysis, however long that takes.

    Args:
        source: iterable of `frames.Frame`.
        analyst: `analyst.Analyst`.
        embed: function that says whether embeddings are computed too.
    """
    for frame in source:
        analysis = analyst.analyse(frame, embed())
        yield Shown(frame, analysis.seen, analysis, None)
