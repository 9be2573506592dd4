import pytest

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


def test_missing_part_ends_the_script_with_one_line(monkeypatch, capsys):
    monkeypatch.setattr(check_system, "problem", lambda: "missing libnone.so.9")
    with pytest.raises(SystemExit) as end:
        check_system.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "check_system.py: error: missing libnone.so.9\n"
