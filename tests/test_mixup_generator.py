import numpy as np

from mixup_generator import mixup


def test_pictures_and_labels_are_blended_by_the_same_weight():
    ones = (np.ones((500, 4, 4, 3), np.float32), (np.ones((500, 2), np.float32),))
    zeros = (np.zeros((500, 4, 4, 3), np.float32), (np.zeros((500, 2), np.float32),))
    images, (targets,) = mixup(ones, zeros, 0.2, np.random.default_rng(0))
    weight = images[:, 0, 0, 0]
    assert (images == weight[:, None, None, None]).all() and (targets == weight[:, None]).all()
    assert images.dtype == targets.dtype == np.float32
    assert abs(weight.mean() - 0.5) < 0.05
    assert (np.minimum(weight, 1 - weight) < 0.1).mean() > 0.6  # Beta(0.2, 0.2) keeps to the ends


def test_blend_of_distributions_is_a_distribution():
    rng = np.random.default_rng(1)
    first, second = rng.dirichlet(np.ones(101), (2, 20))
    images = np.zeros((20, 2, 2, 3))
    _, (targets,) = mixup((images, (first,)), (images, (second,)), 0.2, rng)
    np.testing.assert_allclose(targets.sum(1), 1)
