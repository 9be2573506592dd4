"""Random augmentation of a batch of pictures and labels: the draws, and what OpenCV makes of them.

`draw` draws the few numbers of each picture; `augment` changes pictures by them here, and
`on_device.augmented` does the same within a training step. Everything is drawn for a whole batch of
``count`` pictures and kept for ``part`` of it: machines that share a batch draw the same numbers.
"""

import dataclasses

import cv2
import numpy as np

from random_eraser import boxes, fill
from wide_resnet import AGE_CLASSES, GENDER_CLASSES

ALL = slice(None)
TALLEST = 2**15 - 1  # rows of a picture that OpenCV's remap can take
PLACES = 32  # between two pixels, to which OpenCV's remap rounds


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


def draw(settings, size, rng, count, part=ALL):
    """Draw how the pictures of a batch are changed.

    Args:
        settings: an `Augmentation`.
        size: S, side of the pictures in pixels.
        rng: a NumPy random generator.
        count: pictures in the batch; part: those that the numbers are wanted for, N.

    Returns:
        Dict of arrays, of those that the settings need:
        ``weight`` (N,) float32: share of the picture in its blend with another, mixup;
        ``moves`` (N, 2, 3) int32: where the pixels come from, see `sources`; or else
        ``mirrored`` (N,) int32, 0 or 1, and ``shifts`` (N, 2) int32: whole pixels to the right and
        down;
        ``gains`` (N,) float32: factors on the contrast; ``lifts`` (N,) float32: grey levels added;
        ``boxes`` (N, 4) int32: top, bottom, left, right of what is erased, and
        ``fills`` (N,) float32: grey levels there.
    """

    def uniform(reach):
        return (reach * rng.uniform(-1, 1, count)[part]).astype(np.float32)

    draws = {}
    if settings.mixup:
        weight = rng.beta(settings.mixup, settings.mixup, count)
        draws["weight"] = weight[part].astype(np.float32)
    mirrored = ((rng.random(count) < 0.5)[part] & settings.flip).astype(np.int32)
    shifts = size * np.stack([uniform(settings.shift), uniform(settings.shift)], 1)
    if settings.rotate or settings.zoom:
        angles, zooms = np.radians(uniform(settings.rotate)), 1 + uniform(settings.zoom)
        draws["moves"] = _moves(size, mirrored, shifts, angles, zooms)
    else:
        draws |= {"shifts": np.rint(shifts).astype(np.int32)} if settings.shift else {}
        draws |= {"mirrored": mirrored} if settings.flip else {}
    if settings.contrast:
        draws["gains"] = 1 + uniform(settings.contrast)
    if settings.brightness:
        draws["lifts"] = 255 * uniform(settings.brightness)
    if settings.erase:
        drawn = boxes(rng, count, (size, size), settings.erase, s_h=settings.erase_area)
        draws["boxes"] = drawn[0][part].astype(np.int32)
        draws["fills"] = drawn[1][part].astype(np.float32)
    return draws


def fraction(size):
    """Bits behind the point of `draw`'s moves, of pictures of a size: sums fit into 32 bits."""
    return min(12, 22 - int(size).bit_length())


def _moves(size, mirrored, shifts, angles, zooms):
    """Where pixels come from, (N, 2, 3) int32; see `sources`.

    Args:
        mirrored: (N,) 0 or 1; shifts: (N, 2) pixels; angles: (N,) radians; zooms: (N,) factors.
    """
    cosine, sine = np.cos(angles) / zooms, np.sin(angles) / zooms
    matrix = np.stack([cosine, -sine, sine, cosine], 1).reshape(-1, 2, 2)
    offset = (size - 1) - 2 * (matrix @ shifts[:, :, None])
    matrix[:, :, 0] *= 1 - 2 * mirrored[:, None]
    one = PLACES / 2 * 2 ** fraction(size)
    moves = np.rint(one * np.concatenate([matrix, offset], 2)).astype(np.int32)
    moves[:, :, 2] += 2 ** fraction(size) // 2  # so that cutting off rounds
    return moves


def sources(moves, size, positions):
    """Where the pixels of moved pictures come from, in 1/32 px of the picture.

    In whole numbers, so that it is the same wherever it is computed; with NumPy's arrays or those
    of another library.

    Args:
        moves: `draw`'s, (N, 2, 3).
        size: S.
        positions: (S,) int32 of the library: 1 - S, 3 - S, ... S - 1, twice the pixels' distances
            from the centre.

    Returns:
        Two arrays (N, S, S) int32, x and y; beyond the border they are on it no more than at 0 or
        (S - 1) * 32, to which they have to be limited.
    """
    found = []
    for row in (0, 1):
        along_x = moves[:, row, 0, None] * positions + moves[:, row, 2, None]
        along_y = moves[:, row, 1, None] * positions
        found.append((along_x[:, None, :] + along_y[:, :, None]) // 2 ** fraction(size))
    return found


def augment(images, draws):
    """Change pictures as drawn, but for the blending.

    Args:
        images: (N, S, S, 3), 0 to 255.
        draws: what `draw` returned.

    Returns:
        A new float32 array of the same shape.
    """
    if "moves" in draws:
        out = _moved(images, draws["moves"])
    elif "shifts" in draws:
        out = _shifted(images, draws["shifts"])
    else:
        out = np.array(images, np.float32)
    for row in np.flatnonzero(draws.get("mirrored", ())):
        out[row] = cv2.flip(out[row], 1)
    if "gains" in draws:
        gains = draws["gains"]
        mean = out.mean((1, 2, 3))
        out *= gains[:, None, None, None]
        out += (mean * (1 - gains))[:, None, None, None]
    if "lifts" in draws:
        out += draws["lifts"][:, None, None, None]
    if "gains" in draws or "lifts" in draws:
        np.clip(out, 0, 255, out=out)
    if "boxes" in draws:
        fill(out, draws["boxes"], draws["fills"])
    return out


def _shifted(images, shifts):
    """Shift pictures (N, S, S, 3) by whole pixels; beyond the border it is repeated."""
    size = images.shape[1]
    out = np.empty(images.shape, np.float32)
    images = np.asarray(images, np.float32)
    for image, (x, y), target in zip(images, shifts.tolist(), out):
        above, below, left, beyond = max(y, 0), max(-y, 0), max(x, 0), max(-x, 0)
        seen = image[below : size - above, beyond : size - left]
        cv2.copyMakeBorder(seen, above, below, left, beyond, cv2.BORDER_REPLICATE, target)
    return out


def _moved(images, moves):
    """Rotate, zoom, shift and mirror pictures; beyond the border its pixels are repeated."""
    n, size = images.shape[:2]
    from_x, from_y = sources(moves, size, np.arange(1 - size, size, 2, dtype=np.int32))
    for each in (from_x, from_y):
        np.clip(each, 0, PLACES * (size - 1), out=each)
    # The pictures are stacked into one, so that OpenCV moves them in one call.
    step = TALLEST // size
    from_y += (np.arange(n, dtype=np.int32) % step * (PLACES * size))[:, None, None]
    maps = [each.astype(np.float32) / np.float32(PLACES) for each in (from_x, from_y)]
    out = np.empty(images.shape, np.float32)
    for start in range(0, n, step):
        some = slice(start, start + step)
        tall = np.ascontiguousarray(images[some], np.float32).reshape(-1, size, 3)
        flat = (each[some].reshape(-1, size) for each in maps)
        cv2.remap(tall, *flat, cv2.INTER_LINEAR, out[some].reshape(-1, size, 3))
    return out


def blend(array, other, weight):
    """Mix two arrays (N, ...) row by row, with shares ``weight`` (N,) of the first.

    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """
    share = weight.reshape(-1, *[1] * (array.ndim - 1))
    out = array * share
    out += other * (1 - share)
    return out


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
