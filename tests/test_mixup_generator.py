import itertools

import numpy as np
import pytest

from age_gender.training.augmentation import Augmentation
from mixup_generator import MixupGenerator

PICTURES = np.random.default_rng(0).uniform(0, 255, (20, 8, 8, 3)).astype(np.float32)
GENDERS = np.eye(2, dtype=np.float32)[np.arange(20) % 2]
AGES = np.eye(101, dtype=np.float32)[np.arange(20)]


def test_called_it_yields_mixed_batches_for_ever():
    generator = MixupGenerator(PICTURES, [GENDERS, AGES], 8)
    batches = list(itertools.islice(generator(), 5))
    assert [faces.shape for faces, _ in batches] == [(8, 8, 8, 3)] * 5
    for _, (genders, ages) in batches:
        np.testing.assert_allclose(genders.sum(1), 1, rtol=1e-5)
        np.testing.assert_allclose(ages.sum(1), 1, rtol=1e-5)
    assert any((ages > 0).sum(1).max() == 2 for _, (_, ages) in batches)
    assert generator.epoch == 2  # two batches in each pass over the pictures
    again = next(MixupGenerator(PICTURES, [GENDERS, AGES], 8)())
    np.testing.assert_array_equal(again[0], batches[0][0])


def test_one_array_of_targets_comes_back_as_one():
    _, targets = MixupGenerator(PICTURES, AGES, 4)[0]
    assert targets.shape == (4, 101)


def test_without_shuffle_pictures_are_blended_with_the_ones_before_them():
    _, ages = MixupGenerator(PICTURES, AGES, 10, shuffle=False)[0]
    rows, columns = np.nonzero(ages)
    assert {int((row - column) % 20) for row, column in zip(rows, columns)} <= {0, 1}


class Darken:
    """What Keras's ImageDataGenerator looks like from outside."""

    def random_transform(self, picture):
        return picture / 2

    def standardize(self, picture):
        return picture - 1


@pytest.mark.parametrize(
    "datagen, least, most", [(Darken(), -1, 126.5), (Augmentation(brightness=1), 0, 255)]
)
def test_pictures_are_changed_by_the_datagen(datagen, least, most):
    faces, _ = MixupGenerator(PICTURES, AGES, 16, datagen=datagen)[0]
    plain, _ = MixupGenerator(PICTURES, AGES, 16)[0]
    assert (faces != plain).any((1, 2, 3)).all()
    assert faces.min() >= least and faces.max() <= most
