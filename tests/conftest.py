"""What several tests need: tiny pictures, a tiny network, the shared data where it is."""

import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import machine
from close_button import ask_to_close

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FACE_TEST_DATA", ROOT.parent / "shared" / "data"))


from age_gender import command_line  # noqa: E402, F401  as in every command, before OpenCV

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Run in the background of a script, the tests and all they start would be deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def shared():
    """Folder of the real test data, which is not part of the repository."""
    if not DATA.is_dir():
        pytest.skip(f"the real data is not at {DATA}")
    return DATA


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

    with machine.small_disk(disk, "64k") as made:
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
    weights.write(path, model, weights.Description(10, 1, 32, crop="aligned", margin=None))
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


class _ReleasePage(http.server.BaseHTTPRequestHandler):
    """A server of one file, which breaks off or refuses where it is told to."""

    content = b""
    break_at = None
    status = None
    knows_ranges = True

    def do_GET(self):
        start = int(re.match(r"bytes=(\d+)-", self.headers["Range"])[1])
        self.ranges.append(start)
        start = start if self.knows_ranges else 0
        if self.status or start >= len(self.content):
            self.send_error(self.status or 416)
            return
        body = self.content[start:]
        self.send_response(206 if self.knows_ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.break_at is None else body[: self.break_at])

    def log_message(self, *_):
        pass


@pytest.fixture
def release_page():
    """A local web server whose settings and memory are attributes: see `_ReleasePage`."""
    handler = type("ReleasePage", (_ReleasePage,), {"ranges": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.address = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler
    server.shutdown()
    server.server_close()


def write_chips(folder, count=40, size=48, seed=0):
    """UTKFace-like chips: noise pictures whose brightness tells the age, under UTKFace's names."""
    import cv2

    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        age, sex = int(rng.integers(1, 90)), int(rng.integers(2))
        picture = np.clip(rng.normal(60 + 1.5 * age, 20, (size, size, 3)), 0, 255).astype(np.uint8)
        name = f"{age}_{sex}_0_{20170100000000000 + number}.jpg.chip.jpg"
        cv2.imwrite(str(folder / name), picture)
    return folder


def write_database(path, chips, size=32):
    """The database of a folder of chips, with faces of ``size`` pixels."""
    import create_db_utkface

    create_db_utkface.main(["-i", str(chips), "-o", str(path), "--img_size", str(size)])
    return path


def write_video(path, picture, count, rate=10):
    """A video (MJPG in .avi) of one picture, its size; it moves a pixel with each frame."""
    import cv2

    size = picture.shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, size)
    for number in range(count):
        writer.write(np.roll(picture, number, 1))
    writer.release()
    return path


def write_appa_real(folder, count=10, size=48, parts=("train",)):
    """A tree like APPA-REAL's: noise, apparent ages from 20 up, real ones two years more."""
    import cv2

    rng = np.random.default_rng(0)
    for part in parts:
        (folder / part).mkdir(parents=True, exist_ok=True)
        lines = ["file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age"]
        for number in range(count):
            picture = rng.integers(0, 256, (size, size, 3), np.uint8)
            name = f"{number:06d}.jpg"
            cv2.imwrite(str(folder / part / f"{name}_face.jpg"), picture)
            lines.append(f"{name},38,{20.2 + number},4.5,{22 + number}")
        (folder / f"gt_avg_{part}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def display():
    """A screen of its own, made by Xvfb."""
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("Xvfb and xdotool are not installed: apt-get install xvfb xdotool")
    with machine.screen() as name:
        yield name


@pytest.fixture
def start(display, tmp_path):
    """Start a process on the screen; the function returns it when its window is there."""
    started = []
    output = tmp_path / "printed"
    environment = {**os.environ, "DISPLAY": display}

    def xdotool(*arguments):
        done = subprocess.run(
            ["xdotool", *arguments], env=environment, capture_output=True, text=True
        )
        return done.stdout.split()

    def start(*arguments):
        with open(output, "w") as file:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env={**os.environ, "DISPLAY": display},
                cwd=tmp_path,
                stdout=file,
                stderr=subprocess.PIPE,
                text=True,
            )
        started.append(process)
        deadline = time.monotonic() + 60
        while not xdotool("search", "--onlyvisible", "--name", "^result$"):
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
            time.sleep(0.1)
        time.sleep(0.5)
        return process

    def window():
        (shown,) = xdotool("search", "--onlyvisible", "--name", "^result$")
        return shown

    def press(key):
        xdotool("windowfocus", window())
        xdotool("key", key)

    start.press = press
    start.close = lambda: ask_to_close(display, int(window()))
    start.printed = output.read_text
    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()
