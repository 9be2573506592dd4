"""Force whether the machine computes with bfloat16, in every process that the tests start.

Python imports this file at its start where its folder is on PYTHONPATH: see tests/conftest.py.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from age_gender import autotune  # noqa: E402

del sys.path[0]
_answer = {"yes": True, "no": False}[os.environ["COMPUTES_BFLOAT16"]]
autotune._computes_bfloat16 = lambda: _answer
