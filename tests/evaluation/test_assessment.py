import numpy as np
import pytest

from age_gender.evaluation.assessment import alarms, assess
from helpers.estimates import sharp, wide

GENDERS = np.array([0, 1, 1, 2])


@pytest.mark.parametrize(
    "ages, males, expected",
    [
        ([30, 30, 30, 30], [0, 1, 1, 0], ["every face gets the same age, about 30"]),
        ([10, 20, 30, 80], [1, 1, 1, 1], ["every face gets the same gender"]),
        ([10, 20, 30, 80], [1, 0, 0, 0], ["most genders are wrong"]),
        ([10, 20, 30, 80], [0, 1, 1, 0], []),
    ],
)
def test_estimates_that_cannot_be_right_raise_an_alarm(ages, males, expected):
    found = alarms(GENDERS, sharp(ages, males))
    assert [line.split(":")[0] for line in found] == expected


def test_assessment_has_every_part():
    ages = np.arange(5, 95)
    genders = np.arange(90) % 3
    races = ["x"] * 45 + [""] * 45
    found = assess("w.hdf5", ages, genders, races, wide(ages + 2, genders == 1, 4), 0.8)
    assert sum(group.pictures for group in found.bands) == 90
    assert sum(group.pictures for group in found.bands_by_gender) == 60
    assert [(group.name, group.pictures) for group in found.races] == [("x", 45)]
    assert set(found.intervals.by_band) == {group.name for group in found.bands}
    assert found.intervals.coverage > 60 and not found.alarms
