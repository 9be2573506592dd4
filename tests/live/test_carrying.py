import cv2
import numpy as np
import pytest

from age_gender.faces import Face
from age_gender.live.carrying import LONGEST, Carrier
from age_gender.live.smoothing import face_at

PLACE = (221, 120, 108)  # of the astronaut's face


@pytest.fixture
def grey(astronaut):
    return cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)


def test_face_is_followed_for_two_seconds(grey):
    carrier = Carrier(grey, 0.0, PLACE)
    for step in range(1, 20):
        x, y, width = carrier.follow(np.roll(grey, 4 * step, 1), step / 20)
        assert (x, y) == (pytest.approx(221 + 4 * step, abs=8), pytest.approx(120, abs=8))
    assert carrier.follow(np.roll(grey, 76, 1), LONGEST + 0.01) is None


@pytest.mark.parametrize("leaves", ["at once", "downwards", "to the left"])
def test_nothing_is_followed_where_somebody_left(grey, leaves):
    rng = np.random.default_rng(0)
    small = rng.uniform(60, 170, (6, 8)).astype(np.float32)
    wall = cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    left, top, width, height = Face(*(face_at(PLACE).left - 30, 30, 168, 190)).inside(grey)
    head = grey[top : top + height, left : left + width]

    def frame(step):
        x = left - (60 * step if leaves == "to the left" else 0)
        y = top + (100 * step if leaves == "downwards" else 0)
        picture = wall.copy()
        if not (step and leaves == "at once"):
            shown = head[: max(grey.shape[0] - y, 0), max(-x, 0) :]
            picture[y : y + height, max(x, 0) : max(x + width, 0)] = shown
        return picture

    carrier = Carrier(frame(0), 0.0, PLACE)
    followed = 0
    while carrier.follow(frame(followed + 1), followed / 25) is not None:
        followed += 1
    assert followed <= {"at once": 1, "downwards": 5, "to the left": 5}[leaves]
