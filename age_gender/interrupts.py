"""Ctrl-C, a plain ``kill`` and a closed terminal: one line and exit code 130, at any moment.

Python answers a signal between two of its own instructions. That may be late, where C++ compiles
or waits for another machine; and the KeyboardInterrupt may get lost in a library, or become an
error of another kind in an import. So a thread, which the signal wakes whatever the main thread
does, ends the process after `GRACE`. Until then the main thread has time to close what is open.
Where there is nothing to close, because the program starts, imports or has done its work, the end
comes at once. Processes that `multiprocessing` started end with this one: `system.follow_parent`.
"""

import atexit
import os
import select
import shutil
import signal
import sys
import threading
from contextlib import contextmanager, suppress

STOPPED = 130  # exit code: 128 and the number of SIGINT, as shells have it
GRACE = 1.5  # seconds for closing what is open
TALK = 0.3  # seconds for the line, where nobody reads stderr
# Windows lacks the last, which comes when a terminal is closed
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class _State:
    """What this process does about a signal; there is one."""

    def __init__(self):
        self.handled = False  # the handlers are in place
        self.received = threading.Event()
        self.raised = 0  # blocks in which a signal becomes KeyboardInterrupt
        self.at_once = 0  # blocks in which nothing has to be closed
        self.finishing = 0  # blocks in which what was made is completed
        self.reasons = []  # functions that return the line, innermost last
        self.line = None  # the line of the block that was left last
        self.unfinished = set()  # files that nobody can use
        self.saying = threading.RLock()  # held by the thread that prints the line
        self.ending = threading.Lock()  # held by the thread that ends the process
        self.program = None
        self.stderr = None  # a descriptor


_state = _State()


def begin(program=None):
    """Take charge of the signals, but of those that this process was started deaf to (nohup).

    To be called in the main thread; a second call does nothing.

    Args:
        program: its name before the line; by default that of the file that Python runs.
    """
    if _state.handled:
        return
    _state.handled = True
    _state.program = program
    with suppress(OSError):  # it is closed
        _state.stderr = os.dup(2)  # libraries' talk is turned aside at times, see `quiet_start`
    read, descriptor = _pipe()
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read,), daemon=True).start()
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _handle)
    atexit.register(_last)  # registered first, called last
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # blocked by `system.keep_memory`


def _pipe():
    """A function that waits for a byte, and the descriptor to which a signal writes its number."""
    if sys.platform == "win32":  # where it has to be a socket
        import socket

        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        return lambda: ours.recv(1), theirs.detach()
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    return lambda: os.read(ours, 1), theirs


def received():
    """Whether a signal has told this process to stop."""
    return _state.received.is_set()


@contextmanager
def raised():
    """Let a signal raise KeyboardInterrupt in the block; elsewhere it ends the process at once."""
    _state.raised += 1
    try:
        yield
    finally:
        _state.raised -= 1


@contextmanager
def at_once():
    """Let a signal end the process at once in a block where nothing has to be closed."""
    _state.at_once += 1
    try:
        yield
    finally:
        _state.at_once -= 1


@contextmanager
def finishing():
    """Give the block all the time it takes to complete what was made; a second signal ends it."""
    _state.finishing += 1
    try:
        yield
    finally:
        _state.finishing -= 1


@contextmanager
def explained(reason):
    """Let ``reason()`` be the line about a signal in the block: what was kept, how to resume."""
    _state.reasons.append(reason)
    try:
        yield
    except KeyboardInterrupt as stop:
        _state.line = str(stop) or reason()
        raise KeyboardInterrupt(_state.line) from None
    finally:
        _state.reasons.remove(reason)


@contextmanager
def unfinished(path):
    """Remove a file or folder that nobody can use where the process ends within the block."""
    _state.unfinished.add(path)
    try:
        yield
    finally:
        _state.unfinished.discard(path)


def end():
    """Print the line, and end the process here and now; only one thread comes to it."""
    if not _state.ending.acquire(blocking=False):
        _pause(None)
    for path in list(_state.unfinished):
        with suppress(OSError):
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    say()
    if "multiprocessing" in sys.modules:  # its processes would only end when C++ lets them
        with suppress(Exception):
            for process in sys.modules["multiprocessing"].active_children():
                process.kill()
    os._exit(STOPPED)


def say(line=""):
    """Print the line, once, and only if somebody reads it; by default the one of `explained`."""
    with _state.saying:
        if _state.stderr is None:
            return
        program = _state.program or os.path.basename(sys.argv[0])
        line = f"\n{program}: {line or _line()}\n".encode(errors="backslashreplace")
        with suppress(OSError):
            if sys.platform == "win32" or select.select([], [_state.stderr], [], TALK)[1]:
                os.write(_state.stderr, line)
        _state.stderr = None


def _line():
    with suppress(Exception):
        return _state.line or (_state.reasons[-1]() if _state.reasons else "stopped")
    return "stopped"


def _handle(_, frame):
    """The handler, in the main thread. What is being closed is not disturbed by a second signal."""
    if _state.received.is_set() and _state.raised:
        return
    _state.received.set()
    if not _state.raised or _state.at_once or _imports(frame):
        end()
    raise KeyboardInterrupt


def _imports(frame):
    """Whether the main thread imports something, where an exception may become any other."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _watch(read):
    """The thread: it hears of each signal at once."""
    count = 0
    while True:
        number = read()[0]
        if signal.getsignal(number) is not _handle:
            continue
        count += 1
        if not _state.raised or _state.at_once or (count > 1 and _state.finishing):
            end()
        if count == 1:
            threading.Thread(target=_end_later, daemon=True).start()


def _end_later():
    _pause(GRACE)
    while _state.finishing:
        while _state.finishing:
            _pause(0.05)
        _pause(GRACE)
    end()


def _pause(seconds):
    threading.Event().wait(seconds)


def _last():
    """End a stopped process where libraries may still wait, and let nothing disturb the others."""
    if received():
        sys.stdout.flush()
        os._exit(STOPPED)
    for number in SIGNALS:
        if signal.getsignal(number) is _handle:
            signal.signal(number, signal.SIG_IGN)


def _forget():
    """Let a process that is forked from this one be like any other."""
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        if signal.getsignal(number) is _handle:
            signal.signal(number, signal.SIG_DFL)
    _state.__init__()
