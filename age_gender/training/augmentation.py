"""Random augmentation of a batch of pictures and labels: functions of whole arrays.

Every function draws for a whole batch of ``count`` pictures and changes those that it is given,
``part`` of the batch: machines that share a batch draw the same numbers.
"""

import dataclasses

import cv2
import numpy as np

from random_eraser import erase
from wide_resnet import AGE_CLASSES, GENDER_CLASSES

ALL = slice(None)
TALLEST = 2**15 - 1  # rows of a picture that OpenCV's remap can take


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far pictures are changed; the defaults change nothing."""

    shift: float = 0.0  # part of width and height, each way
    rotate: float = 0.0  # degrees, each way
    zoom: float = 0.0  # part of the size, each way
    flip: bool = False  # mirror half of the pictures
    brightness: float = 0.0  # part of the value, each way
    contrast: float = 0.0  # part of the contrast, each way
    erase: float = 0.0  # probability of random erasing
    erase_area: float = 0.4  # largest part that is erased
    mixup: float = 0.0  # alpha of Beta(alpha, alpha); 0 for none


def augment(images, rng, settings, count=None, part=ALL):
    """Change each picture at random.

    Args:
        images: (N, S, S, 3), 0 to 255.
        rng: a NumPy random generator.
        settings: an `Augmentation`; its mixup is not applied here.
        count, part: the pictures are ``part`` of a batch of ``count``; all of one by default.

    Returns:
        A new float32 array of the same shape.
    """
    count = count or len(images)

    def uniform(reach):
        return (reach * rng.uniform(-1, 1, count)[part]).astype(np.float32)

    mirrored = (rng.random(count) < 0.5)[part] & settings.flip
    right, down = uniform(settings.shift), uniform(settings.shift)
    if settings.rotate or settings.zoom:
        angles, zooms = np.radians(uniform(settings.rotate)), 1 + uniform(settings.zoom)
        out = _moved(images, angles, zooms, right, down)
    elif settings.shift:
        out = _shifted(images, right, down)
    else:
        out = np.array(images, np.float32)
    for row in np.flatnonzero(mirrored):
        out[row] = cv2.flip(out[row], 1)
    if settings.contrast:
        gain = 1 + uniform(settings.contrast)
        mean = out.mean((1, 2, 3))
        out *= gain[:, None, None, None]
        out += (mean * (1 - gain))[:, None, None, None]
    if settings.brightness:
        out += 255 * uniform(settings.brightness)[:, None, None, None]
    if settings.contrast or settings.brightness:
        np.clip(out, 0, 255, out=out)
    if settings.erase:
        erase(out, rng, settings.erase, s_h=settings.erase_area, count=count, part=part)
    return out


def _shifted(images, right, down):
    """Shift pictures (N, S, S, 3) by the nearest whole pixel; beyond the border it is repeated."""
    size = images.shape[1]
    out = np.empty(images.shape, np.float32)
    images = np.asarray(images, np.float32)
    for image, x, y, target in zip(images, *np.rint((right * size, down * size)).astype(int), out):
        above, below, left, beyond = max(y, 0), max(-y, 0), max(x, 0), max(-x, 0)
        seen = image[below : size - above, beyond : size - left]
        cv2.copyMakeBorder(seen, above, below, left, beyond, cv2.BORDER_REPLICATE, target)
    return out


def _moved(images, angles, zooms, right, down):
    """Rotate, zoom and shift pictures; beyond the border its pixels are repeated.

    Args:
        images: (N, S, S, 3).
        angles: (N,) radians; zooms: (N,) factors; right, down: (N,) parts of the size.

    Returns:
        (N, S, S, 3) float32.
    """
    n, size = images.shape[:2]
    centre = np.float32((size - 1) / 2)
    position = np.arange(size, dtype=np.float32) - centre
    x = position - size * right[:, None]
    y = position - size * down[:, None]
    cosine, sine = (np.cos(angles) / zooms)[:, None], (np.sin(angles) / zooms)[:, None]
    # where each pixel comes from, (N, S, S)
    from_x = (cosine * x + centre)[:, None, :] - (sine * y)[:, :, None]
    from_y = (sine * x)[:, None, :] + (cosine * y + centre)[:, :, None]
    for each in (from_x, from_y):
        np.clip(each, 0, size - 1, out=each)
    # The pictures are stacked into one, so that OpenCV moves them in one call. It rounds positions
    # to 1/32; rounded before, they are the same wherever a picture is in the stack.
    from_y = np.rint(from_y * 32) / 32
    step = TALLEST // size
    from_y += (np.arange(n, dtype=np.float32) % step * size)[:, None, None]
    out = np.empty(images.shape, np.float32)
    for start in range(0, n, step):
        some = slice(start, start + step)
        tall = np.ascontiguousarray(images[some], np.float32).reshape(-1, size, 3)
        maps = (each[some].reshape(-1, size) for each in (from_x, from_y))
        cv2.remap(tall, *maps, cv2.INTER_LINEAR, out[some].reshape(-1, size, 3))
    return out


def mixup(batch, other, alpha, rng, count=None, part=ALL):
    """Blend two batches picture by picture, with weights from Beta(alpha, alpha).

    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.

    Args:
        batch, other: (images (N, ...), tuple of targets (N, classes)).
        alpha: above 0.
        rng: a NumPy random generator.
        count, part: as in `augment`.

    Returns:
        A blended batch of the same shape, float32.
    """
    images, targets = batch
    other_images, other_targets = other
    weight = rng.beta(alpha, alpha, count or len(images))[part].astype(np.float32)

    def blend(a, b):
        w = weight.reshape(-1, *[1] * (a.ndim - 1))
        out = a * w
        out += b * (1 - w)
        return out

    blended = tuple(blend(a, b) for a, b in zip(targets, other_targets))
    return blend(images, other_images), blended


def gender_targets(genders):
    """One-hot (N, 2) float32 of (N,) genders; zeros for an unknown one."""
    return np.eye(GENDER_CLASSES + 1, GENDER_CLASSES, dtype=np.float32)[genders]


def age_targets(ages, years=0.0):
    """Probabilities over the 101 ages: one-hot, or a Gaussian of ``years`` around the age.

    It is narrower where 0 or 100 would cut it, so that its mean is the age everywhere.

    Args:
        ages: (N,) integers, 0 to 100.
        years: standard deviation; 0 for one-hot.

    Returns:
        (N, 101) float32, each row summing to 1.
    """
    if not years:
        return np.eye(AGE_CLASSES, dtype=np.float32)[ages]
    ages = np.asarray(ages)[:, None]
    room = np.minimum(ages, AGE_CLASSES - 1 - ages)
    width = np.clip(room / 2, 1e-3, years)
    weight = np.exp(-0.5 * ((np.arange(AGE_CLASSES) - ages) / width) ** 2)
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)
