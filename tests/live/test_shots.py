import numpy as np
import pytest

from age_gender.live.shots import Shots


def wall(seed, shape=(90, 160)):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (9, 16, 3), np.uint8)
    return np.kron(blocks, np.ones((shape[0] // 9, shape[1] // 16, 1), np.uint8))


@pytest.mark.parametrize(
    "first, second, cut",
    [
        (wall(1), wall(1), False),
        (wall(1), wall(1) // 3, False),  # the light goes out
        (wall(1), np.roll(wall(1), 6, 1), False),  # the camera turns
        (wall(1), wall(2), True),
        (wall(1), 255 - wall(1), True),
        (wall(1), np.zeros_like(wall(1)), True),
        (np.zeros_like(wall(1)), wall(1), True),
        (np.zeros_like(wall(1)), np.full_like(wall(1), 9), False),
        (wall(1), wall(2, (180, 320)), True),
    ],
)
def test_cut_is_where_nothing_stays(first, second, cut):
    shots = Shots()
    assert shots.cut_before(first) is False
    assert shots.cut_before(second) is cut
    assert shots.cut_before(second) is False
