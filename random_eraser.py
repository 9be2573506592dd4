"""Random erasing: a rectangle of a picture is filled with one value.

Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
"""

import numpy as np


def random_eraser(image, rng, p=0.5, s_l=0.02, s_h=0.4, r_1=0.3, r_2=1 / 0.3, v_l=0, v_h=255):
    """Erase a rectangle of ``image`` (H, W, C) in place with probability ``p`` and return it.

    The area is uniform in s_l to s_h of the picture, the aspect uniform in r_1 to r_2, redrawn
    until the rectangle fits, and the fill uniform in v_l to v_h, one value for the rectangle.
    """
    if rng.random() >= p:
        return image
    height, width = image.shape[:2]
    while True:
        area = rng.uniform(s_l, s_h) * height * width
        aspect = rng.uniform(r_1, r_2)
        w, h = int(np.sqrt(area / aspect)), int(np.sqrt(area * aspect))
        if w <= width and h <= height:
            break
    left, top = rng.integers(width - w + 1), rng.integers(height - h + 1)
    image[top : top + h, left : left + w] = rng.uniform(v_l, v_h)
    return image


def get_random_eraser(p=0.5, s_l=0.02, s_h=0.4, r_1=0.3, r_2=1 / 0.3, v_l=0, v_h=255, seed=None):
    """The original's name: a function of one image, with a random stream of its own."""
    rng = np.random.default_rng(seed)
    return lambda image: random_eraser(image, rng, p, s_l, s_h, r_1, r_2, v_l, v_h)
