"""Find duplicate pictures, identical or alike, and conflicts between their labels.

Two pictures are alike if their thumbnails correlate at ALIKE or more: the same photograph stored
again, rescaled, recoloured or with a watermark. Other photographs of the same person, or of faces
in the same pose, stay below it.
"""

import cv2
import numpy as np

THUMBNAIL = 16  # pixels
ALIKE = 0.98
COARSE = 8  # pixels; thumbnails of this size are compared first: a quarter of the work
TILE = 1024  # rows of a block of comparisons: it stays in the processor's cache


def thumbnail(image):
    """A picture (H, W, 3) uint8 BGR as (THUMBNAIL, THUMBNAIL) uint8 grey."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)


def byte_identical(digests):
    """Group number of each row: rows with one digest share it. digests: (N, 32) uint8."""
    whole = np.ascontiguousarray(digests).view("V32").reshape(-1)
    return _by_first_row(np.unique(whole, return_inverse=True)[1])


def alike(thumbnails, groups):
    """Group numbers after the groups of rows whose pictures are alike are joined.

    Args:
        thumbnails: (N, THUMBNAIL, THUMBNAIL) uint8 grey.
        groups: (N,) group numbers so far.

    Returns:
        (N,) group numbers, counted from 0 in the order of their first rows.
    """
    rows = np.unique(groups, return_index=True)[1]
    parent = np.arange(len(rows))

    def root(number):
        while parent[number] != number:
            number = parent[number]
        return number

    for one, other in _pairs(thumbnails[rows]):
        one, other = sorted((root(one), root(other)))
        parent[other] = one
    joined = np.array([root(number) for number in range(len(rows))], int)
    return _by_first_row(joined[groups])


def _by_first_row(groups):
    """The same groups, numbered from 0 in the order of their first rows."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _pairs(thumbnails):
    """Yield pairs of rows that are alike.

    Vectors of correlation c lie sqrt(2 - 2 c) apart, in any direction at most that; so the rows
    are sorted along the direction in which they differ most, and only neighbours are compared.
    """
    if len(thumbnails) < 2:
        return
    side = THUMBNAIL // COARSE
    blocks = thumbnails.reshape(len(thumbnails), COARSE, side, COARSE, side)
    coarse = _unit(blocks.mean((2, 4), dtype=np.float32))
    position = coarse @ np.linalg.eigh(np.cov(coarse.T))[1][:, -1]
    order = np.argsort(position, kind="stable")
    coarse, position = coarse[order], position[order]
    ends = np.searchsorted(position, position + np.sqrt(2 - 2 * ALIKE) + 1e-6)
    for top in range(0, len(order), TILE):
        bottom = min(top + TILE, len(order))
        for left in range(top, ends[bottom - 1], 4 * TILE):
            tile = coarse[top:bottom] @ coarse[left : min(left + 4 * TILE, ends[bottom - 1])].T
            row, column = np.divmod(np.flatnonzero(tile >= ALIKE), tile.shape[1])
            later = row + top < column + left
            one, other = order[row + top][later], order[column + left][later]
            exact = (_unit(thumbnails[one]) * _unit(thumbnails[other])).sum(1) >= ALIKE
            yield from zip(one[exact].tolist(), other[exact].tolist())


def _unit(pictures):
    """Pictures (N, S, S) as vectors (N, S * S) of length 1 and mean 0; uniform ones as zeros."""
    vectors = pictures.reshape(len(pictures), np.prod(pictures.shape[1:])).astype(np.float32)
    vectors -= vectors.mean(1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-3)


def conflicting(groups, ages, genders):
    """Numbers of the groups whose rows differ in age or gender; all arguments (N,)."""
    kinds = np.unique(np.stack([groups, ages, genders], 1), axis=0)
    numbers, counts = np.unique(kinds[:, 0], return_counts=True)
    return numbers[counts > 1]
