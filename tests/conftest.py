"""What several tests need: tiny pictures, a tiny network, the shared data where it is.

`COMPUTES_BFLOAT16=yes python -m pytest` runs the tests, and the processes that they start, as on a
processor that computes with bfloat16, `no` as on one that does not, whatever this one does.
(TensorFlow computes bfloat16 everywhere, slowly.)
"""

import contextlib
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from age_gender import command_line  # noqa: F401  as in every command, before OpenCV
from helpers import ROOT
from helpers import warm as warm_commands
from helpers.disk import small_disk as small_disk_at
from helpers.release_page import serve as serve_release_page
from helpers.screen import Program, screen

DATA = Path(os.environ.get("FACE_TEST_DATA", ROOT.parent / "shared" / "data"))

FORCED = {}  # environment that hands COMPUTES_BFLOAT16 on to child processes
if answer := os.environ.get("COMPUTES_BFLOAT16"):
    if answer not in ("yes", "no"):
        pytest.exit(f"COMPUTES_BFLOAT16 must be yes or no. Received: {answer}", 4)
    hook = ROOT / "tests" / "forced"
    FORCED = {"COMPUTES_BFLOAT16": answer, "PYTHONPATH": os.pathsep.join(map(str, (hook, ROOT)))}
    os.environ |= FORCED
    runpy.run_path(str(hook / "sitecustomize.py"))

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # as `quiet_start` sets these two
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
HOME = None
if "PYTEST_XDIST_WORKER" not in os.environ:  # those have the home that is made here
    HOME = tempfile.TemporaryDirectory(prefix="home-of-tests-")
    os.environ["HOME"] = HOME.name
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]
# Run in the background of a script, the tests and all they start would be deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure():
    if HOME is not None:
        HOME.cleanup()


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes long, and is started before the others")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Let no worker be left with a long test at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


# What OpenCV, HDF5, SciPy, TensorFlow and JAX set when the first test that needs them imports them.
OF_IMPORTS = {
    *("LD_LIBRARY_PATH", "QT_QPA_FONTDIR", "QT_QPA_PLATFORM_PLUGIN_PATH", "HDF5_PLUGIN_PATH"),
    *("TF2_BEHAVIOR", "TPU_ML_PLATFORM", "TPU_ML_PLATFORM_VERSION", "TPU_SKIP_MDS_QUERY"),
    *("ENABLE_RUNTIME_UPTIME_TELEMETRY", "KMP_DUPLICATE_LIB_OK"),
}


def _state():
    """What of this process and its children outlives a test."""
    mask = os.umask(0o77)
    os.umask(mask)
    ignored = {"PYTEST_CURRENT_TEST", *OF_IMPORTS}
    environment = {name: value for name, value in os.environ.items() if name not in ignored}
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    policy = keras.config.dtype_policy().name if (keras := sys.modules.get("keras")) else "float32"
    return {
        "folder": os.getcwd(),
        "umask": mask,
        "environment": environment,
        "handlers": handlers,
        "dtype policy": policy,
        "children": len(_children()),
    }


def _children():
    """The processes that this one has started, but for multiprocessing's own."""
    try:
        pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return {
            p for p in pids if b"resource_tracker" not in Path(f"/proc/{p}/cmdline").read_bytes()
        }
    except FileNotFoundError:
        return set()


@pytest.fixture(autouse=True)
def all_is_left_as_it_was():
    """Every test leaves its process as it found it."""
    before = _state()
    yield
    after = _state()
    assert after == before


@pytest.fixture
def shared():
    """Folder of the real test data, which is not part of the repository."""
    if not DATA.is_dir():
        pytest.skip(f"the real data is not at {DATA}")
    return DATA


@pytest.fixture
def damaged():
    """Folder of small damaged files, which is not part of the repository."""
    folder = DATA.parent / "faults" / "hostile"
    if not folder.is_dir():
        pytest.skip(f"there are no damaged files at {folder}")
    return folder


@pytest.fixture(scope="session")
def astronaut():
    """A real photograph with one face, (512, 512, 3) uint8 BGR (NASA, public domain)."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


@pytest.fixture
def pictures(tmp_path, astronaut):
    """A folder of two pictures, the first with a face."""
    import cv2

    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), astronaut)
    cv2.imwrite(str(folder / "2.png"), np.full((300, 400, 3), 90, np.uint8))
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A disk with room for 64 KiB; the function makes it larger (or smaller)."""
    if os.geteuid() != 0:
        pytest.skip("a small disk can only be made by root")
    disk = tmp_path / "disk"

    def resize(size):
        subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)

    with small_disk_at(disk, "64k") as made:
        if not made:
            pytest.skip("no small disk can be made here")
        yield disk, resize


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory):
    """A weight file of a random WideResNet 10-1 for 32 px faces, and the model it holds."""
    import keras

    from age_gender import weights
    from wide_resnet import WideResNet

    keras.utils.set_random_seed(1)
    model = WideResNet(32, 10, 1)()
    first = model.layers[
        1
    ]  # untrained, its output is so large that the heads are sure of one answer
    first.set_weights([first.get_weights()[0] / 100])
    path = tmp_path_factory.mktemp("weights") / "tiny.hdf5"
    weights.write(
        path, model, weights.Description(WideResNet(32, 10, 1), crop="aligned", margin=None)
    )
    return path, model


@pytest.fixture
def command(tmp_path):
    """Run a script as a user does, in an empty folder with an empty HOME."""

    def run(script, *arguments, **options):
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        how = [str(ROOT / script)] if script.endswith(".py") else ["-m", script]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            **FORCED,
            **options.pop("env", {}),
        }
        return subprocess.run(
            [sys.executable, *how, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=options.pop("cwd", tmp_path),
            env=environment,
            timeout=200,
            **options,
        )

    return run


@pytest.fixture
def release_page():
    """A local web server of one file: see `release_page.ReleasePage`."""
    with serve_release_page() as page:
        yield page


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory):
    """A running SeaweedFS."""
    from helpers import s3

    folder = tmp_path_factory.mktemp("seaweedfs")
    server = s3.Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def s3(s3_server):
    """The same with an empty bucket."""
    s3_server.clear()
    return s3_server


@pytest.fixture
def proxy(s3):
    """A proxy before it that fails as it is told to."""
    from helpers.s3 import Proxy

    proxy = Proxy(s3)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def display():
    """A screen of its own, made by Xvfb."""
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("Xvfb and xdotool are not installed: apt-get install xvfb xdotool")
    with screen() as name:
        yield name


@pytest.fixture(scope="session")
def warm():
    """Starts scripts as processes, which need not import TensorFlow anew where it can be had."""
    if sys.platform != "linux":
        yield warm_commands.start
        return
    with contextlib.closing(warm_commands.Parent()) as parent:
        yield parent.start


@pytest.fixture
def on_screen(display, warm, tmp_path):
    """Start a script on the screen; its `Program`, when its window is there."""
    with contextlib.ExitStack() as stack:

        def start(*arguments, **options):
            program = Program(warm, display, tmp_path, arguments, **options)
            stack.callback(program.end)
            return program

        yield start
