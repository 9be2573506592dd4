import numpy as np
import pytest

from age_gender import genders, weights
from age_gender.genders import FEMALE, LETTERS, MALE, NAMES, UNKNOWN, predicted


def test_letters_and_names_are_in_the_order_of_the_codes():
    assert [LETTERS[code] for code in (FEMALE, MALE, UNKNOWN)] == ["F", "M", "?"]
    assert [NAMES[code] for code in (FEMALE, MALE, UNKNOWN)] == ["female", "male", "unknown"]
    assert genders.ORDER.split(",").index("male") == MALE
    assert genders.SWAPPED_ORDER.split(",").index("male") == FEMALE
    assert weights.Description().gender_order == genders.ORDER


@pytest.mark.parametrize("male, gender", [(0.0, FEMALE), (0.4999, FEMALE), (0.5, MALE), (1, MALE)])
def test_gender_is_male_from_one_half_up(male, gender):
    assert predicted(male) == gender
    assert LETTERS[predicted(np.float32(male))] == LETTERS[gender]
    np.testing.assert_array_equal(predicted(np.array([male] * 2)), [gender] * 2)
