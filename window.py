"""A window that shows pictures and says when the user has had enough."""

import os
import subprocess
import sys

from command_line import UserError

VIEW = 640  # longer side, in pixels, of a folder's pictures in the window
ENDING_KEYS = (27, ord("q"))  # Escape, q
NO_DISPLAY = (
    "no display to open a window on: use --image_dir DIR --output_dir OUT, which needs none"
)


def require_display():
    """Raise `UserError` where no window can be opened.

    Qt ends the whole process where it finds no display, so a child process tries first.
    """
    if not os.environ.get("DISPLAY"):
        raise UserError(NO_DISPLAY)
    trial = "import cv2; cv2.namedWindow('trial'); cv2.waitKey(1)"
    if subprocess.run([sys.executable, "-c", trial], capture_output=True).returncode:
        raise UserError(NO_DISPLAY)


def view(image):
    """A picture at `VIEW` pixels on its longer side, and the factor that made it so."""
    import cv2

    factor = VIEW / max(image.shape[:2])
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), factor


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

    def show(self, image, wait_for_key):
        """Show a picture, until a key is pressed if ``wait_for_key``.

        Returns:
            False where the user ended it, with Escape, q or by closing the window.
        """
        import cv2

        cv2.imshow(self.title, image)
        while True:
            key = cv2.waitKey(30)
            if key & 0xFF in ENDING_KEYS and key != -1:
                return False
            if not self._is_open():
                return False
            if key != -1 or not wait_for_key:
                return True

    def _is_open(self):
        import cv2

        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # Qt has forgotten the window
            return False
