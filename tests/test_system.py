import io
import os
import subprocess
import sys

from age_gender import memory, system
from helpers import ROOT


def test_process_starts_again_once_with_its_arguments_and_memory_kept():
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from age_gender import system\nsystem.keep_memory()\n"
        "print(sys.argv[2], os.environ['MALLOC_ARENA_MAX'], os.environ.get('GLIBC_TUNABLES'))"
    )
    for more, expected in (
        ({}, "two words 1 glibc.malloc.hugetlb=1\n"),
        ({"MALLOC_ARENA_MAX": "7"}, "two words 7 None\n"),
    ):
        environment = {k: v for k, v in os.environ.items() if k not in system.MALLOC} | more
        done = subprocess.run(
            [sys.executable, "-c", code, ROOT, "two words"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, expected)


def test_memory_is_that_of_the_machine_or_the_least_limit(monkeypatch):
    groups = []
    monkeypatch.setattr(system, "_of_control_groups", lambda: groups)
    whole = system.memory()
    assert whole is None or whole > 2**28
    groups.append(2**20)
    assert system.memory() == 2**20
    assert memory.for_faces() == 2**20 // 10
    monkeypatch.setattr(system, "memory", lambda: None)
    assert memory.for_faces() == 0


def test_limits_of_containers_are_read_where_there_are_any(monkeypatch):
    files = {
        "/proc/self/cgroup": "1:name=systemd:/\n0::/user.slice/job\n",
        "/sys/fs/cgroup/user.slice/job/memory.max": "max\n",
        "/sys/fs/cgroup/user.slice/memory.max": "4096\n",
        "/sys/fs/cgroup/memory.max": "8192\n",
    }

    def fake(path, **_):
        if path not in files:
            raise FileNotFoundError(path)
        return io.StringIO(files[path])

    monkeypatch.setattr("builtins.open", fake)
    found = system._of_control_groups()
    monkeypatch.undo()
    assert found == [4096, 8192]
