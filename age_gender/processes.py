"""A process on each core, for work on many inputs, of which each has one outcome.

Whatever an input does to the process that handles it, the others go on. An exception is the
outcome of that input. A process that dies is replaced, and its input tried again, alone; an input
that lacks memory beside others is handled alone, too.
"""

import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import sys

from age_gender import memory, system
from age_gender.command_line import UserError

MOST_ON_WINDOWS = 61  # processes that can be waited for there
TRIES = 3  # for an input whose process dies

THREADED = {"tensorflow", "jax"}  # libraries whose threads would be missing in a forked process

# The only way to start a process that every system has, and that is safe where there are threads.
spawn = multiprocessing.get_context("spawn")

Outcome = collections.namedtuple("Outcome", "item value problem")
Outcome.__doc__ = "What became of an item: the value that a function returned, or a `Problem`."


class Problem(str):
    """Why an input could not be handled, in a few words.

    Attributes:
        errno: of the system's error; None if it was none.
    """

    errno = None

    @classmethod
    def of(cls, error):
        """The problem that an exception of any library is."""
        if isinstance(error, UserError):
            return cls(error)
        if lacks_memory(error):
            return cls("it takes more memory than there is for one picture")
        lines = str(error).strip().splitlines()
        if isinstance(error, OSError) and error.strerror:
            problem = cls(error.strerror)
            problem.errno = error.errno
            return problem
        if type(error).__module__ == "cv2":  # which says who speaks itself
            return cls(lines[0])
        return cls(": ".join([type(error).__name__, *lines[:1]]))


def lacks_memory(error):
    """Whether an exception says that there is not enough memory."""
    return isinstance(error, MemoryError) or "nsufficient memory" in str(error)  # OpenCV's words


def attempt(function, *arguments):
    """The guard around the handling of an input: (what the function returns, None or `Problem`).

    Raises `MemoryError` if memory lacks and the input is not handled alone.
    """
    try:
        return function(*arguments), None
    except Exception as error:  # of any library: one input is no reason to leave out the others
        if lacks_memory(error) and not memory.alone():
            raise MemoryError from error
        return None, Problem.of(error)


@contextlib.contextmanager
def pool(prepare=None, *arguments, most=None, fork=False):
    """Yield `Workers`, one for each core; they are killed at the end of the block.

    Args:
        prepare, arguments: function that each calls first, and its arguments.
        most: how many there are at most.
        fork: nothing in this process keeps processes from being forked from it, where the system
            can do that safely: no threads of libraries, no locks of files. They start at once
            then, and share the memory of what is loaded here, also by ``prepare``.
    """
    count = min(system.cores(), most or system.cores())
    if sys.platform == "win32":
        count = min(count, MOST_ON_WINDOWS)
    forks = fork and system.forks_safely() and not THREADED & sys.modules.keys()
    workers = Workers(
        count, prepare, arguments, multiprocessing.get_context("fork") if forks else spawn
    )
    try:
        yield workers
    finally:
        workers.close()


def in_order(workers, function, items, ahead):
    """Yield the `Outcome` of ``function(item)`` for each item, in their order.

    At most ``ahead`` items are worked on or wait at a time, so memory does not grow with them.
    """
    waiting = collections.deque()
    for item in items:
        waiting.append((item, workers.submit(function, item)))
        if len(waiting) >= ahead:
            item, task = waiting.popleft()
            yield Outcome(item, *workers.wait(task))
    for item, task in waiting:
        yield Outcome(item, *workers.wait(task))


class Task:
    """A call of a function in another process; `Workers.wait` returns its outcome."""

    def __init__(self, function, arguments):
        self.call = function, arguments
        self.outcome = None  # (value, problem) when it is done
        self.alone = False
        self.deaths = 0


class Workers:
    """Processes that call functions; each has one call at a time.

    They leave Ctrl-C to this process, and end when it ends, even by kill -9. Calls are handed out
    and answers taken whenever `submit` or `wait` is called.

    Args:
        count: how many.
        prepare, arguments: function that each calls first, and its arguments.
        context: of multiprocessing; with its "fork" this process calls the function, once.
    """

    def __init__(self, count, prepare=None, arguments=(), context=spawn):
        if context is not spawn:
            _get_ready(prepare, arguments)
            if THREADED & sys.modules.keys():
                context = spawn  # it has loaded what a fork would wait for without end
            else:
                prepare, arguments = None, ()
        self._prepare = context, prepare, arguments
        self._queue = collections.deque()
        self._failed_starts = 0
        self._workers = []
        try:
            for _ in range(count):
                self._workers.append(_Worker(*self._prepare))
        except BaseException:
            self.close()
            raise

    def submit(self, function, *arguments):
        """A `Task`: ``function(*arguments)`` in one of the processes, which both are sent to."""
        task = Task(function, arguments)
        self._queue.append(task)
        self._turn(0)
        return task

    def wait(self, task):
        """The outcome of a task when it is done: (value, None) or (None, `Problem`).

        Raises `UserError` if processes cannot be prepared.
        """
        while task.outcome is None:
            self._turn(None)
        return task.outcome

    def close(self):
        """Kill the processes."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()
        self._workers.clear()

    def _turn(self, timeout):
        """Hand out calls, and take the answers that come within ``timeout`` seconds."""
        self._hand_out()
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in multiprocessing.connection.wait([*by_connection], timeout):
            self._take(by_connection[connection])
        self._hand_out()

    def _hand_out(self):
        busy = [worker.task for worker in self._workers if worker.task is not None]
        for worker in self._workers:
            if not self._queue or any(task.alone for task in busy):
                return
            if self._queue[0].alone and busy:
                return
            if worker.ready and worker.task is None:
                task = self._queue.popleft()
                busy.append(task)
                worker.hand(task)

    def _take(self, worker):
        """Take the answer of a process, or replace it if it is dead."""
        try:
            kind, answer = worker.connection.recv()
        except (EOFError, OSError):
            return self._replace(worker)
        if kind == "unfit":
            raise UserError(answer)
        if kind == "ready":
            worker.ready = True
            return
        self._failed_starts = 0
        task, worker.task = worker.task, None
        if kind == "alone":
            self._again(task)
        else:
            task.outcome = answer

    def _again(self, task):
        task.alone = True
        self._queue.appendleft(task)

    def _replace(self, worker):
        worker.process.kill()
        worker.process.join()
        worker.connection.close()
        if (task := worker.task) is not None:
            task.deaths += 1
            if task.deaths < TRIES:
                self._again(task)
            else:
                task.outcome = None, Problem(f"it ended the process that handled it {TRIES} times")
        elif not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= TRIES:
                raise UserError(
                    "processes that read pictures end as soon as they start, perhaps for lack of "
                    "memory: try again"
                )
        self._workers[self._workers.index(worker)] = _Worker(*self._prepare)


class _Worker:
    """A process as this one sees it.

    Attributes:
        ready: whether it is prepared.
        task: what it works on; None if it waits.
    """

    def __init__(self, context, prepare, arguments):
        self.ready = False
        self.task = None
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, prepare, arguments), daemon=True)
        with system.interrupts_ignored(spawned=context is spawn):
            self.process.start()
        other.close()

    def hand(self, task):
        """Let it work on a task."""
        self.task = task
        with contextlib.suppress(OSError):  # it is dead, as `_take` will find
            self.connection.send((*task.call, task.alone))


def _get_ready(prepare, arguments):
    if prepare is not None:
        prepare(*arguments)
    system.give_memory_back()


def _serve(connection, prepare, arguments):
    """Main function of the processes: answers until it is killed."""
    system.follow_parent()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders talk of every damaged file
    try:
        _get_ready(prepare, arguments)
    except Exception as error:  # of any library
        connection.send(("unfit", Problem.of(error)))
        return
    connection.send(("ready", None))
    while True:
        try:
            function, arguments, alone = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(_answer(function, arguments, alone))


def _answer(function, arguments, alone):
    """("done", outcome) of a call; ("alone", None) if it needs the memory of other calls, too."""
    try:
        with memory.limited(alone):
            return "done", attempt(function, *arguments)
    except MemoryError:
        return "alone", None
