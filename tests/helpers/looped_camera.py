"""Starts a script with a camera 0 that is a video for ever.

    python3 looped_camera.py clip.avi run.py [options]

Where FRAME_TIMES names a file, the time of every picture that a window shows is written there;
where KEYS names one, the code of every key that a window has taken.
"""

import os
import runpy
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender import command_line  # noqa: E402, F401, I001  as in every command, before OpenCV
import cv2  # noqa: E402


class Camera:
    """cv2.VideoCapture, whose camera 0 gives the frames of ``clip`` at 30 a second."""

    real = cv2.VideoCapture
    clip = None

    def __init__(self, *source):
        self._camera = source == (0,)
        self._video = self.real(self.clip) if self._camera else self.real(*source)

    def read(self):
        whole, image = self._video.read()
        if self._camera:
            if not whole:
                self._video = self.real(self.clip)
                whole, image = self._video.read()
            time.sleep(1 / 30)
        return whole, image

    def __getattr__(self, name):
        return getattr(self._video, name)


def noting_times(show, path):
    """``show`` (cv2.imshow) that also writes a line with the time to ``path``."""

    def noted(title, image):
        with open(path, "a") as lines:
            lines.write(f"{time.monotonic()}\n")
        show(title, image)

    return noted


def noting_keys(wait, path):
    """``wait`` (cv2.waitKeyEx) that also writes a line with each key to ``path``."""

    def noted(delay):
        key = wait(delay)
        with open(path, "a") as lines:  # it is there once the window waits for keys
            lines.write("" if key == -1 else f"{key & 0xFF}\n")
        return key

    return noted


if __name__ == "__main__":
    _, Camera.clip, script = sys.argv[:3]
    cv2.VideoCapture = Camera
    if "FRAME_TIMES" in os.environ:
        cv2.imshow = noting_times(cv2.imshow, os.environ["FRAME_TIMES"])
    if "KEYS" in os.environ:
        cv2.waitKeyEx = noting_keys(cv2.waitKeyEx, os.environ["KEYS"])
    sys.argv = sys.argv[2:]
    runpy.run_path(script, run_name="__main__")
