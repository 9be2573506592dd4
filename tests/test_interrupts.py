import ast
import os
import signal
import subprocess
import sys

import pytest

from age_gender import interrupts
from helpers import ROOT
from test_command_line import SCRIPTS

HEAD = "from age_gender.start import run\nimport atexit, ctypes, os, sys, threading, time\n"
HEAD += "from pathlib import Path\nfrom age_gender import files, interrupts\n"
HEAD += "def ready(): print('ready', flush=True)\n"
SLEEP = "ready(); time.sleep(60)"
# What a program does when the signal comes: code outside of main, and main's.
MOMENTS = {
    "before run": (SLEEP, "pass"),
    "in main": ("", SLEEP),
    "in an import": ("", "import slow"),
    "in C": ("", "ready(); ctypes.CDLL(None).sleep(60)"),
    "swallowed": ("", f"""while True:
        try: {SLEEP}
        except: pass"""),
    "another error": ("", f"""try: {SLEEP}
    except BaseException: raise ValueError"""),
    "stuck while it closes": ("", f"""try: {SLEEP}
    finally: time.sleep(60)"""),
    "a thread that goes on": ("threading.Thread(target=time.sleep, args=(60,)).start()", "ready()"),
    "at exit": ("atexit.register(lambda: time.sleep(60)); atexit.register(ready)", "pass"),
    "stderr that nobody reads": ("", f"""os.set_blocking(2, False)
    try:
        while True: os.write(2, bytes(4096))
    except BlockingIOError: {SLEEP}"""),
}  # fmt: skip


@pytest.fixture
def start(tmp_path):
    """Start a program; each that is left is ended after the test."""
    started = []
    slow = "import sys\ntry:\n    sys.modules['__main__'].ready(); import time; time.sleep(60)\n"
    (tmp_path / "slow.py").write_text(f"{slow}except BaseException: raise ImportError('numpy')\n")

    def start_one(outside, inside, before=None):
        path = tmp_path / "program.py"
        path.write_text(
            f"{HEAD}{outside}\ndef main():\n    {inside}\nif __name__ == '__main__': run(main)\n"
        )
        process = subprocess.Popen(
            [sys.executable, path],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_is_one_line_at_any_moment(start, moment):
    process = start(*MOMENTS[moment])
    process.send_signal(signal.SIGINT)
    if moment == "stderr that nobody reads":
        assert process.wait(60) == 130
        return
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "\nprogram.py: stopped\n")


@pytest.mark.parametrize("number", interrupts.SIGNALS)
@pytest.mark.parametrize("moment", ["in main", "swallowed", "stuck while it closes"])
def test_further_signals_change_nothing(start, moment, number):
    process = start(*MOMENTS[moment])
    for _ in range(3):
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "\nprogram.py: stopped\n")


def test_what_is_made_is_completed_but_a_second_signal_ends_it(start):
    inside = f"""try: {SLEEP}
    except KeyboardInterrupt:
        with interrupts.finishing():
            ready(); time.sleep({{}}); print('made')"""
    process = start("", inside.format(interrupts.GRACE + 0.3))
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out, said) == (130, "ready\nmade\n", "")  # it said so itself

    process = start("", inside.format(60))
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out, said) == (130, "", "\nprogram.py: stopped\n")


@pytest.mark.parametrize("ends", ["time.sleep(60)", "ctypes.CDLL(None).sleep(60)"])
def test_line_says_what_was_kept_and_no_half_file_stays(start, tmp_path, ends):
    inside = f"""
    with interrupts.explained(lambda: "two of three are kept"):
        with files.atomic_write(Path("x")) as partial:
            partial.write_text("half"); ready(); {ends}"""
    process = start("", inside)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "\nprogram.py: two of three are kept\n")
    assert not list(tmp_path.glob("x*"))


BUSY = """
import ctypes
from pathlib import Path
from age_gender import system

def wait():
    system.follow_parent()
    Path("busy").touch()
    ctypes.PyDLL(None).sleep(60)  # no other thread of Python runs meanwhile
"""


def test_processes_end_too_and_nothing_is_said_of_them(start, tmp_path):
    (tmp_path / "busy.py").write_text(BUSY)
    inside = """
    with system.interrupts_ignored():
        processes.spawn.Process(target=busy.wait).start()
    while not Path("busy").exists(): time.sleep(0.01)
    ready(); time.sleep(60)"""
    process = start("import busy\nfrom age_gender import processes, system", inside)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)  # until nobody has stderr open
    assert (process.returncode, said) == (130, "\nprogram.py: stopped\n")


def test_signal_that_the_program_was_started_deaf_to_does_nothing(start):
    deaf = SLEEP
    process = start("", deaf, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_signal_between_two_starts_of_a_process_waits(tmp_path):
    """As `system.keep_memory` starts a process again."""
    code = (
        "import os, signal, sys\nfrom age_gender import interrupts, system\n"
        "if not sys.argv[1:]:\n    with system.signals_blocked():\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        os.execv(sys.executable, [*sys.orig_argv, 'again'])\n"
        "print('again', flush=True)\ninterrupts.begin('program')\nprint('further')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "again\n", "\nprogram: stopped\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_command_imports_the_start_first(script):
    path = ROOT / (script if script.endswith(".py") else f"{script.replace('.', '/')}.py")
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    first = next(node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)))
    assert isinstance(first, ast.ImportFrom) and first.module == "age_gender.start"
