import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from age_gender import processes
from age_gender.command_line import UserError
from helpers import ROOT, until


def test_results_come_in_order_and_no_more_than_asked_are_ahead():
    started = []

    def work(number):
        started.append(number)
        time.sleep(0.01 * (number % 3))
        return number

    with ThreadPoolExecutor(4) as pool:
        for number, future in processes.in_order(pool, work, range(40), ahead=5):
            assert future.result() == number
            assert len(started) <= number + 6


def test_processes_do_the_work_and_end():
    with processes.pool() as pool:
        pids = set(pool.map(_who, range(20)))
    assert os.getpid() not in pids
    assert not any(_lives(pid) for pid in pids)


def _who(_):
    time.sleep(0.01)
    return os.getpid()


def test_killed_process_is_one_line():
    with pytest.raises(UserError) as error:
        with processes.pool() as pool:
            pool.submit(_die).result()
    assert str(error.value) == (
        "a process that reads pictures was killed, perhaps for want of memory: try again"
    )


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


PARENT = """
import os
from age_gender import processes

def work():
    print(os.getpid(), flush=True)
    while True:
        sum(range(10**7))  # C code that lets no other thread run meanwhile

if __name__ == "__main__":
    with processes.pool() as pool:
        pool.submit(work).result()
"""


def test_processes_end_when_their_parent_is_killed(tmp_path):
    """Even those that are at work, and wait for nothing."""
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    child = int(parent.stdout.readline())
    assert _lives(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not _lives(child))


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
