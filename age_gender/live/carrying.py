"""Carries a face on through the frames in which the detector does not see it.

A face in profile, or behind a hand, is followed by dlib's correlation tracker (Danelljan et al.,
"Accurate Scale Estimation for Robust Visual Tracking", BMVC 2014) from the frame before. It ends
when what it follows no longer looks like that face.
"""

import dlib

from age_gender.live.smoothing import face_at

LEAST_PEAK = 8.0  # peak-to-sidelobe ratio below which it has lost the face
LONGEST = 2.0  # seconds
SHRUNK = 0.7  # of the width at the start, at least; its inverse at most


class Carrier:
    """Follows one face without the detector.

    Args:
        grey: (H, W) uint8, the last frame in which it was detected.
        time: of that frame, seconds.
        place: (x, y, width) of the face there, pixels.
    """

    def __init__(self, grey, time, place):
        self._tracker = dlib.correlation_tracker()
        self._tracker.start_track(grey, face_at(place).rectangle())
        self._since, self._width = time, place[2]

    def follow(self, grey, time):
        """Its (x, y, width) in the next frame, or None if it is lost; ask no more then."""
        if time - self._since > LONGEST:
            return None
        peak = self._tracker.update(grey)
        box = self._tracker.get_position()
        x, y = (box.left() + box.right()) / 2, (box.top() + box.bottom()) / 2
        height, width = grey.shape
        inside = 0 <= x < width and 0 <= y < height
        if peak < LEAST_PEAK or not inside or not SHRUNK < box.width() / self._width < 1 / SHRUNK:
            return None
        return x, y, box.width()
