"""A window that shows pictures and reports keys."""

import os
import subprocess
import sys

import cv2

from age_gender.command_line import UserError

PICTURE_SIZE = 640  # longer side in pixels of a folder's pictures in the window
QUIT_KEYS = (27, ord("q"))  # Escape, q
NO_KEY = -1
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


class Window:
    """An OpenCV window, as a context manager that closes it."""

    def __init__(self, title):
        self.title = title

    def __enter__(self):
        os.environ.update(QT)
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
        cv2.imshow(self.title, image)
        while True:
            key = cv2.waitKey(30 if wait_for_key else 1)
            key = key if key == NO_KEY else key & 0xFF
            if key in QUIT_KEYS or not self._is_open():
                return None
            if key != NO_KEY or not wait_for_key:
                return key

    def _is_open(self):
        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # Qt no longer knows the window
            return False
