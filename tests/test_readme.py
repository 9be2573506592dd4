import functools
import re
import shlex
import subprocess
import sys

import pytest

from helpers import ROOT

README = (ROOT / "README.md").read_text()
CARD = (ROOT / "pretrained_models" / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README + CARD, re.DOTALL)
COMMANDS = [
    line
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("python3 ") and ".py" in line
]


@functools.cache
def help_of(script):
    done = subprocess.run([sys.executable, ROOT / script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    return done.stdout


def test_there_are_commands():
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("line", COMMANDS)
def test_command_and_its_options_exist(line):
    _, script, *arguments = shlex.split(line)
    assert (ROOT / script).is_file()
    for option in re.findall(r"--\w+", " ".join(arguments)):
        assert re.search(rf"{option}\b", help_of(script)), f"{script} has no {option}"


def test_every_script_is_mentioned():
    scripts = [path.name for path in ROOT.glob("*.py")]
    assert [name for name in scripts if name not in README] == []


def test_every_file_and_make_target_mentioned_exists():
    named = re.findall(r"`([\w/]+\.(?:py|txt))`", README)
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert (ROOT / re.search(r"!\[.*?\]\((.*?)\)", README)[1]).is_file()
    targets = re.findall(r"^make (\w+)$", "\n".join(BLOCKS), re.MULTILINE)
    assert targets == ["demo", "test"]
    assert all(f"\n{target}:" in (ROOT / "Makefile").read_text() for target in targets)


def test_system_line_is_the_one_that_the_check_prints():
    from tools import check_system

    assert check_system.APT_GET in README


def test_figures_are_those_of_the_weights_that_ship():
    from age_gender import weights

    description, _ = weights.read(weights.find())
    assert f"| {description.val_age_mae:.2f} |" in README
    assert f"| {100 * description.val_gender_accuracy:.1f} |" in README
    assert description.training in CARD.replace(" \\\n    ", " ")
