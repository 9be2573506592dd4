"""A window that shows pictures and reports keys."""

import ctypes
import ctypes.util
import functools
import os
import subprocess
import sys

import cv2

from age_gender.command_line import UserError

PICTURE_SIZE = 640  # longer side in pixels of a folder's pictures in the window
QUIT_KEYS = (27, ord("q"))  # Escape, q
NO_KEY = -1
SCREEN = (1024, 768)  # pixels, where the system does not say how large it is
ROOM = 0.85  # of the screen, for the pictures: the rest is for bars and borders
# OpenCV's Qt on Linux is for X11, whatever other programs are told to use.
QT = {"QT_QPA_PLATFORM": "xcb"} if sys.platform == "linux" else {}


def require_display(remedy):
    """Raise `UserError` if no window can be opened; its message ends with ``remedy``.

    Without a display Qt ends the whole process, so a child process tries first.
    """
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        raise UserError(f"no display to open a window on: {remedy}")
    trial = "import cv2; cv2.namedWindow('trial'); cv2.waitKey(1)"
    command = [sys.executable, "-c", trial]
    if subprocess.run(command, capture_output=True, env=os.environ | QT).returncode:
        raise UserError(f"no display to open a window on: {remedy}")


@functools.cache
def screen_size():
    """Width and height of the screen in pixels; `SCREEN` where the system does not say."""
    try:
        if sys.platform == "win32":
            size = tuple(map(ctypes.windll.user32.GetSystemMetrics, (0, 1)))
        elif sys.platform == "darwin":
            graphics = ctypes.CDLL(ctypes.util.find_library("CoreGraphics"))
            graphics.CGDisplayPixelsWide.restype = ctypes.c_size_t
            graphics.CGDisplayPixelsHigh.restype = ctypes.c_size_t
            display = graphics.CGMainDisplayID()
            size = graphics.CGDisplayPixelsWide(display), graphics.CGDisplayPixelsHigh(display)
        else:
            size = _x11_screen_size()
    except (OSError, AttributeError):
        return SCREEN
    return size if min(size) > 0 else SCREEN


def _x11_screen_size():
    """The connection stays open: an X server that loses its last client starts over."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    server = ctypes.c_void_p(x11.XOpenDisplay(None))
    if not server:
        return SCREEN
    return x11.XDisplayWidth(server, 0), x11.XDisplayHeight(server, 0)


class Window:
    """An OpenCV window, as a context manager that closes it.

    It is as large as its picture; one that is larger than the screen is shown smaller, in a window
    whose size can be changed.
    """

    def __init__(self, title):
        self.title = title
        self._resizable = False

    def __enter__(self):
        os.environ.update(QT)
        self._room = [int(ROOM * length) for length in screen_size()]
        cv2.namedWindow(self.title, cv2.WINDOW_AUTOSIZE)
        return self

    def __exit__(self, *_):
        cv2.destroyAllWindows()

    def show(self, image, wait_for_key=False):
        """Show a picture, with ``wait_for_key`` until a key is pressed.

        Returns:
            The character code of the key, `NO_KEY` without one; None if the user quit with Escape,
            q or by closing the window.
        """
        self._fit(*image.shape[1::-1])
        cv2.imshow(self.title, image)
        while True:
            key = cv2.waitKey(30 if wait_for_key else 1)
            key = key if key == NO_KEY else key & 0xFF
            if key in QUIT_KEYS or not self._is_open():
                return None
            if key != NO_KEY or not wait_for_key:
                return key

    def _fit(self, width, height):
        factor = min(self._room[0] / width, self._room[1] / height)
        if factor < 1 and not self._resizable:
            self._resizable = True
            cv2.destroyWindow(self.title)
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL)
            cv2.resizeWindow(self.title, int(factor * width), int(factor * height))

    def _is_open(self):
        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # Qt no longer knows the window
            return False
