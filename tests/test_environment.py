"""What other programs have set for themselves does not reach in."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from age_gender.command_line import UserError
from helpers import ROOT
from wide_resnet import WideResNet

LINE = (
    "activate the environment first (. .venv/bin/activate, on Windows .venv\\Scripts\\activate), "
    "or run make demo to make it"
)


@pytest.fixture
def other_home(tmp_path):
    """A HOME with the settings of another project for Keras and matplotlib."""
    home = tmp_path / "other home"
    (home / ".keras").mkdir(parents=True)
    settings = '{"backend": "torch", "image_data_format": "channels_first", "floatx": "float16"}'
    (home / ".keras" / "keras.json").write_text(settings)
    (home / ".config" / "matplotlib").mkdir(parents=True)
    (home / ".config" / "matplotlib" / "matplotlibrc").write_text("text.usetex: True\n")
    return home


def test_demo_works_under_all_settings_of_others(command, pictures, tiny_weights, other_home):
    (pictures / "1.png").rename(os.fsdecode(os.fsencode(pictures) + b"/caf\xe9.png"))
    options = ["--image_dir", pictures, "--weight_file", tiny_weights[0], "--output_dir"]
    env = {
        "HOME": str(other_home),
        "KERAS_BACKEND": "bogus",
        "TF_USE_LEGACY_KERAS": "1",
        "CUDA_VISIBLE_DEVICES": "none",
        "XDG_CACHE_HOME": os.devnull,
        "MPLBACKEND": "module://nothing.here",
        "QT_QPA_PLATFORM": "bogus",
        "OPENCV_IO_ENABLE_OPENEXR": "0",
        "OPENCV_LOG_LEVEL": "DEBUG",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii:strict",
        "PYTHONWARNINGS": "error",
        "COLUMNS": "1",
    }
    done = command("demo.py", *options, "out", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2.png  no face\ncaf\\udce9.png  face 1  box ")
    assert done.stderr.splitlines()[-2:] == [
        "2 files: 1 with 1 face, 1 without a face, 0 unreadable, 0 left out",
        "annotated pictures and results.csv, results.jsonl are in out",
    ]
    assert len(done.stderr.splitlines()) <= 4 and "Warning" not in done.stderr
    table = (pictures.parent / "out" / "results.csv").read_text(encoding="utf-8")
    assert table.splitlines()[2].startswith("caf\\udce9.png,1,face,")


def test_keras_is_imported_with_its_defaults_and_leaves_no_file(tmp_path, other_home):
    code = (
        "from age_gender.command_line import quiet_start\n"
        "with quiet_start(): import keras\n"
        "from keras import config as c\n"
        "print(c.backend(), c.image_data_format(), c.floatx(), c.dtype_policy().name)"
    )
    (tmp_path / "new").mkdir()
    for home in (other_home, tmp_path / "new"):
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "KERAS_BACKEND": "jax"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True
        )
        assert done.stdout == "jax channels_last float32 float32\n", done.stderr
    assert list((tmp_path / "new").iterdir()) == []


def test_network_is_the_same_whatever_keras_is_set_to():
    keras.utils.set_random_seed(1)
    expected = WideResNet(32, 10, 1)()
    before = keras.config.image_data_format(), keras.config.floatx()
    try:
        keras.config.set_image_data_format("channels_first")
        keras.config.set_floatx("float16")
        model = WideResNet(32, 10, 1).in_precision("float32")
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])
    model.set_weights(expected.get_weights())
    faces = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    for one, two in zip(model(faces), expected(faces)):
        np.testing.assert_array_equal(one, two)


def test_diagrams_need_no_home_and_no_backend(command, tmp_path, other_home):
    import pandas

    history = pandas.DataFrame({"loss": [3.0, 2.0], "val_loss": [3.1, 2.4]})
    history.to_hdf(tmp_path / "h.h5", key="history")
    seen = []
    for home, more in (
        (tmp_path, {}),
        (other_home, {"MPLBACKEND": "module://nothing.here"}),
        ("/dev/null", {"MPLBACKEND": "bogus"}),
    ):
        done = command("plot_history.py", "-i", tmp_path / "h.h5", env={"HOME": str(home), **more})
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert done.stdout == f"{tmp_path / 'loss.png'}\n"
        seen.append((tmp_path / "loss.png").read_bytes())
    assert seen[0] == seen[1] == seen[2]


def _run(code, tmp_path, options=(), redirected="", **more):
    """Run a command whose main is ``code``, with streams redirected as the shell does it."""
    path = tmp_path / "script.py"
    path.write_text(
        "import sys, warnings\nfrom age_gender.command_line import log, result, run\n"
        f"def main():\n    {code}\n\nif __name__ == '__main__':\n    run(main)\n"
    )
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | more
    line = f'exec "$@" {redirected}'
    return subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, *options, path], capture_output=True, env=env
    )


@pytest.mark.parametrize(
    "settings",
    [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "utf-8:strict"}]
    + [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "POSIX"}],
)
def test_any_name_can_be_printed(tmp_path, settings):
    done = _run(r"log('\u0142 \udce9'); result('\u0142 \udce9')", tmp_path, **settings)
    utf8 = settings.get("PYTHONIOENCODING") == "utf-8:strict" or settings.get("LC_ALL") == "POSIX"
    expected = "\u0142".encode() if utf8 else rb"\u0142"
    assert (done.returncode, done.stdout) == (0, expected + b" \\udce9\n"), done.stderr
    assert done.stderr == done.stdout


def test_streams_may_be_closed(tmp_path):
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = _run("log('talk'); result('result')", tmp_path, redirected=closed)
        assert done.returncode == 0
        assert done.stdout == (b"" if ">&- " in f" {closed} ".replace("2>&-", "") else b"result\n")
        assert done.stderr == (b"" if "2>&-" in closed else b"talk\n")


def test_strict_warnings_end_nothing(tmp_path):
    code = "warnings.warn('old'); assert 'error' not in sys.warnoptions"
    assert _run(code, tmp_path, PYTHONWARNINGS="error").returncode == 0
    assert _run(code, tmp_path, ["-W", "error"]).returncode == 0


@pytest.mark.parametrize(
    "name, value",
    [("AWS_PROFILE", "nobody"), ("AWS_CONFIG_FILE", "broken"), ("AWS_DEFAULT_REGION", "no where")]
    + [("AWS_SHARED_CREDENTIALS_FILE", "broken")],
)
def test_what_boto3_cannot_use_is_one_line_that_names_it(tmp_path, monkeypatch, name, value):
    import settings
    from age_gender.captures import delivery
    from age_gender.captures.outbox import Outbox

    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").write_text("no settings")
    monkeypatch.setenv(name, value)
    box = Outbox(tmp_path / "box")
    box.add(1, [{"key": 1}])
    s3 = settings.S3("bucket", "", None, None, None, None, "key", "secret")
    with pytest.raises(UserError) as error:
        delivery.flush(box, s3, lambda items, count: items)
    assert str(error.value).startswith("S3 cannot be used: ") and name in str(error.value)


SCRIPTS = {
    "demo.py": "--image_dir F --output_dir F/out",
    "run.py": "--headless --image_dir F",
    "train.py": "-i F",
    "create_db.py": "-i F -o F/x.mat",
    "create_db_utkface.py": "-i F -o F/x.mat",
    "evaluate.py": "-i F",
    "evaluate_appa_real.py": "",
    "export.py": "--output F/x.tflite",
    "plot_history.py": "-i F/wiki.mat",
    "age_gender.weights": "F/wiki.mat",
    "age_gender.training.embeddings": "-i F/wiki.mat --pictures F",
}


def test_every_command_has_its_line_on_missing_packages():
    commands = {path.name for path in ROOT.glob("*.py") if "__main__" in path.read_text()}
    assert commands <= SCRIPTS.keys()


@pytest.mark.parametrize("script", SCRIPTS)
def test_missing_packages_are_one_line(tmp_path, script):
    for name in ("wiki.mat", "20_0_0_1.jpg"):
        (tmp_path / name).touch()
    how = [str(ROOT / script)] if script.endswith(".py") else ["-m", script]
    done = subprocess.run(
        [sys.executable, "-S", *how, *SCRIPTS[script].replace("F", str(tmp_path)).split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    (line,) = done.stderr.splitlines()
    name = script if script.endswith(".py") else f"{script.rpartition('.')[2]}.py"
    assert done.returncode == 2 and line.startswith(f"{name}: error: No module named '")
    assert line.endswith(LINE)


@pytest.mark.parametrize(
    "code, line",
    [
        (
            "raise ImportError('libGL.so.1: cannot open shared object file', name='cv2')",
            "libGL.so.1: cannot open shared object file: a package is broken or of another version:"
            " python3 tools/check_system.py says what the system lacks, requirements-run.txt and "
            "requirements.txt list the versions",
        ),
        ("import none.at.all", f"No module named 'none': {LINE}"),
        ("import age_gender.none", None),
        ("from age_gender.command_line import none", None),
    ],
)
def test_broken_package_is_one_line_and_a_fault_of_ours_is_not_hidden(tmp_path, code, line):
    done = _run(code, tmp_path)
    if line is None:
        assert done.returncode == 1 and b"Traceback" in done.stderr
    else:
        assert (done.returncode, done.stderr.decode()) == (2, f"script.py: error: {line}\n")


def test_python_that_is_too_old_is_one_line(tmp_path):
    code = (
        "import runpy, sys; sys.version_info = (3, 10, 1); sys.argv = ['demo.py']\n"
        "runpy.run_path('demo.py', run_name='__main__')"
    )
    alone = [sys.executable, "-S", "-c", code]  # nothing has imported the package before
    done = subprocess.run(alone, cwd=ROOT, capture_output=True, text=True)
    line = "demo.py: error: Python 3.10 is too old: use 3.11, 3.12 or 3.13\n"
    assert (done.returncode, done.stderr) == (2, line)
