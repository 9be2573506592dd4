"""A parent that has imported TensorFlow and forks commands, which then need not import it again.

It has no threads and has computed nothing, so that a fork of it is a process like any other. In
what it forks, a process that multiprocessing would spawn is forked too, where no threads but
Python's own run. For Linux; elsewhere commands are started as usual.
"""

import json
import multiprocessing.util
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time

from helpers import ROOT

SINGLE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # their threads begin with imports
MALLOC = {"MALLOC_ARENA_MAX": "1"}  # `system.keep_memory` leaves a process with it as it is
WARM = (
    f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]; "
    "from helpers import warm; warm.main(int(sys.argv[1]))"
)


def start(arguments, env, cwd, stdout, stderr):
    """Start a script as usual, where there is no parent to fork it from."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, env=env, cwd=cwd, stdout=stdout, stderr=stderr)


class Parent:
    """The parent, seen from the tests."""

    def __init__(self):
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-c", WARM, str(other.fileno())],
            env={**os.environ, **SINGLE, **MALLOC},
            pass_fds=[other.fileno()],
        )
        other.close()

    def ask(self, request, files=()):
        """What it answers to a dict, with which file descriptors are sent."""
        socket.send_fds(self._socket, [json.dumps(request).encode()], files)
        answer = self._socket.recv(1000)
        assert answer, "the parent of warm commands has ended"
        return json.loads(answer)

    def start(self, arguments, env, cwd, stdout, stderr):
        """Start a script, like the function of this name; returns a `Command`."""
        request = {"argv": list(map(str, arguments)), "cwd": str(cwd)}
        request["env"] = {**env, **SINGLE, **MALLOC}
        return Command(self, self.ask(request, [stdout.fileno(), stderr.fileno()]))

    def close(self):
        self._socket.close()
        self._process.wait()


class Command:
    """A command that was forked, with what tests need of `subprocess.Popen`."""

    def __init__(self, parent, pid):
        self._parent = parent
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            self.returncode = self._parent.ask({"pid": self.pid})
        return self.returncode

    def wait(self, timeout=None):
        deadline = time.monotonic() + (timeout or float("inf"))
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.02)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def main(descriptor):
    """The parent's own side: it forks what it is asked for until the tests close the socket."""
    from age_gender.command_line import quiet_start

    with quiet_start():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    import dlib  # noqa: F401
    import h5py  # noqa: F401

    from age_gender import estimator, faces, frames  # noqa: F401

    assert _threads() == 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end it
    request, files = _serve(socket.socket(fileno=descriptor))
    _become(request, files)


def _serve(asked):
    """Answer until a request is for a command; returns it in the process that becomes it."""
    while True:
        message, files, _, _ = socket.recv_fds(asked, 2**16, 2)
        if not message:
            sys.exit()
        request = json.loads(message)
        if "pid" in request:
            pid, status = os.waitpid(request["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                asked.close()
                return request, files
            for file in files:
                os.close(file)
        asked.send(json.dumps(answer).encode())


def _become(request, files):
    """Run a script in this process, as ``python script`` does."""
    for place, file in enumerate(files, 1):
        os.dup2(file, place)
        os.close(file)
    # A pipe is not like the file that the parent's streams may be.
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["argv"]
    sys.path[:2] = [os.path.dirname(sys.argv[0])]
    multiprocessing.util.spawnv_passfds = _fork_passfds
    runpy.run_path(sys.argv[0], run_name="__main__")


def _fork_passfds(path, arguments, files, spawn=multiprocessing.util.spawnv_passfds):
    """What multiprocessing spawns, forked; ``arguments`` end with CODE --multiprocessing-fork."""
    *_, code, option = map(os.fsdecode, arguments)
    if option != "--multiprocessing-fork" or _threads() > threading.active_count():
        return spawn(path, arguments, files)  # threads of TensorFlow or Qt do not survive a fork
    pid = os.fork()
    if pid:
        return pid
    kept = sorted({0, 1, 2, *files})
    for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")]):
        os.closerange(low + 1, high)
    sys.argv = ["-c", option]
    status = 1
    try:
        exec(code, {})
    except SystemExit as end:
        status = end.code
    finally:
        os._exit(status)


def _threads():
    return len(os.listdir("/proc/self/task"))
