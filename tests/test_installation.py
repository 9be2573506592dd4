import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from age_gender import __version__, installation, published, weights
from age_gender.command_line import UserError
from helpers import LIGHT, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
TOP = {path.name: path.read_text() for path in ROOT.glob("*.py")}
COMMANDS = {name for name, text in TOP.items() if 'if __name__ == "__main__"' in text}


def test_every_command_is_installed_in_the_package_and_other_modules_under_their_names():
    assert set(WHEEL["only-include"]) == {"age_gender", *TOP} - COMMANDS
    places = {name: f"age_gender/{name}" for name in COMMANDS}
    weights = f"pretrained_models/{published.SHIPPED}"
    assert WHEEL["force-include"] == {**places, weights: f"age_gender/{weights}"}


def test_every_command_has_a_program():
    programs = {
        "age-gender-" + name.removesuffix(".py").replace("_", "-"): "age_gender.start:console"
        for name in COMMANDS
    }
    assert PROJECT["project"]["scripts"] == programs


def test_no_module_imports_a_command():
    """Commands have another name once they are installed."""
    commands = {name.removesuffix(".py") for name in COMMANDS}
    for path in [*ROOT.glob("*.py"), *ROOT.glob("age_gender/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in getattr(node, "names", ()) if hasattr(alias, "name")]
            if isinstance(node, ast.ImportFrom):
                names = [node.module]
            assert not commands.intersection(names), f"{path.relative_to(ROOT)}, {node.lineno}"


def test_versions_under_test_satisfy_the_dependencies():
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    pairs = (
        ("requirements-run.txt", project["dependencies"]),
        ("requirements.txt", extras["train"]),
        ("requirements-export.txt", extras["onnx"]),
    )
    for name, wanted in pairs:
        first = (ROOT / name).read_text().split("\n\n")[0]
        pins = dict(re.findall(r"^(\S+)==(\S+)", first, re.MULTILINE))
        needed = {each.name: each for each in map(Requirement, wanted)}
        assert needed.keys() == pins.keys()
        assert [name for name, pin in pins.items() if pin not in needed[name].specifier] == []


def test_what_training_needs_beside_the_rest_is_known():
    extra = map(Requirement, PROJECT["project"]["optional-dependencies"]["train"])
    assert {each.name for each in extra} == set(installation.TRAINING)


def test_every_pin_has_one_line():
    names = ("requirements-run.txt", "requirements.txt", "requirements-export.txt")
    text = "\n".join((ROOT / name).read_text() for name in (*names, "requirements-dev.txt"))
    pins = re.findall(r"^(\S+)==", text, re.MULTILINE)
    assert sorted(set(pins)) == sorted(pins)


def test_captures_are_queued_with_few_packages(command, tmp_path):
    pictures = ROOT / "tools" / "pictures"
    env = LIGHT | {"CAPTURES_OUTBOX": str(tmp_path / "outbox")}
    done = command("run.py", "--headless", "--image_dir", pictures, env=env)
    assert done.returncode == 0, done.stderr
    (record,) = map(json.loads, done.stdout.splitlines())
    assert record["source"] == "astronaut.jpg" and record["predicted_genders"] == "F"
    assert done.stderr.splitlines()[-1].startswith("1 capture queued in ")


@pytest.mark.parametrize(
    "script, options",
    [
        ("train.py", "-i faces.mat"),
        ("export.py", "-o age.tflite"),
        ("plot_history.py", "-i history.h5"),
        ("evaluate.py", "-i faces.mat --output_dir out"),
        ("create_db.py", "-o faces.mat --plot"),
        ("create_db_utkface.py", "-i UTKFace -o faces.mat --plot"),
    ],
)
def test_command_that_needs_more_packages_says_how_to_install_them(monkeypatch, script, options):
    here = [name for name in ("numpy", *installation.TRAINING) if name != "pandas"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in here else None)
    with pytest.raises(UserError) as error:
        importlib.import_module(script.removesuffix(".py")).get_args(options.split())
    assert str(error.value) == (
        "pandas is not installed, which demo.py and run.py do without: type "
        f"{sys.executable} -m pip install -r {ROOT / 'requirements.txt'}"
    )


def test_package_that_turns_out_to_be_missing_later_is_the_same_line(command, tmp_path):
    (tmp_path / "late.py").write_text(
        "from age_gender.start import run\nimport numpy\n\n"
        "def main():\n    import tensorflow.python\n\nrun(main)\n"
    )
    path = tmp_path / "late.py"
    done = subprocess.run([sys.executable, path], env=LIGHT, capture_output=True, text=True)
    line = installation.how_to_train("tensorflow")
    assert (done.returncode, done.stderr) == (2, f"late.py: error: {line}\n")


def test_installed_by_pip_the_packages_are_named(monkeypatch):
    monkeypatch.setattr(installation, "CHECKOUT", None)
    assert installation.how_to_train("keras").endswith(
        "-m pip install tensorflow keras pandas tables matplotlib tensorboard"
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with what the wheel holds, as in site-packages."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def installed(site, tmp_path):
    """Run a program as pip installs it, in an empty folder; without HOME if not told."""
    program = "import sys\nfrom age_gender.start import console\nsys.exit(console())\n"

    def run(name, *arguments, **environment):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(program)
        return subprocess.run(
            [sys.executable, str(path), *map(str, arguments)],
            cwd=tmp_path,
            env={"PATH": "", "PYTHONPATH": str(site), **environment},
            capture_output=True,
            text=True,
        )

    return run


def test_wheel_holds_the_license_and_the_terms_of_the_weights(site):
    (about,) = site.glob("*.dist-info")
    license = about / "licenses"
    assert (license / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert "non-commercial" in (license / "pretrained_models" / "README.md").read_text()


@pytest.mark.parametrize("program", PROJECT["project"]["scripts"])
def test_installed_program_says_its_name_and_version(installed, program):
    done = installed(program, "--version")
    assert (done.stdout, done.stderr) == (f"{program}: age-gender-estimation {__version__}\n", "")


def test_mistake_is_told_under_the_installed_programs_name(installed):
    done = installed("age-gender-demo", "--colour", "blue")
    message = "age-gender-demo: error: unrecognized arguments: --colour\n"
    assert (done.returncode, done.stderr) == (2, message)


def test_installed_demo_finds_faces_with_the_weights_inside(installed, pictures, tmp_path):
    done = installed("age-gender-demo", "--image_dir", pictures, "--output_dir", "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1.png  face 1  ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "1.png",
        "2.png",
        "results.csv",
        "results.jsonl",
        "resume.jsonl",
    ]


def test_installed_program_writes_into_the_current_folder_and_the_users_cache(site, tmp_path):
    code = (
        "import settings\nfrom age_gender import installation, weights\n"
        "print(weights.find(), settings.outbox(), installation.cache(), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "HOME": "/home/me"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        str(site / "age_gender" / "pretrained_models" / "wide_resnet_16_2.hdf5"),
        str(tmp_path / "outbox"),
        "/home/me/.cache/age-gender-estimation",
    ]


def test_published_weights_are_downloaded_into_the_cache_outside_a_checkout(
    release_page, monkeypatch, tmp_path
):
    release_page.content = weights.find().read_bytes()
    monkeypatch.setattr(published, "RELEASE", release_page.address)
    monkeypatch.setattr(installation, "CHECKOUT", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = "weights.29-3.76_utk.hdf5"
    assert weights.find(name) == tmp_path / "age-gender-estimation" / name


def test_no_home_is_one_line(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(UserError) as error:
        installation.cache()
    assert str(error.value) == "there is no home folder: set HOME or XDG_CACHE_HOME"


def test_version_names_the_commit_of_the_checkout(command):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    if head.returncode:
        pytest.skip("this is no git repository")
    done = command("demo.py", "--version")
    line = f"demo.py: age-gender-estimation {__version__} (commit {head.stdout.strip()})"
    assert done.stdout.replace("+)", ")") == line + "\n"


def test_commit_of_a_repository_around_an_installation_is_not_taken(monkeypatch):
    monkeypatch.setattr(installation, "CHECKOUT", None)
    assert installation.version() == __version__
    assert installation.folder() == Path.cwd()


def test_module_of_the_current_folder_is_not_taken_for_one_of_the_program(site, tmp_path):
    (tmp_path / "settings.py").write_text("raise SystemExit('not ours')")
    done = subprocess.run(
        [sys.executable, "-m", "age_gender.run", "--every", "9"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == "run.py: error: --every needs --headless: in the window Space captures\n"
