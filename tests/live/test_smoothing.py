import numpy as np
import pytest

from age_gender.faces import Face
from age_gender.live.smoothing import AHEAD, BREAK, OneEuro, SteadyBox, face_at, places

RATE = 25


def follow(way, noise=0.003, seed=0):
    """Boxes of a face whose (x, y, width) is a function of seconds, found with some noise."""
    rng, box, shown = np.random.default_rng(seed), SteadyBox(), []
    for number in range(4 * RATE):
        place = np.array(way(number / RATE), float)
        box.add(number / RATE, place + rng.normal(0, noise * place[2], 3))
        shown.append(box.face(1.0))
    return box, np.array([(face.left, face.top, face.width) for face in shown])


@pytest.mark.parametrize("width", [40, 100, 160, 400])
def test_box_of_a_still_face_moves_by_less_than_a_pixel_in_160(width):
    box, shown = follow(lambda seconds: (300.3, 200.6, width))
    assert np.ptp(shown[RATE:], axis=0).max() <= max(1, width / 160)
    assert np.abs(box.velocity).max() < 0.03 * width


@pytest.mark.parametrize("width", [60, 160, 300])
@pytest.mark.parametrize("speed", [100, 300, -300])
def test_box_is_less_than_10_pixels_behind_a_face_that_walks(width, speed):
    box, shown = follow(lambda seconds: (500 + speed * max(seconds - 1, 0), 200, width))
    true = 500 + speed * np.maximum(np.arange(4 * RATE) / RATE - 1, 0)
    behind = abs(true - shown[:, 0] - shown[:, 2] / 2)
    assert behind.max() < 12 and behind[int(1.5 * RATE) :].max() < 10
    assert box.velocity[0] == pytest.approx(speed, rel=0.3)


def test_box_follows_a_face_that_comes_nearer():
    _, shown = follow(lambda seconds: (300, 200, 80 * 1.5 ** min(seconds, 3)))
    assert shown[2 * RATE, 2] == pytest.approx(80 * 1.5**2, rel=0.05)
    assert shown[-1, 2] == pytest.approx(80 * 1.5**3, abs=3)


@pytest.mark.parametrize("step, place", [(0.04, (500, 200, 80)), (BREAK + 0.1, (330, 200, 80))])
def test_box_is_at_once_where_a_face_appears_anew(step, place):
    box = SteadyBox()
    for number in range(10):
        box.add(number / RATE, (300, 200, 80))
    box.add(9 / RATE + step, place)
    assert box.face(None) == face_at(place)


def test_movement_goes_on_for_a_moment():
    box = SteadyBox()
    for number in range(50):
        box.add(number / RATE, (100 + 8 * number, 200, 100))
    x, y, width = box.ahead(49 / RATE + 0.1)
    assert x == pytest.approx(box.ahead(49 / RATE)[0] + 0.1 * box.velocity[0])
    assert (y, width) == (pytest.approx(200), pytest.approx(100))
    assert box.ahead(60)[0] == pytest.approx(box.ahead(49 / RATE)[0] + AHEAD * box.velocity[0])


def test_frames_of_one_time_do_no_harm():
    box = SteadyBox()
    for _ in range(3):
        box.add(1.0, (300, 200, 80))
    assert box.face(0.5) == Face(260, 160, 80, 80, 0.5)


def test_filter_holds_a_constant_and_reaches_a_step():
    signal = OneEuro()
    assert [signal.add(0.04, (5.0,))[0] for _ in range(3)] == [5, 5, 5]
    for _ in range(50):
        signal.add(0.04, (6.0,))
    assert signal.value[0] == pytest.approx(6, abs=0.1)


def test_landmarks_hardly_depend_on_the_box(astronaut):
    boxes = [Face(174, 74, 108, 108), Face(180, 66, 108, 108), Face(165, 64, 130, 130)]
    found = np.array(places(astronaut, boxes))
    assert np.ptp(found, axis=0).max() < 4
    assert found[0] == pytest.approx((221, 120, 108), abs=16)
    assert places(astronaut, []) == []
