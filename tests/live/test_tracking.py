import cv2
import numpy as np
import pytest

from age_gender.estimates import Estimates
from age_gender.faces import Face
from age_gender.live.tracking import MEMORY, Mean, Tracker, appearance


def person(seed):
    """A face that looks like itself, (64, 64, 3): smooth noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)


def estimates(*ages):
    probabilities = np.zeros((len(ages), 101), np.float32)
    probabilities[range(len(ages)), ages] = 1
    return Estimates(np.array(ages, float), np.full(len(ages), 0.9), probabilities)


def see(tracker, time, *people):
    """Take people as (seed, left, age[, score]); return their identities."""
    found = [Face(left, 100, 80, 80, *(score or [1.0])) for _, left, _, *score in people]
    cuts = [person(seed) for seed, *_ in people]
    ages = estimates(*(age for _, _, age, *_ in people))
    return [each.identity for each in tracker.update(time, found, cuts, ages)]


def test_identities_stay_while_faces_move_and_cross():
    tracker = Tracker()
    for step in range(40):
        left, right = 100 + 10 * step, 500 - 10 * step
        people = [(1, left, 30), (2, right, 60)]
        identities = see(tracker, step / 20, *sorted(people, key=lambda each: each[1]))
        assert identities == ([1, 2] if left <= right else [2, 1])


@pytest.mark.parametrize("gap, identity", [(0.9, 1), (1.1, 2)])
def test_face_that_is_lost_for_less_than_a_second_keeps_its_identity(gap, identity):
    tracker = Tracker()
    assert see(tracker, 0.0, (1, 100, 30)) == [1]
    assert see(tracker, gap / 2) == []
    assert see(tracker, gap, (1, 120, 30)) == [identity]


def test_face_far_away_or_of_another_size_is_another():
    tracker = Tracker()
    see(tracker, 0.0, (1, 100, 30))
    assert see(tracker, 0.1, (1, 190, 30)) == [2]
    found = [Face(190, 100, 140, 140, 1.0)]
    (again,) = tracker.update(0.2, found, [person(1)], estimates(30))
    assert again.identity == 3


def test_new_person_in_the_same_place_is_tracked_within_a_second():
    tracker = Tracker()
    for step in range(60):
        see(tracker, step / 20, (1, 100, 70))
    for step in range(60, 70):
        (identity,) = see(tracker, step / 20, (2, 100, 20))
    assert identity == 2
    (now,) = tracker.tracked
    assert now.mean.age_probabilities[20] > 0.99


def test_one_strange_appearance_changes_nothing():
    tracker = Tracker()
    for step in range(40):
        seed = 2 if step % 10 == 5 else 1
        assert see(tracker, step / 20, (seed, 100, 90 if seed == 2 else 30)) == [1]
    assert tracker.tracked[0].mean.age_probabilities[90] == 0


def test_average_is_weighted_by_score_and_age():
    mean = Mean(0.0)
    mean.add(0.0, 1.0, 0.0, np.eye(101)[20])
    mean.add(0.0, 3.0, 1.0, np.eye(101)[40])
    assert mean.males == pytest.approx(0.75)
    assert mean.age_probabilities @ np.arange(101) == pytest.approx(35)
    mean.add(MEMORY, 4 / np.e, 0.0, np.eye(101)[75])
    assert mean.age_probabilities @ np.arange(101) == pytest.approx(55)
    assert mean.males == pytest.approx(0.375)


def test_shown_age_deviates_less_than_that_of_single_frames():
    rng = np.random.default_rng(0)
    tracker, shown = Tracker(), []
    ages = rng.integers(30, 50, 100)
    for step, age in enumerate(ages):
        see(tracker, step / 20, (1, 100, age))
        shown.append(tracker.tracked[0].mean.age_probabilities @ np.arange(101))
    assert np.std(shown[20:]) < np.std(ages[20:]) / 5


def test_appearance_tells_people_apart_in_noise_and_blur():
    rng = np.random.default_rng(0)
    for seed in range(5):
        cut = person(seed)
        spoilt = cv2.GaussianBlur(cut, (0, 0), 2) + rng.normal(0, 15, cut.shape)
        spoilt = np.clip(spoilt, 0, 255).astype(np.uint8)
        assert appearance(cut) @ appearance(spoilt) > 0.9
        assert appearance(cut) @ appearance(person(seed + 9)) < 0.6
    assert not appearance(np.full((64, 64, 3), 9, np.uint8)).any()
