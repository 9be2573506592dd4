import argparse
import subprocess
import sys

import pytest

from age_gender.command_line import (
    Parser,
    UserError,
    number_between,
    option,
)
from helpers import ROOT

SCRIPTS = sorted(
    path.name for path in ROOT.glob("*.py") if 'if __name__ == "__main__"' in path.read_text()
)
SCRIPTS += ["age_gender.weights", "age_gender.training.embeddings"]
SCRIPTS += ["tools.check_wheels"]


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


@pytest.mark.parametrize(
    "given, meant",
    [
        ("--image-dir", ": did you mean --image_dir?"),
        ("-image_dir=a", ": did you mean --image_dir?"),
        ("--ouput_dir", ": did you mean --output_dir?"),
        ("--colour", ""),
    ],
)
def test_option_that_was_meant_is_named(capsys, given, meant):
    parser = Parser(prog="x")
    parser.add_argument("--image_dir")
    parser.add_argument("--output_dir")
    with pytest.raises(SystemExit):
        parser.parse_args([given])
    assert capsys.readouterr().err == f"x: error: unrecognized arguments: {given}{meant}\n"


def test_inputs_may_stand_between_options():
    parser = Parser()
    parser.add_argument("inputs", nargs="*")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(["a", "--json", "b", "--", "-c"])
    assert args.inputs == ["a", "b", "-c"] and args.json


def test_option_is_named_before_the_message():
    with pytest.raises(UserError) as error, option("--input"):
        raise UserError("a.mat is empty")
    assert str(error.value) == "--input: a.mat is empty"


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
