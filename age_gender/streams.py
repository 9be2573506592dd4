"""Standard output and error that hold up nobody who writes to them.

A reader may stall (a pipe that is not read, a terminal stopped with Ctrl-S) or leave, and a disk
may be full. Whatever this process, its libraries and its children write goes into a pipe that is
always read, and from there to the reader as fast as that takes it; what finds no room is dropped
and counted.
"""

import collections
import contextlib
import os
import secrets
import select
import sys
import threading
import time

from age_gender import system
from age_gender.files import WINDOWS

ROOM = 2**20  # bytes that wait for a reader at most
CHUNK = 2**16  # bytes that are read at once
STALLED = 5.0  # seconds without progress after which a reader is called stalled
STALLED_READER = "its reader has stalled"
LAST = 0.3  # seconds that a reader has at the end


class Stream:
    """A stream as it is.

    Attributes:
        lost: how many lines have not reached the reader.
        left: whether the reader has closed its end.
    """

    lost, left = 0, False

    def problem(self):
        """Why lines do not reach the reader, in words; None where they do."""

    def close(self):
        """Give the stream back."""


class Relay(Stream):
    """Carries what is written to a file descriptor to where it went before, in two threads.

    Args:
        number: the descriptor: 1 for stdout, 2 for stderr.
    """

    def __init__(self, number):
        self._number = number
        self._reader = os.dup(number)
        self._inside, written = os.pipe()
        os.dup2(written, number)
        os.close(written)
        self._mark = secrets.token_bytes(16).replace(b"\n", b"\0")  # the last that is relayed
        self._waiting = collections.deque()
        self._size = 0  # of what is waiting or being written, in bytes
        self._changed = threading.Condition()
        self._since = None  # when the write began that has not ended
        self._written = b""  # what it has still to write
        self._reason = None
        self._cut = False  # the last line has no end
        self._failing = False  # the last write has failed
        self._ended = threading.Event()
        for work in (self._take, self._pass_on):
            threading.Thread(target=work, daemon=True).start()

    def problem(self):
        since = self._since
        if self._reason is None and since is not None and time.monotonic() - since > STALLED:
            return STALLED_READER
        return self._reason

    def close(self):
        """Let the descriptor be what it was: or, if its reader takes nothing, lead nowhere."""
        with contextlib.suppress(OSError):
            os.write(self._number, self._mark)
        drained = self._ended.wait(LAST)
        if drained and not self._failing and _takes_more(self._reader):
            os.dup2(self._reader, self._number)
        else:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._number)
            os.close(nowhere)
        if drained:
            os.close(self._reader)
            return
        with self._changed:
            left = [self._written, *filter(None, self._waiting)]
            self.lost += sum(data.count(b"\n") for data in left)
            self._reason = self._reason or STALLED_READER

    def _take(self):
        """Read what is written, and let whole lines wait for the reader."""
        rest, marked = b"", False
        while not marked:
            data = os.read(self._inside, CHUNK)
            rest, mark, _ = (rest + data).partition(self._mark)
            marked = bool(mark) or not data
            size = len(rest) if marked or len(rest) > CHUNK else rest.rfind(b"\n") + 1
            self._add(rest[:size])
            rest = rest[size:]
        with self._changed:
            self._waiting.append(None)
            self._changed.notify()
        os.close(self._inside)

    def _add(self, data):
        with self._changed:
            if self._size + len(data) > ROOM:
                self.lost += data.count(b"\n")
            elif data:
                self._waiting.append(data)
                self._size += len(data)
                self._changed.notify()

    def _pass_on(self):
        """Write what is waiting, for as long as it may take."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = self._waiting.popleft()
                if data is None:
                    return self._ended.set()
                self._since = time.monotonic()
                self._written = b"\n" + data if self._cut else data
            self._write()
            with self._changed:
                self.lost += self._written.count(b"\n")
                self._size -= len(data)
                self._since, self._written = None, b""

    def _write(self):
        """Write one piece, or as much of it as the reader takes before an error."""
        while self._written and not self.left:
            try:
                done = os.write(self._reader, self._written)
            except BlockingIOError:  # who shares the pipe has set it so
                time.sleep(0.05)
            except OSError as error:
                self._failing = True
                self.left = system.is_broken_pipe(error)
                self._reason = "nobody reads it any more" if self.left else error.strerror
                return
            else:
                self._failing = False
                self._cut = self._written[done - 1 : done] != b"\n"
                self._written = self._written[done:]
                self._since = time.monotonic()


def _takes_more(number):
    """Whether a line can be written to a descriptor at once, as far as the system tells."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return any(event & select.POLLOUT for _, event in poll.poll(0))


class Closed(Stream):
    """A stream that was closed when the process started: nothing that is written is read."""

    lost = 1

    def problem(self):
        return "it is closed"


@contextlib.contextmanager
def relayed():
    """Relay stdout and stderr in the block; yields the `Stream` of each."""
    with contextlib.ExitStack() as stack:
        streams = [
            stack.enter_context(contextlib.closing(_opened(number, stream)))
            for number, stream in ((1, sys.__stdout__), (2, sys.__stderr__))
        ]
        stack.callback(_flush)
        yield streams


def _flush():
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _opened(number, stream):
    if stream is None:
        return Closed()
    if WINDOWS and stream.isatty():  # a console has no file descriptor that can lead elsewhere
        return Stream()
    return Relay(number)
