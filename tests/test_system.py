import os
import subprocess
import sys

from age_gender import system
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
