"""Shows this program a system that lacks what macOS or Windows lack.

Python imports it by its name, from PYTHONPATH, before anything else, in spawned processes too.
Only the program's own modules see the difference: what the standard library and the packages do
on such a system is their business, and they are told that this is Linux.
"""

import builtins
import ctypes
import errno
import fcntl
import multiprocessing
import os
import select
import signal
import sys
import types

ROOT = os.path.dirname(os.path.abspath(__file__)).removesuffix("/tests/helpers/other_system")
MODULES = ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "posix", "syslog")
NAMES = {
    os: "sched_getaffinity sched_setaffinity posix_fallocate posix_fadvise pread pwrite preadv "
    "pwritev fork forkpty fdatasync sync geteuid getuid getgid getppid getpgid killpg setsid nice "
    "statvfs mkfifo mknod sendfile copy_file_range memfd_create O_DIRECTORY O_CLOEXEC O_NOFOLLOW "
    "O_SYNC execve execv posix_spawn wait4 chown fchmod getloadavg sysconf uname ctermid",
    signal: "SIGKILL SIGALRM SIGPIPE SIGHUP SIGCHLD SIGUSR1 SIGUSR2 SIGQUIT SIGSTOP SIGCONT alarm "
    "setitimer pause sigwait sigtimedwait pthread_kill pthread_sigmask",
    select: "poll epoll kqueue",
}


def _without(module, names):
    poor = types.ModuleType(module.__name__, module.__doc__)
    vars(poor).update({key: value for key, value in vars(module).items() if key not in names})
    return poor


def _library(name, *arguments, **options):
    if name is None:
        raise TypeError("LoadLibrary() argument 1 must be str, not None")
    return ctypes.CDLL(name, *arguments, **options)


def _lock_bytes(file, mode, count):
    """`msvcrt.locking`: from the current place on, and at once or not at all."""
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, count, os.lseek(file, 0, os.SEEK_CUR))


VIEW = {module.__name__: _without(module, names.split()) for module, names in NAMES.items()}
VIEW["ctypes"] = _without(ctypes, ())
VIEW["ctypes"].CDLL = _library
VIEW["msvcrt"] = types.ModuleType("msvcrt")
VIEW["msvcrt"].LK_NBLCK, VIEW["msvcrt"].locking = 2, _lock_bytes


def _import(name, globals=None, locals=None, fromlist=(), level=0, real=builtins.__import__):
    file = (globals or {}).get("__file__") or ""
    if file.startswith(f"{ROOT}/") and "/.venv/" not in file and level == 0:
        top = name.partition(".")[0]
        if top in MODULES:
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)
        if top in VIEW and (name == top or not fromlist):
            return VIEW[top]
    return real(name, globals, locals, fromlist, level)


def _refuse_proc(event, arguments):
    if event == "open" and str(arguments[0]).startswith("/proc/"):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])


for method in ("fork", "forkserver"):
    del multiprocessing.context._concrete_contexts[method]
multiprocessing.set_start_method("spawn")
builtins.__import__ = _import
sys.addaudithook(_refuse_proc)
