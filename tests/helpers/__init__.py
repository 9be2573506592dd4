"""What several tests, and a benchmark, need beside fixtures."""

import os
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Environment of programs that are to find only what requirements-run.txt lists.
LIGHT = {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "light"), str(ROOT)])}


def until(condition, seconds=120):
    """Wait until a function returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found
