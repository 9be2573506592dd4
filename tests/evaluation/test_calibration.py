import numpy as np
import pytest

from age_gender.evaluation import calibration
from helpers.estimates import sharp, wide


def test_gender_reliability_is_the_gap_between_sure_and_right():
    genders = np.array([1, 1, 1, 0, 2])
    rows, error = calibration.gender_reliability(genders, np.array([0.9, 0.9, 0.9, 0.9, 0.5]))
    assert rows == [(pytest.approx(0.9), 0.75, 4)]
    assert error == pytest.approx(15)


def test_age_reliability_counts_labels_inside_the_central_intervals():
    rng = np.random.default_rng(0)
    truth = np.clip(np.rint(rng.normal(50, 8, 4000)), 0, 100).astype(int)
    found = calibration.age_reliability(truth, wide([50] * 4000, [0] * 4000, 8))
    for level, share in found.items():
        assert share == pytest.approx(100 * level, abs=3)
    sure = calibration.age_reliability(truth, wide([50] * 4000, [0] * 4000, 2))
    assert sure[0.9] < 50


def test_conformal_intervals_keep_their_promise_on_new_pictures():
    rng = np.random.default_rng(0)

    def pictures(count):
        ages = rng.integers(20, 80, count)
        guesses = np.clip(ages + rng.normal(0, 6, count), 0, 100)
        return ages, wide(guesses, [0] * count, 3)  # the network is too sure of itself

    ages, estimates = pictures(2000)
    rule = calibration.conformal(ages, estimates, 0.9)
    new, others = pictures(2000)
    held, width = calibration.coverage(new, rule.ends(others))
    assert 88 < held < 94 and width == pytest.approx(2 * 1.645 * 6, rel=0.1)
    halves, _ = calibration.coverage(new, calibration.checked_intervals(new, others, 0.9))
    assert 88 < halves < 94


def test_each_band_keeps_the_promise_where_errors_depend_on_the_age():
    rng = np.random.default_rng(0)

    def pictures(count):
        ages = np.concatenate([rng.integers(10, 40, 9 * count), rng.integers(60, 80, count)])
        guesses = np.clip(ages + rng.normal(0, np.where(ages < 50, 2, 8)), 0, 100)
        return ages, wide(guesses, [0] * len(ages), 4)

    rule = calibration.conformal(*pictures(300), 0.9)
    ages, estimates = pictures(300)
    for of in (ages < 50, ages > 50):
        held, width = calibration.coverage(ages[of], rule.ends(estimates.of(of)))
        assert 87 < held < 97
    assert width > 22


def test_too_few_pictures_promise_nothing():
    few, ages = sharp([10, 20, 30], [0] * 3), np.array([10, 21, 33])
    assert calibration.conformal(ages, few, 0.9) is None
    low, high = calibration.checked_intervals(ages, few, 0.9)
    assert low.tolist() == [0] * 3 and high.tolist() == [100] * 3


def test_few_pictures_share_one_group():
    ages = np.arange(10, 70)
    rule = calibration.conformal(ages, wide(ages, [0] * 60, 4), 0.9)
    assert [age for age, _, _ in rule.groups] == [0]
