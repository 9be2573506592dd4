import cv2
import numpy as np
import pytest

from age_gender.live.tracked_face import MEMORY, Mean, appearance
from helpers.pictures import person


def test_average_is_weighted_by_score_and_age():
    mean = Mean(0.0)
    mean.add(0.0, 1.0, 0.0, np.eye(101)[20])
    mean.add(0.0, 3.0, 1.0, np.eye(101)[40])
    assert mean.males == pytest.approx(0.75)
    assert mean.age_probabilities @ np.arange(101) == pytest.approx(35)
    mean.add(MEMORY, 4 / np.e, 0.0, np.eye(101)[75])
    assert mean.age_probabilities @ np.arange(101) == pytest.approx(55)
    assert mean.males == pytest.approx(0.375)


def test_appearance_tells_people_apart_in_noise_and_blur():
    rng = np.random.default_rng(0)
    for seed in range(5):
        cut = person(seed)
        spoilt = cv2.GaussianBlur(cut, (0, 0), 2) + rng.normal(0, 15, cut.shape)
        spoilt = np.clip(spoilt, 0, 255).astype(np.uint8)
        assert appearance(cut) @ appearance(spoilt) > 0.9
        assert appearance(cut) @ appearance(person(seed + 9)) < 0.6
    assert not appearance(np.full((64, 64, 3), 9, np.uint8)).any()
