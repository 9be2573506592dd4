import signal
import subprocess
import sys

import pytest

from age_gender.files import atomic_write
from helpers import ROOT


def test_file_appears_only_when_whole(tmp_path):
    path = tmp_path / "result"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with atomic_write(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_killed_process_leaves_nothing_under_the_final_name(tmp_path):
    code = (
        "import pathlib, time; from age_gender import files\n"
        f"with files.atomic_write(pathlib.Path({str(tmp_path / 'result')!r})) as partial:\n"
        "    partial.write_text('half'); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [path.name for path in tmp_path.iterdir()] == ["result.part"]
