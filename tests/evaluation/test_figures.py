import numpy as np
import pytest

from age_gender.evaluation import figures
from helpers.estimates import sharp

AGES = np.array([10, 20, 30, 85])
GENDERS = np.array([0, 1, 1, 2])


def test_figures_are_those_computed_by_hand():
    found = figures.compute(AGES, GENDERS, sharp([12, 19, 40, 80], [0.2, 0.3, 0.9, 0.9]))
    values = {name: figure.value for name, figure in found.named().items()}
    assert values == {
        "age MAE": 18 / 4,
        "median error": 3.5,
        "within 5 years": 75,
        "bias": (2 - 1 + 10 - 5) / 4,
        "gender accuracy": pytest.approx(200 / 3),
    }
    assert all(figure.low <= figure.value <= figure.high for figure in vars(found).values())
    assert str(found.age_mae).startswith("4.50 (1")


def test_interval_is_that_of_the_mean():
    rng = np.random.default_rng(1)
    ages = np.full(2000, 50)
    found = figures.compute(ages, ages * 0, sharp(50 + rng.integers(-9, 10, 2000), ages * 0))
    half = 1.96 * abs(rng.integers(-9, 10, 100000)).std() / np.sqrt(2000)
    assert found.age_mae.high - found.age_mae.low == pytest.approx(2 * half, rel=0.1)


def test_unknown_genders_have_no_accuracy():
    found = figures.compute(AGES, np.full(4, 2), sharp(AGES, [1] * 4))
    assert found.gender_accuracy is None and "gender accuracy" not in found.named()


def test_bands_are_named_so_that_they_stay_text():
    assert figures.band_of([0, 9, 10, 79, 80, 100]).tolist() == [
        "0 to 9",
        "0 to 9",
        "10 to 19",
        "70 to 79",
        "80 to 100",
        "80 to 100",
    ]


def test_groups_come_with_the_worst_first():
    estimates = sharp([11, 20, 25, 80], [0] * 4)
    found = figures.by_group(AGES, GENDERS, estimates, ["a", "b", "a", ""])
    assert [(group.name, group.pictures) for group in found] == [("a", 2), ("b", 1)]
    assert found[0].figures.age_mae.value == 3


def test_difference_is_paired():
    first, second = sharp([12, 22, 32, 87], [0] * 4), sharp([11, 21, 31, 86], [0] * 4)
    change = figures.difference(AGES, first, second)
    assert (change.value, change.low, change.high) == (-1, -1, -1)
