import csv
import types

import cv2
import numpy as np
import pytest

from age_gender import weights
from age_gender.command_line import UserError
from age_gender.data.database import split
from age_gender.estimates import Estimates
from age_gender.evaluation import suspects

AGES = np.array([20, 20, 60, 60])
GENDERS = np.array([0, 1, 0, 2])


def sure(ages, males):
    return Estimates(np.array(ages, float), np.array(males, float), np.eye(101)[ages])


def test_doubt_grows_with_the_distance_of_age_and_gender():
    doubts = suspects.doubt(AGES, GENDERS, sure([20, 20, 63, 90], [0.1, 0.1, 0.5, 0.9]))
    assert doubts[0] == pytest.approx(0, abs=1e-6)
    assert doubts[1] == pytest.approx(np.log(9))  # the right age, the gender at 1 to 9
    assert doubts[2] == pytest.approx(0.5 * (3 / 2) ** 2, rel=1e-3)
    assert doubts[3] > 20  # its gender is unknown and says nothing


def digests(count):
    return [bytes([number] * 32) for number in range(count)]


class Database(types.SimpleNamespace):
    def __len__(self):
        return len(self.ages)

    def split(self, validation, test, seed, fold):
        return split(digests(len(self)), np.arange(len(self)), validation, test, seed, fold)

    def sources(self):
        return [f"{number}.jpg" for number in range(len(self))]


@pytest.fixture
def database():
    count = 40
    images = np.full((count, 16, 16, 3), 90, np.uint8)
    labels = {"ages": np.full(count, 30), "genders": np.zeros(count, int)}
    return Database(images=images, groups=np.arange(count), **labels)


def folds(count, seeds=(0, 0, 0)):
    return [
        weights.Description(
            fold=f"{k + 1}/{count}", split_seed=seeds[k], validation_split=0.1, test_split=0
        )
        for k in range(len(seeds))
    ]


def test_each_picture_is_judged_by_the_weights_that_did_not_see_it(database):
    def estimate(number, rows):
        return sure([number + 1] * len(rows), [0.1 * number] * len(rows))

    suspects.check_folds(folds(3))
    found = suspects.cross_fitted(folds(3), database, estimate)
    for number, said in enumerate(folds(3)):
        training, held, tested = said.split_of(database)
        assert not set(training) & set(held) and not len(tested)
        assert set(found.ages[held]) == {number + 1}
    assert found.ages.min() == 1 and found.ages.max() == 3


@pytest.mark.parametrize(
    "said", [folds(4), folds(3, (0, 0, 1)), [weights.Description()], folds(2)[:1]]
)
def test_weights_of_other_folds_are_one_line(said):
    with pytest.raises(
        UserError, match="must be those of all folds of one split, as 1/2 and 2/2. Received: "
    ):
        suspects.check_folds(said)


def test_most_doubtful_are_listed_first_with_their_faces(database, tmp_path):
    ages = np.full(40, 30)
    ages[[7, 9]] = 70, 50
    rows = suspects.write_tables(tmp_path, database, sure(ages, np.zeros(40)), 3)
    assert rows[:2].tolist() == [7, 9]
    with open(tmp_path / "suspects.csv", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["file"] for row in listed][:2] == ["7.jpg", "9.jpg"]
    assert listed[0]["age"] == "30" and listed[0]["estimated age"] == "70.0"
    assert float(listed[0]["doubt"]) > float(listed[2]["doubt"]) == 0
    assert cv2.imread(str(tmp_path / "suspects.png")).shape[1] == 8 * 128
