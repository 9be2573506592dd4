"""Mixup: a batch is blended with another, pictures and labels alike.

Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
"""

import numpy as np


def mixup(batch, other, alpha, rng):
    """Blend two batches picture by picture, with weights from Beta(alpha, alpha).

    Args:
        batch, other: (images (N, ...), tuple of targets (N, classes)).
        alpha: above 0.
        rng: a NumPy random generator.

    Returns:
        A blended batch of the same shape.
    """
    images, targets = batch
    other_images, other_targets = other
    weight = rng.beta(alpha, alpha, len(images)).astype(np.float32)

    def blend(a, b):
        w = weight.reshape(-1, *[1] * (a.ndim - 1))
        return a * w + b * (1 - w)

    blended = tuple(blend(a, b) for a, b in zip(targets, other_targets))
    return blend(images, other_images), blended
