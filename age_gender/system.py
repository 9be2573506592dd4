"""What differs between Linux, macOS and Windows: one function each, with a plain fallback.

Files and locks are in files.py, groups of processes in processes.py.
"""

import contextlib
import ctypes
import errno
import multiprocessing
import os
import platform
import select
import signal
import sys
import threading

from age_gender import interrupts

STOPPED = interrupts.STOPPED
READER_HAS_LEFT = 141  # exit code: 128 and the number of SIGPIPE, which Windows lacks
# What a terminal sends to all processes that it has started.
OF_TERMINAL = [number for number in interrupts.SIGNALS if number != signal.SIGTERM]
# Exit codes of commands that go on without some of their inputs: 1 is Python's, 2 the user's.
SOME_FAILED, ALL_FAILED = 3, 4
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # numbers of glibc's mallopt


def cores():
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def owners(path):
    """Numbers of the users whose files may lie in a folder of this one's: a set.

    They are this user and the owner of the folder; None where files have no owners.
    """
    return {os.geteuid(), os.stat(path).st_uid} if hasattr(os, "geteuid") else None


def foreign(status):
    """Whether a file of this ``os.stat`` is another user's, or others may write to it.

    False where files have no owners.
    """
    if not hasattr(os, "geteuid"):
        return False
    return status.st_uid != os.geteuid() or bool(status.st_mode & 0o022)


def peak_memory():
    """The most bytes of memory that this process has held; None where the system does not say."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def memory():
    """The bytes of memory that there are for this process; None where the system does not say."""
    limits = []
    with contextlib.suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(ImportError, ValueError):
        import resource

        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            limit = resource.getrlimit(kind)[0]
            limits += [limit] if limit != resource.RLIM_INFINITY else []
    return min([*filter(lambda size: size > 0, limits), *_of_control_groups()], default=None)


def _of_control_groups():
    """The limits on memory of this process's control groups, as of containers; on Linux."""
    root = "/sys/fs/cgroup"
    try:
        with open("/proc/self/cgroup", encoding="ascii", errors="replace") as file:
            group = next((line[3:].strip() for line in file if line.startswith("0::")), "")
    except OSError:
        return []
    files = [f"{root}/memory/memory.limit_in_bytes"]  # of the first version
    while group.strip("/"):
        files.append(f"{root}{group}/memory.max")
        group = os.path.dirname(group)
    files.append(f"{root}/memory.max")
    limits = []
    for name in files:
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            with open(name, encoding="ascii") as file:
                limits.append(int(file.read()))
    return limits


@contextlib.contextmanager
def memory_limited(more):
    """Let this process have so many bytes more in the block than it has now, on Linux.

    Whatever asks for more gets an error, in whichever library.
    """
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[5])  # data and stack
        before = resource.getrlimit(resource.RLIMIT_DATA)
        limit = pages * resource.getpagesize() + more
        if before[1] != resource.RLIM_INFINITY:
            limit = min(limit, before[1])
        resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    except (ImportError, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def open_without_waiting(path):
    """Open a file to read its bytes, even a pipe to which nobody writes."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    return open(os.open(path, flags), "rb")


def keep_memory():
    """Start this process again with glibc told to keep what it has, in huge pages.

    What holds a small network back on a processor is memory: glibc hands the megabytes of an
    activation back to the system after every operation, and the system clears each page anew for
    the next one. glibc reads these settings when a process starts, and only then. Where the user
    has set any of them, and with any other C library, nothing is done.
    """
    if MALLOC.keys() & os.environ.keys() or platform.libc_ver()[0] != "glibc":
        return
    with contextlib.suppress(OSError), signals_blocked():  # Ctrl-C waits until Python has started
        os.execve(sys.executable, sys.orig_argv, os.environ | MALLOC)


def give_memory_back():
    """Let glibc give back what is free, and from now on every array of a megabyte when it is freed.

    By itself it keeps arrays of the size of the largest that was freed, up to 32 MB.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            library.mallopt(parameter, 2**20)
        library.malloc_trim(0)


def forks_safely():
    """Whether libraries of the system bear a fork: macOS's do not, and Windows has none."""
    return sys.platform == "linux" and hasattr(os, "fork")


def is_broken_pipe(error):
    """Whether an `OSError` may be of a pipe that nobody reads any more."""
    windows = sys.platform == "win32" and error.errno == errno.EINVAL and error.filename is None
    return windows or isinstance(error, BrokenPipeError)


def reader_has_left(stream):
    """Whether nobody reads the pipe any more that ``stream`` writes to.

    To be asked when writing has failed: where the system cannot tell, that was the reason.
    """
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


@contextlib.contextmanager
def signals_blocked(numbers=interrupts.SIGNALS):
    """Let signals wait until the block ends; what is started in it never hears of them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def interrupts_ignored(spawned=True):
    """Let processes that `multiprocessing` starts in the block ignore Ctrl-C (but on Windows).

    Args:
        spawned: they are not forked.
    """
    if sys.platform != "win32" and spawned:
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # with the first process, it would unblock Ctrl-C
    return signals_blocked(OF_TERMINAL)


def follow_parent():
    """Let this process end when its parent ends, however that ends, and by no signal of a terminal.

    To be called first thing in a process of `multiprocessing`.
    """
    for number in OF_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def on_abort(handler):
    """Let C's abort() call a ctypes function of an int; where C cannot be asked, it just ends."""
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).signal(signal.SIGABRT, handler)
