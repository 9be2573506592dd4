import pytest

from age_gender import OLDEST_PYTHON
from tools import check_system


def test_this_machine_has_what_is_needed():
    assert check_system.problem() is None


def test_missing_library_or_module_is_named_with_the_line_that_installs_it():
    line = check_system.problem(libraries=("libGL.so.1", "libnone.so.9"), modules=("venv", "nono"))
    assert line == (
        "missing libnone.so.9, nono: run as root: apt-get install -y git make python3-venv "
        "libgl1 libglib2.0-0 libsm6"
    )


def test_unsupported_python_is_named():
    for version in ((3, 10), (3, 14)):
        assert check_system.problem(version) == (
            f"Python {version[0]}.{version[1]} is not supported: use 3.11, 3.12 or 3.13, as in "
            "make PYTHON=python3.12"
        )
    assert check_system.problem((3, 10), system="Windows").endswith("as in py -3.12")


@pytest.mark.parametrize("system, machine", [("Darwin", "arm64"), ("Windows", "AMD64")])
def test_libraries_of_linux_are_not_asked_for_elsewhere(system, machine):
    where = {"system": system, "machine": machine}
    assert check_system.problem(libraries=("libnone.so.9",), **where) is None
    assert check_system.problem(modules=("nono",), **where) == (
        "missing nono: install Python from python.org"
    )


@pytest.mark.parametrize(
    "system, machine, remedy",
    [
        ("Darwin", "x86_64", "use one for arm64, 64 bits"),
        ("Windows", "ARM64", "use one for AMD64, 64 bits"),
        ("Linux", "armv7l", "use one for x86_64 or aarch64, 64 bits"),
        ("FreeBSD", "amd64", "use Linux"),
    ],
)
def test_processor_without_tensorflow_is_named(system, machine, remedy):
    assert check_system.problem(system=system, machine=machine) == (
        f"TensorFlow is not made for this Python ({system} {machine}, 64 bits): {remedy}"
    )


def test_oldest_python_is_the_one_that_the_program_asks_for():
    assert check_system.OLDEST == OLDEST_PYTHON


def test_missing_part_ends_the_script_with_one_line(monkeypatch, capsys):
    monkeypatch.setattr(check_system, "problem", lambda: "missing libnone.so.9")
    with pytest.raises(SystemExit) as end:
        check_system.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "check_system.py: error: missing libnone.so.9\n"
