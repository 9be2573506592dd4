"""The commands on a system that is not Linux, as far as that can be had on Linux.

Simulated: the names of `os`, `signal` and `select`, the modules and /proc that macOS or Windows
lack are not there for the program's own modules, locks are Windows' (on a stand-in of `msvcrt`),
and processes can only be spawned: see helpers/other_system. Not simulated: paths with drives and
backslashes, files that cannot be renamed or deleted while they are open (but see test_files.py),
consoles and their code pages, and what the packages do there.
"""

import json
import os
import re
import subprocess
import sys

import h5py

from helpers import ROOT
from helpers.pictures import write_chips

COMMANDS = """
import importlib, json, multiprocessing, sys

from age_gender import command_line, processes, system

def lacks():
    return not hasattr(system.os, "sched_getaffinity") and not hasattr(system.signal, "SIGKILL")

if __name__ == "__main__":
    assert lacks()
    try:
        multiprocessing.get_context("fork")
        sys.exit("there is fork")
    except ValueError:
        pass
    with processes.pool() as pool:
        assert pool.wait(pool.submit(lacks)) == (True, None)
    for script, *arguments in json.loads(sys.argv[1]):
        sys.argv = [script, *arguments]
        module = importlib.import_module(script.removesuffix(".py"))
        try:
            command_line.run(module.main)
        except SystemExit as end:
            print(f"{script} ended with {end.code or 0}", flush=True)
"""


def test_main_commands_run_without_what_linux_alone_has(tmp_path, pictures, tiny_weights):
    chips = write_chips(tmp_path / "chips", 24)
    small = "--depth 10 --width 1 --batch_size 4 --nb_epochs 1 --engine plain --precision float32"
    weights = ["--weight_file", str(tiny_weights[0])]
    lines = [
        ["create_db_utkface.py", "-i", str(chips), "-o", "faces.mat", "--img_size", "32"],
        ["train.py", "-i", "faces.mat", "--output_path", str(tmp_path / "run"), *small.split()],
        ["plot_history.py", "-i", "run/history_10_1.h5"],
        ["evaluate.py", "-i", "faces.mat", "--part", "all", *weights, "--output_dir", "report"],
        ["demo.py", "--image_dir", str(pictures), "--output_dir", "demo", *weights],
        ["run.py", "--headless", "--image_dir", str(pictures), *weights],
    ]
    (tmp_path / "commands.py").write_text(COMMANDS)
    done = subprocess.run(
        [sys.executable, "commands.py", json.dumps(lines)],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path / "home"),
            "PYTHONPATH": f"{ROOT / 'tests' / 'helpers' / 'other_system'}{os.pathsep}{ROOT}",
            "CAPTURES_OUTBOX": str(tmp_path / "outbox"),
        },
        capture_output=True,
        text=True,
        timeout=200,
    )
    ended = re.findall(r"^(\S+) ended with (\S+)$", done.stdout, re.M)
    assert ended == [(line[0], "0") for line in lines], done.stderr
    with h5py.File(tmp_path / "faces.mat") as file:
        assert len(file["age"]) == 24
    assert not (tmp_path / "faces.mat.part").exists()
    made = ["run/loss.png", "report/report.json", "report/bands.png", "demo/results.csv"]
    assert all((tmp_path / name).is_file() for name in made)
    assert len(list((tmp_path / "run").glob("weights.01-*.hdf5"))) == 1
    peak = json.loads((tmp_path / "run" / "run_10_1.json").read_text())["peak memory, MB"]
    assert peak is None
    (capture,) = (tmp_path / "outbox").iterdir()
    assert len(capture.read_text().splitlines()) == 1


LINUX = (
    r"sched_getaffinity|posix_fallocate|os\.p(read|write)v?\b|os\.fork|os\.(fsync|replace|exec\w+)\("
    r"|os\.(kill|killpg|geteuid|getuid|getppid)\b|import (fcntl|resource|termios|pwd|grp)\b"
    r"|get_context|SIGKILL|SIGPIPE|SIGHUP|SIGALRM|CDLL|select\.|os\.O_"
)
HOMES = {"system.py", "files.py", "processes.py", "interrupts.py"}
KNOWN = {
    *((name, "os.O_") for name in ("start.py", "devices.py", "streams.py")),  # the null device
    ("streams.py", "select."),  # asked for first
    ("outbox.py", "os.O_"),  # asked for first
    ("window.py", "CDLL"),  # of the system's own window library
}


def test_calls_that_differ_between_systems_have_one_home():
    found = {
        (path.name, match[0])
        for path in [*ROOT.glob("*.py"), *(ROOT / "age_gender").rglob("*.py")]
        if path.name not in HOMES
        for match in re.finditer(LINUX, path.read_text(encoding="utf-8"))
    }
    assert found <= KNOWN
