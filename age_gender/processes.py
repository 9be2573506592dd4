"""A process on each core, for work on many pictures."""

import collections
import contextlib
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from age_gender import system
from age_gender.command_line import UserError

MOST_ON_WINDOWS = 61  # processes that can be waited for there

# The only way to start a process that every system has, and that is safe where there are threads.
spawn = multiprocessing.get_context("spawn")


@contextlib.contextmanager
def pool(prepare=None, *arguments):
    """Yield a ProcessPoolExecutor with a process for each core.

    They leave Ctrl-C to this process, and end when it ends, even by kill -9.

    Args:
        prepare, arguments: function that each calls first, and its arguments.

    Raises `UserError` where one of the processes is killed.
    """
    count = system.cores()
    if sys.platform == "win32":
        count = min(count, MOST_ON_WINDOWS)
    executor = ProcessPoolExecutor(
        count, mp_context=spawn, initializer=_begin, initargs=(prepare, arguments)
    )
    with system.interrupts_ignored():
        for _ in range(count):
            executor.submit(os.getpid)  # each starts one
    try:
        yield executor
    except BrokenProcessPool as error:
        raise UserError(
            "a process that reads pictures was killed, perhaps for want of memory: try again"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def in_order(pool, function, items, ahead):
    """Yield (item, future of ``function(item)``) in the order of the items.

    At most ``ahead`` items are worked on or wait at a time, so memory does not grow with them.
    """
    waiting = collections.deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) >= ahead:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for _, future in waiting:
            future.cancel()


def _begin(prepare, arguments):
    system.follow_parent()
    if prepare is not None:
        prepare(*arguments)
