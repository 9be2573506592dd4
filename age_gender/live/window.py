"""A window that shows pictures and says when the user has had enough."""

import os
import subprocess
import sys

from age_gender.command_line import UserError

VIEW = 640  # longer side, in pixels, of a folder's pictures in the window
ENDING_KEYS = (27, ord("q"))  # Escape, q
NO_KEY = -1


def require_display(otherwise):
    """Raise `UserError` where no window can be opened, which ends with what to do ``otherwise``.

    Qt ends the whole process where it finds no display, so a child process tries first.
    """
    if not os.environ.get("DISPLAY"):
        raise UserError(f"no display to open a window on: {otherwise}")
    trial = "import cv2; cv2.namedWindow('trial'); cv2.waitKey(1)"
    if subprocess.run([sys.executable, "-c", trial], capture_output=True).returncode:
        raise UserError(f"no display to open a window on: {otherwise}")


class Window:
    """An OpenCV window, as a context manager that closes it."""

    def __init__(self, title):
        self.title = title

    def __enter__(self):
        import cv2

        cv2.namedWindow(self.title, cv2.WINDOW_AUTOSIZE)
        return self

    def __exit__(self, *_):
        import cv2

        cv2.destroyAllWindows()

    def show(self, image, wait_for_key=False):
        """Show a picture, until a key is pressed if ``wait_for_key``.

        Returns:
            The key's character code, `NO_KEY` where there was none; None where the user ended it,
            with Escape, q or by closing the window.
        """
        import cv2

        cv2.imshow(self.title, image)
        while True:
            key = cv2.waitKey(30 if wait_for_key else 1)
            key = key if key == NO_KEY else key & 0xFF
            if key in ENDING_KEYS or not self._is_open():
                return None
            if key != NO_KEY or not wait_for_key:
                return key

    def _is_open(self):
        import cv2

        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # Qt has forgotten the window
            return False
