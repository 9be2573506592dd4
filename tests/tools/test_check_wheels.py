import subprocess

import pytest

from age_gender.command_line import UserError
from conftest import ROOT
from tools import check_wheels
from tools.check_wheels import File

LOG = """
  Found link https://files/1/dlib_bin-20.0-cp311-cp311-manylinux_2_28_x86_64.whl (from https://i/d/)
  Skipping link: none of the wheel's tags match: https://files/2/dlib_bin-20.0-cp312-cp312-\
win_amd64.whl#sha256=0 (from https://i/d/) (requires-python:>=3.7,<4)
  Found link https://files/3/dlib_bin-20.0.tar.gz (from https://i/d/) (requires-python:>=3.7)
  Found link https://files/4/dlib_bin-20.0.1-cp311-cp311-win_amd64.whl (from https://i/d/)
"""
LINUX = "dlib_bin-20.0-cp311-cp311-manylinux_2_28_x86_64.whl"
EVERY = [
    f"{system}, Python 3.{minor}: " for system in check_wheels.SYSTEMS for minor in (11, 12, 13)
]


def test_files_of_one_version_are_found_in_the_log_of_pip():
    assert check_wheels.found(LOG, "20.0") == [
        File(LINUX, None),
        File("dlib_bin-20.0-cp312-cp312-win_amd64.whl", ">=3.7,<4"),
        File("dlib_bin-20.0.tar.gz", ">=3.7"),
    ]


def test_every_line_of_the_requirements_is_a_pin():
    text = "".join((ROOT / name).read_text() for name in check_wheels.REQUIREMENTS)
    lines = [line for line in text.splitlines() if line and line[0] not in "#-"]
    assert len(check_wheels.pins()) == len(lines)


@pytest.mark.parametrize(
    "name, python, fits",
    [
        (LINUX, None, ["Linux x86-64, Python 3.11: "]),
        ("a-1-cp310-abi3-win_amd64.whl", None, EVERY[9:]),
        ("a-1-cp313-cp313-macosx_14_0_arm64.whl", None, ["macOS arm64, Python 3.13: "]),
        ("a-1-cp313-cp313-macosx_15_0_arm64.whl", None, []),
        ("a-1-cp313-cp313-manylinux_2_32_aarch64.whl", None, []),
        ("a-1-py3-none-manylinux2014_aarch64.whl", None, EVERY[3:6]),
        ("a-1-py2.py3-none-any.whl", ">=3.8", EVERY),
        ("a-1-py3-none-any.whl", ">=3.12", [x for x in EVERY if "3.11" not in x]),
        ("a-1.tar.gz", None, []),
    ],
)
def test_wheel_fits_the_systems_and_versions_of_its_tags(name, python, fits):
    found = [
        f"{system}, Python {version[0]}.{version[1]}: "
        for system in check_wheels.SYSTEMS
        for version in check_wheels.PYTHONS
        if check_wheels.has_wheel([File(name, python)], system, version)
    ]
    assert found == fits


@pytest.fixture
def index(monkeypatch):
    """The index's files of each name; requirements.txt pins them all at 1."""
    files = {"face-recognition-models": [File("face-recognition-models-1.tar.gz", None)]}
    monkeypatch.setattr(check_wheels, "pins", lambda: [(name, "1") for name in files])
    monkeypatch.setattr(check_wheels, "files_of", lambda pin: files[pin[0]])
    return files


def test_wheel_for_every_pin_is_a_line_for_each_system_and_exit_code_0(index, capsys):
    index["a"] = [File("a-1-py3-none-any.whl", None)]
    assert check_wheels.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "on glibc 2.31, macOS 14, and newer:",
        *[f"{where}a wheel for every pin" for where in EVERY],
        "not a wheel: face-recognition-models (only data: pip packs it itself, without a compiler)",
    ]


def test_missing_wheel_is_named_with_the_remedy_and_exit_code_1(index, capsys):
    index["a"] = [File("a-1-cp311-cp311-win_amd64.whl", None)]
    assert check_wheels.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[10] == "Windows x86-64, Python 3.11: a wheel for every pin"
    assert lines[11] == (
        "Windows x86-64, Python 3.12: no wheel for a==1: pin a version that has one (pip index "
        "versions NAME), or use another Python"
    )


def test_index_that_does_not_answer_is_one_line(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found for a\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError) as error:
        check_wheels.files_of(("a", "1"))
    assert str(error.value) == (
        "the index has no a==1 (ERROR: No matching distribution found for a)"
    )
