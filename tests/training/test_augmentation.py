import numpy as np
import pytest

from age_gender.training.augmentation import (
    Augmentation,
    age_targets,
    augment,
    blend,
    draw,
    fraction,
    gender_targets,
)

EVERYTHING = Augmentation(0.1, 10, 0.1, True, 0.1, 0.1, 0.5, 0.2)


def changed(images, seed, settings, count=None, part=slice(None)):
    """Pictures that are ``part`` of a batch of ``count``, changed by what is drawn from a seed."""
    rng = np.random.default_rng(seed)
    return augment(images, draw(settings, images.shape[1], rng, count or len(images), part))


@pytest.fixture
def faces():
    return np.random.default_rng(0).uniform(0, 255, (50, 16, 16, 3)).astype(np.float32)


def test_nothing_to_change_changes_nothing(faces):
    out = changed(faces, 0, Augmentation())
    np.testing.assert_array_equal(out, faces)
    assert out is not faces


def test_shift_moves_by_at_most_its_part():
    face = np.zeros((200, 40, 40, 3), np.float32)
    face[:, 20, 20] = 255
    out = changed(face, 0, Augmentation(shift=0.1))
    at = [np.unravel_index(image[:, :, 0].argmax(), (40, 40)) for image in out]
    distance = abs(np.array(at) - 20).max(0)
    assert (distance <= 4).all() and (distance >= 3).all()


def test_flip_mirrors_half():
    face = np.zeros((400, 8, 8, 3), np.float32)
    face[:, :, 0] = 255
    out = changed(face, 0, Augmentation(flip=True))
    mirrored = out[:, 0, 7, 0] == 255
    assert 150 < mirrored.sum() < 250
    assert (out[~mirrored] == face[~mirrored]).all()


@pytest.mark.parametrize("name", ["rotate", "zoom", "brightness", "contrast", "erase"])
def test_each_change_changes(faces, name):
    out = changed(faces, 0, Augmentation(**{name: 0.5}))
    assert out.shape == faces.shape and (out != faces).any((1, 2, 3)).mean() > 0.3


def test_age_target_is_one_hot_or_a_gaussian():
    np.testing.assert_array_equal(age_targets([0, 100]), np.eye(101)[[0, 100]])
    smooth = age_targets([0, 50, 100], 2)
    np.testing.assert_allclose(smooth.sum(1), 1, rtol=1e-6)
    assert smooth.argmax(1).tolist() == [0, 50, 100]
    assert smooth[1, 52] / smooth[1, 50] == pytest.approx(np.exp(-0.5), rel=1e-5)
    years = np.arange(101)
    np.testing.assert_allclose(age_targets(years, 2) @ years, years, atol=0.1)


@pytest.mark.parametrize("settings", [EVERYTHING, Augmentation(0.1, flip=True, erase=0.5)])
def test_part_of_a_batch_is_changed_as_in_the_whole(faces, settings):
    whole = changed(faces, 3, settings)
    some = slice(20, 35)
    np.testing.assert_array_equal(changed(faces[some], 3, settings, 50, some), whole[some])
    weights = [
        draw(Augmentation(mixup=1), 16, np.random.default_rng(3), 50, part)["weight"]
        for part in (slice(None), some)
    ]
    np.testing.assert_array_equal(weights[0][some], weights[1])


@pytest.mark.parametrize("more", [{}, {"rotate": 1e-9}])
def test_border_is_repeated_where_a_picture_is_shifted(more):
    ramp = np.broadcast_to(
        np.arange(20, dtype=np.float32)[:, None], (30, 20, 20, 3)
    )  # brighter to the right
    out = changed(ramp, 1, Augmentation(shift=0.3, **more))
    for image in out[..., 0]:
        row = image[0]
        assert (image == row).all() and (np.diff(row) >= -1e-4).all()
        assert row.min() >= 0 and row.max() <= 19
        assert row[0] == pytest.approx(0) or row[-1] == pytest.approx(19)


def test_pictures_too_many_for_one_call_are_moved_alike(faces, monkeypatch):
    settings = Augmentation(rotate=20)
    expected = changed(faces, 0, settings)
    monkeypatch.setattr("age_gender.training.augmentation.TALLEST", 3 * 16 + 5)
    np.testing.assert_array_equal(changed(faces, 0, settings), expected)


def test_unknown_gender_has_no_target():
    assert gender_targets([0, 1, 2]).tolist() == [[1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize("size", [16, 1023, 1024, 4096])
def test_places_of_pixels_fit_into_32_bits(size):
    settings = Augmentation(shift=0.5, rotate=180, zoom=0.9, flip=True)
    moves = draw(settings, size, np.random.default_rng(0), 20000)["moves"].astype(np.int64)
    farthest = abs(moves[..., :2]).sum(-1) * (size - 1) + abs(moves[..., 2])
    assert farthest.max() < 2**31 and fraction(size) >= 9


def test_arrays_are_blended_by_weights_that_keep_to_the_ends():
    ones, zeros = np.ones((500, 4, 4, 3), np.float32), np.zeros((500, 4, 4, 3), np.uint8)
    weight = draw(Augmentation(mixup=0.2), 4, np.random.default_rng(0), 500)["weight"]
    images = blend(ones, zeros, weight)
    targets = blend(ones[:, :2, 0, 0], zeros[:, :2, 0, 0], weight)
    assert (images == weight[:, None, None, None]).all() and (targets == weight[:, None]).all()
    assert images.dtype == targets.dtype == np.float32
    assert abs(weight.mean() - 0.5) < 0.05
    assert (np.minimum(weight, 1 - weight) < 0.1).mean() > 0.6  # Beta(0.2, 0.2)


def test_blend_of_distributions_is_a_distribution():
    rng = np.random.default_rng(1)
    first, second = rng.dirichlet(np.ones(101), (2, 20))
    np.testing.assert_allclose(blend(first, second, rng.random(20)).sum(1), 1)
