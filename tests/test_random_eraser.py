import numpy as np
import pytest

from random_eraser import erase, get_random_eraser


def test_erased_part_is_one_rectangle_of_one_value():
    rng = np.random.default_rng(0)
    for _ in range(50):
        image = erase(np.full((1, 64, 48, 3), -1.0), rng, p=1)[0]
        erased = image != -1
        rows, columns = np.flatnonzero(erased.any((1, 2))), np.flatnonzero(erased.any((0, 2)))
        inside = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert len(np.unique(inside)) == 1 and erased.sum() == inside.size
        assert 0 <= inside[0, 0, 0] <= 255
        area = len(rows) * len(columns) / (64 * 48)
        assert 0.01 < area <= 0.4
        assert 0.25 < len(rows) / len(columns) < 4


def test_probability_is_kept():
    eraser = get_random_eraser(p=0.3, seed=1)
    hits = sum((eraser(np.full((16, 16, 3), -1.0)) != -1).any() for _ in range(1000))
    assert 250 < hits < 350


@pytest.mark.parametrize("p, changed", [(0, False), (1, True)])
def test_never_and_always(p, changed):
    images = np.full((20, 16, 16, 3), -1.0)
    erase(images, np.random.default_rng(0), p=p)
    assert (images != -1).any((1, 2, 3)).tolist() == [changed] * 20
