"""A camera or a video shown at its own speed, with the newest analysis of its faces.

The source is read in a thread, faces are analysed in a separate process (analyst.py) on the newest
frame, and every frame is shown with the newest analysis: nothing waits for anything slower.
"""

import collections
import contextlib
import dataclasses
import queue
import threading
import time

import cv2
import numpy as np

from age_gender.command_line import UserError, log
from age_gender.frames import Frame

FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0  # seconds before a camera is opened again
STALE = 1.0  # seconds after which boxes disappear that no newer analysis replaces
POLL = 0.05  # seconds that the window waits for a frame before it handles keys

LOADING = "loading the network"

Shown = collections.namedtuple("Shown", "frame faces analysis message")
Shown.__doc__ = """What is shown now.

frame: `frames.Frame`. faces: the list of `worker.AnalysedFace` to draw. analysis: the
`analyst.Analysis` that has finished since the last one, else None. message: text for the user, or
None.
"""


def mirrored(shown):
    """A `Shown` as in a mirror, for the eye alone: labels drawn on it can be read."""
    frame, width = shown.frame, shown.frame.image.shape[1]
    faces = [
        dataclasses.replace(
            each,
            face=dataclasses.replace(each.face, left=width - each.face.left - each.face.width),
        )
        for each in shown.faces
    ]
    return shown._replace(frame=frame._replace(image=cv2.flip(frame.image, 1)), faces=faces)


class Reader(threading.Thread):
    """Reads the frames of a source in a thread.

    A live source gives its newest frame; if it fails, it is opened again with growing pauses. A
    video file gives all its frames at its own speed.

    Args:
        source: `frames.Camera` or `frames.VideoFile`.

    Attributes:
        problem: what is wrong with the live source, or None.
        ended: whether the video is over.
    """

    def __init__(self, source):
        super().__init__(daemon=True)
        self.source = source
        self.problem = None
        self.ended = False
        self._error = None
        self._frames = queue.Queue(2)
        self._closing = threading.Event()
        self.start()

    def next(self, timeout):
        """The next `frames.Frame`, or None if none comes within ``timeout`` seconds.

        Raises `UserError` if the video cannot be read.
        """
        try:
            return self._frames.get(timeout=timeout)
        except queue.Empty:
            if self._error is not None:
                raise self._error from None
            return None

    def close(self):
        """Release the source; waits half a second at most."""
        self._closing.set()
        self.join(0.5)

    def run(self):
        try:
            if self.source.live:
                self._read_live()
            else:
                self._read_file()
        except Exception as error:  # raised by `next`, in the thread that asks for frames
            self._error = error
        self.ended = True

    def _read_file(self):
        ahead = None  # seconds by which the video's clock is ahead of this one
        for frame in self.source:
            now = time.monotonic()
            if ahead is None:
                ahead = frame.time - now
            late = now + ahead - frame.time
            if late > 0:
                ahead -= late  # the video is delayed: no frame is left out
            elif self._closing.wait(-late):
                return
            self._put(frame._replace(read=time.monotonic()))
            if self._closing.is_set():
                return

    def _put(self, frame):
        while not self._closing.is_set():
            try:
                return self._frames.put(frame, timeout=0.1)
            except queue.Full:
                continue

    def _read_live(self):
        pause, number = FIRST_PAUSE, 0
        while not self._closing.is_set():
            try:
                for frame in self.source:
                    pause, self.problem, number = FIRST_PAUSE, None, number + 1
                    self._put_newest(frame._replace(number=number))
                    if self._closing.is_set():
                        return
            except UserError as error:
                if self.problem is None:
                    log(f"{error}; retrying until then")
                self.problem = str(error).split(": ")[0]
            self._closing.wait(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def _put_newest(self, frame):
        while True:
            try:
                return self._frames.put_nowait(frame)
            except queue.Full:
                try:
                    self._frames.get_nowait()
                except queue.Empty:
                    continue


class Player:
    """Iterates over `Shown`, one for each frame of a camera or a video at its own speed.

    Without a frame there is one every `POLL` seconds all the same, so that keys are handled.

    Args:
        source: `frames.Camera` or `frames.VideoFile`.
        analyst: `analyst.Analyst`.
        embed: function that returns whether embeddings are computed too.
    """

    def __init__(self, source, analyst, embed=lambda: False):
        self._source = source
        self._analyst = analyst
        self._embed = embed

    def __iter__(self):
        last = Frame.now("", np.zeros((480, 640, 3), np.uint8), 0)
        if not self._source.live:
            with contextlib.closing(iter(self._source)) as frames:
                last = next(frames, last)._replace(
                    number=0
                )  # shown, but not a part of what is made
        while not self._source.live and not self._analyst.ready:
            self._analyst.poll(POLL)
            yield Shown(last, [], None, LOADING)
        reader = Reader(self._source)
        newest = None
        try:
            while True:
                frame = reader.next(POLL)
                if frame is None and reader.ended:
                    frame = reader.next(0)
                    if frame is None:
                        return
                analysis = self._analyst.poll()
                newest = analysis or newest
                if frame is not None and self._analyst.idle:
                    self._analyst.submit(frame, self._embed())
                last = frame or last
                faces = [] if newest is None else _at(last.time - newest.frame.time, newest.faces)
                yield Shown(last, faces, analysis, self._message(reader))
        finally:
            reader.close()

    def _message(self, reader):
        if reader.problem:
            return f"{reader.problem}: trying again"
        return None if self._analyst.ready else LOADING


def _at(age, faces):
    """The faces of an analysis that is ``age`` seconds old, where they should be now."""
    return [] if age > STALE else [each.after(age) for each in faces]


def analysed_frames(frames, analyst, embed=lambda: False):
    """Yield a `Shown` for every frame with its own analysis, however long that takes.

    Args:
        frames: iterable of `frames.Frame`.
        analyst: `analyst.Analyst`.
        embed: function that returns whether embeddings are computed too.
    """
    for frame in frames:
        analysis = analyst.analyse(frame, embed())
        yield Shown(frame, analysis.faces, analysis, None)
