import argparse
import importlib
import os
import subprocess
import sys

import pytest

from age_gender.command_line import (
    Parser,
    UserError,
    number_between,
    option,
    progress,
    quiet_start,
)
from helpers import ROOT

SCRIPTS = sorted(
    path.name for path in ROOT.glob("*.py") if 'if __name__ == "__main__"' in path.read_text()
)
SCRIPTS += ["age_gender.weights", "age_gender.training.embeddings"]
SCRIPTS += ["tools.demo_pictures", "tools.check_wheels"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_needs_no_heavy_import(script):
    """What makes a command slow to answer is what it imports."""
    heavy = ("tensorflow", "keras", "cv2", "dlib", "h5py", "pandas", "scipy", "numpy", "boto3")
    name = script.removesuffix(".py")
    code = (
        f"import importlib, sys; script = importlib.import_module({name!r})\n"
        "try: script.main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "[]\n"
    assert done.stdout.startswith("usage:")
    text = " ".join(done.stdout.split())
    assert not any(f"(default: {empty}" in text for empty in ("None", "[", "()", "False"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_unknown_option_is_exit_code_2(command, script):
    name = script if script.endswith(".py") else f"{script.rpartition('.')[2]}.py"
    done = command(script, "--colour", "blue")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"{name}: error: ")


def test_help_names_each_default_once_and_no_empty_one():
    parser = Parser(prog="x")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--files", nargs="*", default=(), help="files")
    parser.add_argument("--output", help="file; by default beside the input")
    parser.add_argument("--years", default=0.5, help="years (default: half)")
    lines = " ".join(parser.format_help().split())
    assert lines.endswith(
        "--seed SEED random seed (default: 0) --json as JSON --files [FILES ...] files "
        "--output OUTPUT file; by default beside the input --years YEARS years (default: half)"
    )


def test_option_is_named_before_the_message():
    with pytest.raises(UserError) as error, option("--input"):
        raise UserError("a.mat is empty")
    assert str(error.value) == "--input: a.mat is empty"


def _run(code, **options):
    code = f"import signal\ndef main():\n    {code}\ncommand_line.run(main)"
    code = f"from age_gender import command_line\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, **options
    )


def test_user_error_is_one_line_and_exit_code_2():
    done = _run("raise command_line.UserError('no such thing')")
    assert (done.returncode, done.stderr) == (2, "-c: error: no such thing\n")


def test_file_that_the_system_refuses_is_one_line_and_exit_code_2():
    done = _run("open('none/file', 'w')")
    assert (done.returncode, done.stderr) == (
        2,
        "-c: error: none/file: No such file or directory\n",
    )


def test_full_disk_under_stdout_is_one_line():
    with open("/dev/full", "w") as full:
        code = "from age_gender import command_line\ncommand_line.run(lambda: print('x'))"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (2, "-c: error: No space left on device\n")


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


def test_progress_off_a_terminal_is_plain_lines(capsys):
    assert list(progress(range(3), 3, "pictures", every=0)) == [0, 1, 2]
    assert capsys.readouterr().err.splitlines() == [
        "1 of 3 pictures",
        "2 of 3 pictures",
        "3 of 3 pictures",
    ]


@pytest.mark.parametrize(
    "parse, text, value",
    [
        (number_between(0, 1), "0.5", 0.5),
        (number_between(1, 9, int), "9", 9),
        (number_between(1, 9, int), "2.5", "must be a whole number from 1 to 9, received '2.5'"),
        (number_between(0, 1), "nan", "must be a number from 0 to 1, received 'nan'"),
        (number_between(0, float("inf")), "-1", "must be a number from 0 up, received '-1'"),
    ],
)
def test_number_is_taken_or_refused_with_its_limits(parse, text, value):
    if not isinstance(value, str):
        assert parse(text) == value
        return
    with pytest.raises(argparse.ArgumentTypeError) as error:
        parse(text)
    assert str(error.value) == value


@pytest.mark.parametrize("backend, hidden", [("tensorflow", "jax"), ("jax", "matplotlib")])
def test_what_tensorflow_imports_needlessly_is_hidden_while_it_starts(monkeypatch, backend, hidden):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    names = ("jax", "matplotlib")
    before = {name: sys.modules.pop(name, None) for name in names}
    with quiet_start():
        seen = {name for name in names if name in sys.modules}
        with pytest.raises(ImportError):
            importlib.import_module(hidden)
    assert seen == {"jax", "matplotlib"} - {backend}
    assert not sys.modules.keys() & set(names)
    sys.modules.update({name: module for name, module in before.items() if module})
