import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from age_gender import memory, processes
from age_gender.command_line import UserError
from helpers import ROOT, until


def test_outcomes_come_in_order_and_no_more_than_asked_are_ahead():
    begun = []

    def items():
        for number in range(40):
            begun.append(number)
            yield number

    with processes.pool() as pool:
        for number, outcome in enumerate(processes.in_order(pool, _twice, items(), ahead=5)):
            assert outcome == (number, 2 * number, None)
            assert len(begun) <= number + 6
    assert number == 39


def _twice(number):
    return 2 * number


def test_processes_do_the_work_and_end():
    with processes.pool() as pool:
        pids = {outcome.value for outcome in processes.in_order(pool, _who, range(20), 4)}
    assert os.getpid() not in pids
    assert not any(_lives(pid) for pid in pids)


def _who(_):
    return os.getpid()


def test_whatever_an_input_raises_is_its_outcome():
    with processes.pool() as pool:
        outcomes = [*processes.in_order(pool, _raise, range(6), 4)]
    assert [str(outcome.problem) for outcome in outcomes] == [
        "ZeroDivisionError: division by zero",
        "it is grey",
        "No space left on device",
        "it takes more memory than there is for one picture",
        "KeyError",
        "None",
    ]
    assert [outcome.value for outcome in outcomes] == [None] * 5 + ["well"]
    assert outcomes[2].problem.errno == errno.ENOSPC and outcomes[0].problem.errno is None


def _raise(number):
    if number == 0:
        return 1 / number
    errors = {
        1: UserError("it is grey"),
        2: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        3: MemoryError(),
        4: KeyError(),
    }
    if number in errors:
        raise errors[number]
    return "well"


def test_input_that_ends_its_process_is_named_and_the_others_are_done(tmp_path):
    items = [(tmp_path, number) for number in range(8)]
    with processes.pool() as pool:
        outcomes = [*processes.in_order(pool, _die_at_3, items, 4)]
    assert [outcome.value for outcome in outcomes] == [0, 1, 2, None, 4, 5, 6, 7]
    assert outcomes[3].problem == "it ended the process that handled it 3 times"
    assert (tmp_path / "3").read_text() == "..."


def _die_at_3(item):
    folder, number = item
    if number == 3:
        with open(folder / "3", "a") as tries:
            tries.write(".")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_input_whose_process_is_killed_once_is_done_all_the_same(tmp_path):
    with processes.pool() as pool:
        task = pool.submit(_die_once, tmp_path / "tried")
        assert pool.wait(task) == ("done alone", None)


def _die_once(marker):
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done alone" if memory.alone() else "done"


def test_input_that_lacks_memory_beside_others_is_handled_alone():
    with processes.pool() as pool:
        outcomes = [*processes.in_order(pool, _claim, [1, 300_000_000, 2], 4)]
    assert [outcome.value for outcome in outcomes] == [False, True, False]


def _claim(size):
    memory.claim(size, "it")
    return memory.alone()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_memory_is_limited_whoever_asks_for_it():
    with processes.pool() as pool:
        outcomes = [*processes.in_order(pool, _allocate, [10**8, 10**9], 4)]
    assert outcomes[0].value == 10**8
    assert outcomes[1].problem == "it takes more memory than there is for one picture"


def _allocate(size):
    return np.ones(size, np.uint8).size


def test_what_keeps_processes_from_starting_is_one_line():
    with processes.pool(_refuse, "no model") as pool:
        with pytest.raises(UserError, match="^no model$"):
            pool.wait(pool.submit(_who, 0))
    with processes.pool(_die) as pool:
        with pytest.raises(UserError, match="^processes that read pictures end as soon as they st"):
            pool.wait(pool.submit(_who, 0))


def _refuse(reason):
    raise UserError(reason)


def _die():
    os._exit(1)


PARENT = """
import os, sys
from age_gender import processes

def work():
    print(os.getpid(), flush=True)
    while True:
        sum(range(10**7))  # C code that lets no other thread run meanwhile

if __name__ == "__main__":
    with processes.pool(fork=sys.argv[1] == "fork") as pool:
        pool.wait(pool.submit(work))
"""


@pytest.mark.parametrize("way", ["spawn", "fork"])
def test_processes_end_when_their_parent_is_killed(script, way):
    """Even those that are at work, and wait for nothing."""
    parent = script(PARENT, way)
    child = int(parent.stdout.readline())
    assert _lives(child)
    parent.kill()
    parent.wait()
    until(lambda: not _lives(child))


FORKS = """
import os, signal
import numpy as np
from age_gender import memory, processes
from age_gender.errors import UserError

calls, prepared = [], None

def prepare(value):
    global prepared
    calls.append(value)
    prepared = os.getpid()

def work(item):
    assert prepared == os.getppid()
    if item == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "large":
        np.ones(10**9, np.uint8)
    if item == "alone" and not memory.alone():
        raise MemoryError
    return item

def refuse():
    raise UserError("no model")

if __name__ == "__main__":
    items = ["a", "dies", "b", "large", "alone", "c"]
    with processes.pool(prepare, 1, most=2, fork=True) as pool:
        assert processes.sys.modules.keys() & processes.THREADED == set()
        for outcome in processes.in_order(pool, work, items, 4):
            print(outcome.value, outcome.problem, sep=": ")
    print(calls)
    with processes.pool(refuse, fork=True):
        pass
"""


def _load_threads():
    sys.modules.setdefault("jax", sys)


def test_no_process_is_forked_where_getting_ready_has_loaded_threads(monkeypatch):
    for name in processes.THREADED:
        monkeypatch.delitem(sys.modules, name, raising=False)
    try:
        with processes.pool(_load_threads, most=1, fork=True) as pool:
            assert pool.wait(pool.submit(os.getppid)) == (os.getpid(), None)
            assert pool._prepare[0] is processes.spawn
    finally:
        sys.modules.pop("jax")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork")
def test_forked_processes_keep_the_same_promises(script):
    out, err = script(FORKS).communicate()
    assert out.splitlines() == [
        "a: None",
        "None: it ended the process that handled it 3 times",
        "b: None",
        "None: it takes more memory than there is for one picture",
        *("alone: None", "c: None", "[1]"),
    ]
    assert err.splitlines()[-1] == "age_gender.errors.UserError: no model"


@pytest.fixture
def script(tmp_path):
    """Start a program that knows the suite, and not TensorFlow."""
    started = []

    def start(text, *arguments):
        (tmp_path / "parent.py").write_text(text)
        process = subprocess.Popen(
            [sys.executable, tmp_path / "parent.py", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
