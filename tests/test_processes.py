import os
import signal
import subprocess
import sys
import time

import pytest

from age_gender import processes
from age_gender.command_line import UserError
from helpers import ROOT


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_do_the_work_and_end(method):
    with processes.pool(method) as pool:
        pids = set(pool.map(_who, range(20)))
    assert os.getpid() not in pids
    assert not any(_lives(pid) for pid in pids)


def _who(_):
    time.sleep(0.01)
    return os.getpid()


def test_killed_process_is_one_line():
    with pytest.raises(UserError) as error:
        with processes.pool("fork") as pool:
            pool.submit(_die).result()
    assert str(error.value) == (
        "a process that reads pictures was killed, perhaps for want of memory: try again"
    )


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_end_when_their_parent_is_killed():
    code = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1]); from age_gender import processes\n"
        "with processes.pool('fork') as pool:\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, ROOT], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert _lives(child)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(child)


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
