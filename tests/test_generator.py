from types import SimpleNamespace

import numpy as np
import pytest

from generator import Augmentation, FaceBatches, age_targets, augment

EVERYTHING = Augmentation(0.1, 10, 0.1, True, 0.1, 0.1, 0.5, 0.2, 0.2)


@pytest.fixture
def database():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
    return SimpleNamespace(images=images, genders=np.arange(50) % 2, ages=np.arange(50))


def test_evaluation_batches_are_all_rows_in_order_unchanged(database):
    batches = FaceBatches(database, np.arange(45), 10, augmentation=EVERYTHING)
    assert len(batches) == 5
    faces = np.concatenate([batches[i][0] for i in range(5)])
    np.testing.assert_array_equal(faces, database.images[:45])
    genders, ages = batches[4][1]
    assert genders.shape == (5, 2) and ages.shape == (5, 101)
    assert ages.argmax(1).tolist() == [40, 41, 42, 43, 44]
    assert genders.argmax(1).tolist() == [0, 1, 0, 1, 0]


def test_training_epoch_draws_each_row_once_in_an_order_of_its_own(database):
    batches = FaceBatches(database, np.arange(50), 8, training=True)
    assert len(batches) == 6  # the original's steps: pictures // batch size

    def drawn():
        return [age for i in range(6) for age in batches[i][1][1].argmax(1)]

    first = drawn()
    assert len(set(first)) == 48 and first != sorted(first)
    batches.epoch = 1
    assert drawn() != first
    batches.epoch = 0
    assert drawn() == first


def test_batch_depends_on_seed_epoch_and_number_alone(database):
    def batch(index, epoch=0, seed=0):
        batches = FaceBatches(
            database, np.arange(50), 8, training=True, augmentation=EVERYTHING, seed=seed
        )
        batches.epoch = epoch
        return batches[index][0]

    np.testing.assert_array_equal(batch(3), batch(3))
    assert all((batch(3) != other).any() for other in (batch(2), batch(3, 1), batch(3, 0, 1)))


def test_labels_of_augmented_batches_are_distributions(database):
    batches = FaceBatches(
        database, np.arange(50), 8, training=True, augmentation=EVERYTHING, smoothing=2
    )
    faces, (genders, ages) = batches[0]
    assert faces.shape == (8, 16, 16, 3) and faces.dtype == np.float32
    assert faces.min() >= 0 and faces.max() <= 255
    np.testing.assert_allclose(genders.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(ages.sum(1), 1, rtol=1e-5)


def test_nothing_to_change_changes_nothing(database):
    faces = database.images.astype(np.float32)
    out = augment(faces, np.random.default_rng(0), Augmentation())
    np.testing.assert_array_equal(out, faces)
    assert out is not faces


def test_shift_moves_by_at_most_its_part():
    face = np.zeros((200, 40, 40, 3), np.float32)
    face[:, 20, 20] = 255
    out = augment(face, np.random.default_rng(0), Augmentation(shift=0.1))
    at = [np.unravel_index(image[:, :, 0].argmax(), (40, 40)) for image in out]
    distance = abs(np.array(at) - 20).max(0)
    assert (distance <= 4).all() and (distance >= 3).all()


def test_flip_mirrors_half():
    face = np.zeros((400, 8, 8, 3), np.float32)
    face[:, :, 0] = 255
    out = augment(face, np.random.default_rng(0), Augmentation(flip=True))
    mirrored = out[:, 0, 7, 0] == 255
    assert 150 < mirrored.sum() < 250
    assert (out[~mirrored] == face[~mirrored]).all()


@pytest.mark.parametrize("name", ["rotate", "zoom", "brightness", "contrast", "erase"])
def test_each_change_changes(database, name):
    faces = database.images.astype(np.float32)
    out = augment(faces, np.random.default_rng(0), Augmentation(**{name: 0.5}))
    assert out.shape == faces.shape and (out != faces).any((1, 2, 3)).mean() > 0.3


def test_age_target_is_one_hot_or_a_gaussian():
    np.testing.assert_array_equal(age_targets([0, 100]), np.eye(101)[[0, 100]])
    smooth = age_targets([0, 50, 100], 2)
    np.testing.assert_allclose(smooth.sum(1), 1, rtol=1e-6)
    assert smooth.argmax(1).tolist() == [0, 50, 100]
    assert smooth[1, 52] / smooth[1, 50] == pytest.approx(np.exp(-0.5), rel=1e-5)
    years = np.arange(101)
    np.testing.assert_allclose(age_targets(years, 2) @ years, years, atol=0.1)
