import numpy as np
import pytest

from age_gender.training.schedule import LearningRate


def rates(epochs, epoch_steps, *more):
    rate = LearningRate(0.1, epochs, epoch_steps, *more)
    return [float(rate(step)) for step in range(epochs * epoch_steps)]


def test_step_schedule_is_the_originals():
    factors = [0 if e < 7.5 else 1 if e < 15 else 2 if e < 22.5 else 3 for e in range(30)]
    np.testing.assert_allclose(
        rates(30, 10)[::10], [0.1 * 0.2**factor for factor in factors], rtol=1e-5
    )
    assert rates(30, 10)[79] == rates(30, 10)[0] > rates(30, 10)[80]


def test_cosine_schedule_warms_up_and_ends_at_zero():
    found = rates(10, 10, "cosine", 1)
    assert found[0] == pytest.approx(0.01) and found[10] == pytest.approx(0.1)
    assert max(found) == pytest.approx(0.1) and 0 < found[-1] < 0.0001
    assert found[10:] == sorted(found[10:], reverse=True)
