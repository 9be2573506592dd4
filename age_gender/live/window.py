"""A window that shows pictures and reports keys."""

import ctypes
import ctypes.util
import functools
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from age_gender.command_line import UserError

PICTURE_SIZE = 640  # longer side in pixels of a folder's pictures in the window
QUIT_KEYS = (27, ord("q"), ord("Q"))  # Escape, q
NO_KEY = -1
LEFT, RIGHT, HOME, END = range(0x10000, 0x10004)
SPECIAL_KEYS = {  # codes of X11 (Qt, GTK), of its keypad, of Windows, of macOS
    **dict.fromkeys((0xFF51, 0xFF96, 0x250000, 0xF702), LEFT),
    **dict.fromkeys((0xFF52, 0xFF97, 0x260000, 0xF700), LEFT),  # up
    **dict.fromkeys((0xFF55, 0xFF9A, 0x210000, 0xF72C), LEFT),  # page up
    **dict.fromkeys((0xFF08, 0x08, 0x7F), LEFT),  # backspace
    **dict.fromkeys((0xFF53, 0xFF98, 0x270000, 0xF703), RIGHT),
    **dict.fromkeys((0xFF54, 0xFF99, 0x280000, 0xF701), RIGHT),  # down
    **dict.fromkeys((0xFF56, 0xFF9B, 0x220000, 0xF72D), RIGHT),  # page down
    **dict.fromkeys((0xFF50, 0xFF95, 0x240000, 0xF729), HOME),
    **dict.fromkeys((0xFF57, 0xFF9C, 0x230000, 0xF72B), END),
}
SCREEN = (1024, 768)  # pixels, where the system does not say how large it is
ROOM = 0.85  # of the screen, for the pictures: the rest is for bars and borders
# OpenCV's Qt on Linux is for X11, whatever other programs are told to use.
QT_PLUGIN = "qt/plugins/platforms/libqxcb.so"  # in OpenCV's folder
QT = {"QT_QPA_PLATFORM": "xcb"} if sys.platform == "linux" else {}


def require_display(remedy):
    """Raise `UserError` if no window can be opened; its message ends with ``remedy``.

    Without a display Qt ends the whole process, so where that is not sure a child tries first.
    """
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        raise UserError(f"no display to open a window on: {remedy}")
    if _qt_can_open():
        return
    trial = "import cv2; cv2.namedWindow('trial'); cv2.waitKey(1)"
    command = [sys.executable, "-c", trial]
    if subprocess.run(command, capture_output=True, env=os.environ | QT).returncode:
        raise UserError(f"no display to open a window on: {remedy}")


def _qt_can_open():
    """Whether Qt will open a window for certain: its plugin can be loaded, and X11 answers."""
    try:
        ctypes.CDLL(str(Path(cv2.__file__).parent / QT_PLUGIN))
        return bool(_x11(os.environ.get("DISPLAY"))[1])
    except OSError:  # another system, or another OpenCV
        return False


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
    x11, server = _x11(os.environ.get("DISPLAY"))
    return (x11.XDisplayWidth(server, 0), x11.XDisplayHeight(server, 0)) if server else SCREEN


@functools.cache
def _x11(display):
    """The library of X11, and the server of a display or None; `OSError` without the library.

    The connection stays open: an X server that loses its last client starts over.
    """
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    server = x11.XOpenDisplay(display and os.fsencode(display))
    return x11, server and ctypes.c_void_p(server)


class Window:
    """An OpenCV window, as a context manager that closes it.

    It opens with its first picture, as large as that, but no larger than the screen, and takes the
    size of the next one, until the user gives it a size; pictures fill it, with black bars.

    Args:
        title: what its bar says.
        full_screen: it fills the screen, without a bar.

    Attributes:
        room: width and height that a picture may have to be shown at full size.
    """

    def __init__(self, title, full_screen=False):
        self._full_screen = full_screen
        self._name = self._title = title
        self._area = None  # width and height that it has been given; None before it is open
        self._resized = False  # by the user
        self._last = None  # what was shown last: picture, width and height

    def __enter__(self):
        os.environ.update(QT)
        share = 1 if self._full_screen else ROOM
        self.room = tuple(int(share * length) for length in screen_size())
        return self

    def __exit__(self, *_):
        cv2.destroyAllWindows()

    def show(self, image, wait_for_key=False, title=None, pause=1):
        """Show a picture, with ``wait_for_key`` until a key is pressed.

        Args:
            image: (H, W, 3) uint8 BGR, not to be changed afterwards.
            wait_for_key: return no sooner than that.
            title: of the window, from now on.
            pause: milliseconds to wait for a key, otherwise.

        Returns:
            The character code of the key, or one of `LEFT`, `RIGHT`, `HOME`, `END`; `NO_KEY`
            without one; None if the user quit with Escape, q or by closing the window.
        """
        while True:
            self._draw(image, title)
            key = _key(cv2.waitKeyEx(30 if wait_for_key else pause))
            if key in QUIT_KEYS or not self._is_open():
                return None
            if key != NO_KEY or not wait_for_key:
                return key

    def _draw(self, image, title):
        """Show a picture, unless it is there already."""
        self._fit(*image.shape[1::-1])
        if title not in (None, self._title):
            self._title = title
            cv2.setWindowTitle(self._name, title)
        area = self._size()
        if self._last is None or self._last[0] is not image or self._last[1] != area:
            cv2.imshow(self._name, letterboxed(image, *area))
            self._last = image, area

    def _fit(self, width, height):
        """Open the window, or give it the size of another picture."""
        if self._full_screen:
            return self._fill_screen()
        factor = min(self.room[0] / width, self.room[1] / height, 1)
        area = max(1, int(factor * width)), max(1, int(factor * height))
        if self._area is None:
            flags = cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL
            cv2.namedWindow(self._name, flags)
        elif self._resized or self._area == area:
            return
        elif self._size() != self._area:
            self._resized = True
            return
        cv2.resizeWindow(self._name, *area)
        self._area = area

    def _fill_screen(self):
        """Open the window over the whole screen, with or without a window manager."""
        if self._area is None:
            self._area = screen_size()
            cv2.namedWindow(self._name, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
            cv2.setWindowProperty(self._name, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
            cv2.moveWindow(self._name, 0, 0)
            cv2.resizeWindow(self._name, *self._area)

    def _size(self):
        """Width and height of the area for the picture."""
        if self._last is None:  # not known before there is one
            return self._area
        try:
            size = cv2.getWindowImageRect(self._name)[2:]
        except cv2.error:
            return self._area
        return size if min(size) > 0 else self._area

    def _is_open(self):
        try:
            return cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # Qt no longer knows the window
            return False


def letterboxed(image, width, height):
    """A picture in another size, between black bars where its sides have another ratio."""
    h, w = image.shape[:2]
    factor = min(width / w, height / h)
    size = [max(1, round(factor * side)) for side in (w, h)]
    if abs(size[0] - width) + abs(size[1] - height) <= 2:  # no bars for what was rounded
        size = [width, height]
    if size != [w, h]:
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        image = cv2.resize(image, size, interpolation=way)
    if size == [width, height]:
        return image
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = image
    return canvas


def _key(code):
    """What `Window.show` returns for a key, of what OpenCV says, on whichever system."""
    code = code & 0xFFFF or code  # GTK has the state of Shift and others above; Windows all
    code = SPECIAL_KEYS.get(code, code)
    return code if 0 < code < 128 or code in (LEFT, RIGHT, HOME, END) else NO_KEY
