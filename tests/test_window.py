import ctypes
import os
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from conftest import ROOT

import window
from command_line import UserError


@pytest.fixture(scope="module")
def display():
    """A screen of its own, made by Xvfb."""
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("Xvfb and xdotool are not installed: apt-get install xvfb xdotool")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-noreset", "-screen", "0", "1024x768x24"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as number:
        yield f":{number.readline().strip()}"
    server.terminate()
    server.wait()


@pytest.fixture
def pictures(tmp_path, astronaut):
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), astronaut)
    cv2.imwrite(str(folder / "2.png"), np.full((300, 400, 3), 90, np.uint8))
    return folder


ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import window
with window.Window("result") as shown:
    while shown.show(np.full((300, 400, 3), 90, np.uint8), wait_for_key=True):
        pass
"""


@pytest.fixture
def start(display, tmp_path):
    """Start a process on the screen; the function returns it when its window is there."""
    started = []
    environment = {**os.environ, "DISPLAY": display}

    def xdotool(*arguments):
        done = subprocess.run(
            ["xdotool", *arguments], env=environment, capture_output=True, text=True
        )
        return done.stdout.split()

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            cwd=tmp_path,
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

    def press(key):
        (shown,) = xdotool("search", "--onlyvisible", "--name", "^result$")
        xdotool("windowfocus", shown)
        xdotool("key", key)

    start.press, start.xdotool = press, xdotool
    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def demo(start, tiny_weights):
    """Start demo.py with options."""

    def with_options(*options):
        return start(ROOT / "demo.py", "--weight_file", tiny_weights[0], *options)

    return with_options


class ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 24),
    ]


def ask_to_close(display, shown):
    """Send a window what a window manager sends when its close button is pressed."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    server = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    protocols, delete = (
        x11.XInternAtom(server, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
    )
    message = ClientMessage(33, window=shown, message_type=protocols, format=32)
    message.data[0] = delete
    x11.XSendEvent(server, ctypes.c_ulong(shown), 0, ctypes.c_long(0), ctypes.byref(message))
    x11.XCloseDisplay(server)


def test_any_key_goes_to_the_next_picture_and_the_last_ends(demo, start, pictures):
    process = demo("--image_dir", pictures)
    start.press("space")
    time.sleep(1)
    assert process.poll() is None
    start.press("n")
    assert process.wait(10) == 0, process.stderr.read()
    assert process.stderr.read() == ""


@pytest.mark.parametrize("key", ["Escape", "q"])
def test_escape_and_q_end_it(start, key):
    process = start("-c", ALONE, ROOT)
    start.press("space")
    time.sleep(0.3)
    assert process.poll() is None
    start.press(key)
    assert process.wait(10) == 0, process.stderr.read()


def test_closing_the_window_ends_it(start, display):
    process = start("-c", ALONE, ROOT)
    (shown,) = start.xdotool("search", "--onlyvisible", "--name", "^result$")
    ask_to_close(display, int(shown))
    assert process.wait(10) == 0, process.stderr.read()


def test_video_plays_to_its_end(demo, tmp_path, astronaut):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (512, 512))
    for _ in range(8):
        writer.write(astronaut)
    writer.release()
    process = demo("--source", path)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_without_a_display_one_line_says_what_works(monkeypatch):
    for display in ("", ":4711"):
        monkeypatch.setenv("DISPLAY", display)
        with pytest.raises(UserError) as error:
            window.require_display()
        assert str(error.value) == (
            "no display to open a window on: use --image_dir DIR --output_dir OUT, which needs none"
        )


def test_view_is_640_pixels_long():
    image, factor = window.view(np.zeros((1000, 2000, 3), np.uint8))
    assert image.shape == (320, 640, 3) and factor == 0.32
