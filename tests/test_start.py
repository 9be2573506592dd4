import os
import subprocess
import sys

import pytest

from helpers import ROOT


def _run(code, **options):
    code = f"import signal\ndef main():\n    {code}\ncommand_line.run(main)"
    code = f"from age_gender import command_line\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, **options
    )


def test_user_error_is_one_line_and_exit_code_2():
    done = _run("raise command_line.UserError('no such thing')")
    assert (done.returncode, done.stderr) == (2, "-c: error: no such thing\n")


def test_name_with_control_characters_is_one_line():
    done = _run(r"raise command_line.UserError('a\n\x1b[2Jb\udcff.mat is no database')")
    assert done.stderr == "-c: error: a\\n\\x1b[2Jb\\udcff.mat is no database\n"


def test_file_that_the_system_refuses_is_one_line_and_exit_code_2():
    done = _run("open('none/file', 'w')")
    assert (done.returncode, done.stderr) == (
        2,
        "-c: error: none/file: No such file or directory\n",
    )


@pytest.mark.parametrize("flush", [False, True])
def test_full_disk_under_stdout_is_one_line_that_names_it(flush):
    with open("/dev/full", "w") as full:
        code = f"from age_gender import command_line as c\nc.run(lambda: print('x', flush={flush}))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    expected = "-c: error: standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_full_disk_under_stdout_and_stderr_is_exit_code_2():
    with open("/dev/full", "w") as full:
        code = "from age_gender import command_line as c\nc.run(lambda: print('x'))"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=full)
    assert done.returncode == 2


def test_broken_pipe_of_another_kind_is_not_hidden():
    done = _run("raise BrokenPipeError(32, 'Broken pipe')")
    assert (done.returncode, done.stderr) == (2, "-c: error: Broken pipe\n")


def test_error_of_the_program_is_not_hidden():
    done = _run("1 / 0")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr


def test_ctrl_c_is_one_line():
    done = _run("signal.raise_signal(signal.SIGINT)")
    assert (done.returncode, done.stderr) == (130, "\n-c: stopped\n")


def test_reader_that_stops_early_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    code = "from age_gender.command_line import result, run\nrun(lambda: result('x' * 100000))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
