"""Random erasing: a rectangle of a picture is filled with one value.

Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
"""

import numpy as np


def boxes(rng, count, shape, p=0.5, s_l=0.02, s_h=0.4, r_1=0.3, r_2=1 / 0.3, v_l=0, v_h=255):
    """Draw the rectangles to erase, in pictures of a shape (H, W), each with probability ``p``.

    The area is uniform in s_l to s_h of the picture, the aspect uniform in r_1 to r_2, redrawn
    until the rectangle fits, and the fill uniform in v_l to v_h, one value for a rectangle.

    Returns:
        (count, 4) integers: top, bottom, left and right, the second and the last not included; all
        0 where nothing is erased. And (count,) fills.
    """
    height, width = shape
    chosen = rng.random(count) < p
    h, w = np.zeros((2, count), int)
    drawn = np.arange(count)
    while len(drawn):
        area = rng.uniform(s_l, s_h, len(drawn)) * height * width
        aspect = rng.uniform(r_1, r_2, len(drawn))
        h[drawn], w[drawn] = np.sqrt(area * aspect), np.sqrt(area / aspect)
        drawn = drawn[(h[drawn] > height) | (w[drawn] > width)]
    top = rng.integers(height - h + 1)
    left = rng.integers(width - w + 1)
    edges = np.stack([top, top + h, left, left + w], 1)
    return edges * chosen[:, None], rng.uniform(v_l, v_h, count)


def fill(images, edges, fills):
    """Fill rectangles of pictures (N, H, W, C) in place, as `boxes` returned them."""
    for image, (top, bottom, left, right), value in zip(images, edges.tolist(), fills.tolist()):
        image[top:bottom, left:right] = value


def erase(images, rng, p=0.5, s_l=0.02, s_h=0.4, r_1=0.3, r_2=1 / 0.3, v_l=0, v_h=255):
    """Erase a rectangle of each of ``images`` (N, H, W, C) in place, as `boxes` draws them.

    Returns ``images``.
    """
    shape = images.shape[1:3]
    fill(images, *boxes(rng, len(images), shape, p, s_l, s_h, r_1, r_2, v_l, v_h))
    return images


def get_random_eraser(p=0.5, s_l=0.02, s_h=0.4, r_1=0.3, r_2=1 / 0.3, v_l=0, v_h=255, seed=None):
    """The original's function: returns an eraser of one image (H, W, C) with its own generator."""
    rng = np.random.default_rng(seed)
    return lambda image: erase(image[None], rng, p, s_l, s_h, r_1, r_2, v_l, v_h)[0]
