from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from age_gender.training.augmentation import Augmentation
from generator import FaceBatches, FaceGenerator
from helpers.pictures import write_appa_real, write_chips

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


@pytest.mark.parametrize("balance, share", [(0.5, 1 / 4), (1, 1 / 2)])
def test_rare_ages_are_drawn_more_often(database, balance, share):
    database.ages = np.where(np.arange(50) < 5, 70, 25)  # a tenth is old
    batches = FaceBatches(database, np.arange(50), 50, training=True, balance=balance)
    old = []
    for batches.epoch in range(40):
        old.append((batches[0][1][1].argmax(1) == 70).mean())
    assert np.mean(old) == pytest.approx(share, abs=0.04)


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


def test_folders_give_batches_without_a_database(tmp_path):
    chips = write_chips(tmp_path / "UTKFace", 6)
    (chips / "nameless.jpg").write_bytes(b"")
    release = write_appa_real(tmp_path / "appa-real-release", 4)
    generator = FaceGenerator(release, chips, 5, 32, ignored={"000001.jpg"}, training=False)
    assert len(generator) == 2
    faces, (genders, ages) = generator[0]
    assert faces.shape == (5, 32, 32, 3) and faces.dtype == np.float32
    assert genders.sum(1).tolist() == [0, 0, 0, 1, 1]  # APPA-REAL knows none
    first = cv2.imread(str(release / "train" / "000000.jpg_face.jpg"))
    np.testing.assert_array_equal(faces[0], cv2.resize(first, (32, 32)))
    assert ages.argmax(1).tolist()[:3] == [20, 22, 23]
    drawn = FaceGenerator(utk_dir=chips, batch_size=3, image_size=16)[1]
    assert drawn[0].shape == (3, 16, 16, 3)


def test_no_folder_is_refused():
    with pytest.raises(ValueError, match="appa_dir or utk_dir must be given"):
        FaceGenerator()
