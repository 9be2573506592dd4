"""Processes on all cores that leave Ctrl-C to the one that started them, and never outlive it."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from age_gender.command_line import UserError


@contextlib.contextmanager
def pool(start_method):
    """Yield a ProcessPoolExecutor with a process for each core.

    Args:
        start_method: "spawn" where this process has threads, as with TensorFlow; "fork" starts
            at once and hands on what is in memory.

    Raises `UserError` where one of the processes is killed.
    """
    cores = len(os.sched_getaffinity(0))
    executor = ProcessPoolExecutor(
        cores,
        mp_context=multiprocessing.get_context(start_method),
        initializer=end_with,
        initargs=(os.getpid(),),
    )
    # What is ignored here is ignored in processes started from here, from their first moment.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for _ in range(cores):
        executor.submit(os.getpid)  # each starts one
    signal.signal(signal.SIGINT, handler)
    try:
        yield executor
    except BrokenProcessPool as error:
        raise UserError(
            "a process that reads pictures was killed, perhaps for want of memory: try again"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def end_with(parent):
    """Let this process be killed when its parent ends, even by kill -9 (Linux)."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
