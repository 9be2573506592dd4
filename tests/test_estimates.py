import numpy as np
import pytest

from age_gender.estimates import Estimate, Estimates, Quantiles, Spread
from helpers.estimates import sharp, wide


@pytest.mark.parametrize("male, gender, probability", [(0.2, "F", 0.8), (0.5, "M", 0.5)])
def test_probability_is_that_of_the_gender(male, gender, probability):
    estimate = Estimate(30.0, male)
    assert (estimate.gender, estimate.probability) == (gender, probability)


def test_shift_moves_age_and_interval_and_stops_at_0():
    assert Estimate(30.0, 0.9).shifted(-5) == Estimate(25.0, 0.9)
    assert Estimate(9.0, 0.9, 4.0, 14.0).shifted(-5).interval == (0.0, 9.0)
    assert Estimate(3.0, 0.9).shifted(-5).age == 0
    assert Estimate(30.0, 0.9).interval is None


def test_arrays_become_one_estimate_for_each_face():
    probabilities = np.zeros((2, 101), np.float32)
    probabilities[0, [20, 30]] = 0.5
    probabilities[1, 50] = 1
    estimates = Estimates.from_probabilities(np.array([0.25, 1.0], np.float32), probabilities)
    assert estimates.each() == [Estimate(25.0, 0.25), Estimate(50.0, 1.0)]
    assert estimates.spread().tolist() == [5, 1]  # at least 1
    assert [each.interval for each in estimates.each(Spread(2))] == [(15.0, 35.0), (48.0, 52.0)]
    assert estimates.of(1 - np.arange(2)).ages.tolist() == [50, 25]


def test_interval_stays_within_0_to_100_years():
    probabilities = np.eye(101, dtype=np.float32)[[0, 100]]
    estimates = Estimates.from_probabilities(np.zeros(2, np.float32), probabilities)
    assert [each.interval for each in estimates.each(Spread(3))] == [(0.0, 3.0), (97.0, 100.0)]


def test_interval_between_quantiles_depends_on_the_estimated_age():
    rule = Quantiles(((0, 0.05, 0.95), (40, 0.05, 0.995)))
    low, high = rule.ends(wide([30, 50, 0.2], [0] * 3, 5))
    assert low.tolist() == [22, 42, 0] and high.tolist() == [38, 62, 9]


def test_age_is_inside_its_interval():
    probabilities = np.zeros((1, 101))
    probabilities[0, [10, 90]] = 0.9, 0.1  # the mean is 18
    estimates = Estimates.from_probabilities(np.zeros(1), probabilities)
    assert [each.interval for each in estimates.each(Quantiles(((0, 0.4, 0.8),)))] == [(10, 18)]
    assert [each.interval for each in sharp([7], [0]).each(Quantiles(((0, 0.6, 0.8),)))] == [(7, 7)]


def test_quantiles_are_a_text_and_back():
    rule = Quantiles(((0, 0.05, 0.9), (30, 0.0314, 1.0)))
    assert str(rule) == "0 0.0500 0.9000, 30 0.0314 1.0000"
    assert Quantiles.of(str(rule)) == rule


@pytest.mark.parametrize("text", ["5 0.1 0.9", "0 0.1 0.9, 0 0.1 0.9", "0 0.9 0.1", "0 0.1 1.1"])
def test_quantiles_that_do_not_rise(text):
    with pytest.raises(ValueError, match="do not rise"):
        Quantiles.of(text)
