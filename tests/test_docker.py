import fnmatch
import importlib
import re
import shlex
import tomllib

import pytest

from conftest import ROOT
from tools import check_system

DOCKERFILE = (ROOT / "Dockerfile").read_text()
GUIDE = (ROOT / "docs" / "docker.md").read_text()
COMMANDS = re.findall(r"    age-gender-(\w+)(.*)$", GUIDE, re.MULTILINE)


def test_image_has_the_libraries_that_the_check_asks_for():
    installed = re.search(r"apt-get install -y --no-install-recommends (.*?) \\\n", DOCKERFILE)[1]
    asked = set(check_system.APT_GET.removeprefix("apt-get install -y ").split())
    assert set(installed.split()) == asked - {"git", "make", "python3-venv"}


def test_image_has_a_python_that_is_supported():
    version = re.search(r"ARG BASE=python:(\d+)\.(\d+)-slim", DOCKERFILE).groups()
    assert check_system.OLDEST <= tuple(map(int, version)) <= check_system.NEWEST


def test_what_is_installed_and_copied_is_sent_to_the_builder_and_nothing_private():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"  # so that no folder of data or captures is sent

    def sent(name):
        answers = [
            line.startswith("!")
            for line in lines
            if fnmatch.fnmatch(name, line.lstrip("!")) or name.startswith(line.lstrip("!") + "/")
        ]
        return answers[-1]

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["only-include"], *wheel["force-include"], *project["project"]["license-files"]]
    needed += re.findall(r"^COPY (\S*\w) ", DOCKERFILE, re.MULTILINE)
    needed += ["pyproject.toml", "age_gender/live/player.py"]
    assert [name for name in needed if not sent(name)] == []
    private = ["data/a.mat", "outbox/1.json", ".git/config", "pretrained_models/weights.1.hdf5"]
    assert [name for name in private if sent(name)] == []


def test_there_are_commands():
    assert [name for name, _ in COMMANDS] == ["demo", "demo", "demo", "run"]


@pytest.mark.parametrize("name, arguments", COMMANDS)
def test_command_in_the_container_takes_its_options(name, arguments):
    importlib.import_module(name).get_args(shlex.split(arguments))
