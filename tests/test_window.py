import ctypes
import time

import pytest
from conftest import ROOT, write_video

import window
from command_line import UserError

ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import window
with window.Window("result") as shown:
    while shown.show(np.full((300, 400, 3), 90, np.uint8), wait_for_key=True) is not None:
        pass
"""


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
    process = demo("--source", write_video(tmp_path / "clip.avi", astronaut, 8))
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_without_a_display_one_line_says_what_works(monkeypatch):
    for display in ("", ":4711"):
        monkeypatch.setenv("DISPLAY", display)
        with pytest.raises(UserError) as error:
            window.require_display("do otherwise")
        assert str(error.value) == "no display to open a window on: do otherwise"
