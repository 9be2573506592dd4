"""Cuts in a video: frames after which the places of faces say nothing."""

import cv2
import numpy as np

SIDES = (32, 18)  # of what is compared, pixels
SAME_SHOT = 0.5  # correlation of two frames below which a cut lies between them


class Shots:
    """Compares each frame with the one before, whatever the light is."""

    def __init__(self):
        self._last = None

    def cut_before(self, image):
        """Whether a frame (H, W, 3) uint8 BGR is the first of another shot."""
        small = cv2.resize(image, SIDES, interpolation=cv2.INTER_AREA).mean(2).ravel()
        small = small - small.mean()
        last, self._last = self._last, small
        if last is None:
            return False
        product = float(np.linalg.norm(small) * np.linalg.norm(last))
        flat = not small.any(), not last.any()
        return float(small @ last) < SAME_SHOT * product or flat[0] != flat[1]
