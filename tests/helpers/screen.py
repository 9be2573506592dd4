"""A screen of one's own, and a program with a window on it, which has keys pressed."""

import contextlib
import ctypes
import os
import subprocess

from helpers import ROOT, until

CAMERA = ROOT / "tests" / "helpers" / "looped_camera.py"


@contextlib.contextmanager
def screen():
    """A screen made by Xvfb; yields its name for DISPLAY."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-noreset", "-screen", "0", "1024x768x24"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as number:
        name = f":{number.readline().strip()}"
    try:
        yield name
    finally:
        server.terminate()
        server.wait()


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


class Program:
    """A script in a process of its own, with a window that is there when this has been made.

    Args:
        start: function like `warm.Parent.start`.
        display: name of the screen.
        folder: where it runs.
        arguments: the script and its options.
        clip: what its camera 0 shows.
    """

    def __init__(self, start, display, folder, arguments, clip="none"):
        self._display = display
        self._printed, self._said = folder / "printed", folder / "said"
        self._keys, self._times = folder / "keys", folder / "times"
        noted = {"KEYS": str(self._keys), "FRAME_TIMES": str(self._times)}
        self._environment = {**os.environ, "DISPLAY": display, **noted}
        with open(self._printed, "w") as out, open(self._said, "w") as err:
            arguments = [CAMERA, clip, *arguments]
            self._process = start(arguments, self._environment, folder, out, err)
        until(lambda: self._keys.exists() or self._process.poll() is not None)
        assert self._process.poll() is None, self.said()

    def printed(self):
        """What it has written on stdout so far."""
        return self._printed.read_text()

    def said(self):
        """What it has written on stderr so far."""
        return self._said.read_text()

    def shown(self):
        """How many pictures the window has shown so far."""
        return len(self._times.read_text().splitlines())

    def running(self):
        return self._process.poll() is None

    def wait(self):
        """Its exit code, when it has ended."""
        return self._process.wait(120)

    def end(self):
        self._process.kill()
        self._process.wait()

    def press(self, key):
        """Press a key, and wait until the window has taken it or is gone."""
        before = len(self._keys.read_text())
        self._xdotool("windowfocus", self._window())
        self._xdotool("key", key)
        until(lambda: len(self._keys.read_text()) > before or not self.running())

    def close(self):
        """Press the window's close button."""
        ask_to_close(self._display, int(self._window()))

    def title(self):
        """The title of the window."""
        return " ".join(self._xdotool("getwindowname", self._window()))

    def size(self):
        """Width and height of the window in pixels, with its bars."""
        said = self._xdotool("getwindowgeometry", self._window())
        return tuple(map(int, said[said.index("Geometry:") + 1].split("x")))

    def resize(self, width, height):
        """Give the window another size."""
        self._xdotool("windowsize", self._window(), str(width), str(height))

    def _window(self):
        (shown,) = until(lambda: self._xdotool("search", "--onlyvisible", "--name", "."))
        return shown

    def _xdotool(self, *arguments):
        done = subprocess.run(
            ["xdotool", *arguments], env=self._environment, capture_output=True, text=True
        )
        return done.stdout.split()
