"""A face database becomes training batches.

Every batch is drawn from ``default_rng((seed, epoch, batch number))``: the same settings give
the same batches, whatever the number of workers.
"""

import dataclasses

import keras
import numpy as np

from random_eraser import random_eraser
from wide_resnet import AGE_CLASSES, GENDER_CLASSES


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far pictures are changed at random; the defaults change nothing."""

    shift: float = 0.0  # part of width and height, each way
    rotate: float = 0.0  # degrees, each way
    zoom: float = 0.0  # part of the size, each way
    flip: bool = False  # mirror half of the pictures
    brightness: float = 0.0  # part of the value, each way
    contrast: float = 0.0  # part of the contrast, each way
    erase: float = 0.0  # probability of random erasing
    erase_area: float = 0.4  # largest part that is erased
    mixup: float = 0.0  # alpha of Beta(alpha, alpha); 0 for none


def augment(images, rng, settings):
    """Change each picture at random.

    Args:
        images: (N, S, S, 3) float32, 0 to 255.
        rng: a NumPy random generator.
        settings: an `Augmentation`; its mixup is not applied here.

    Returns:
        A new array of the same shape and type.
    """
    import cv2

    n, size = images.shape[:2]
    out = np.array(images, np.float32)
    angles, zooms, dx, dy = rng.uniform(-1, 1, (4, n))
    shift = settings.shift * size
    if settings.shift or settings.rotate or settings.zoom:
        centre = (size - 1) / 2
        for i in range(n):
            matrix = cv2.getRotationMatrix2D(
                (centre, centre), settings.rotate * angles[i], 1 + settings.zoom * zooms[i]
            )
            matrix[:, 2] += shift * dx[i], shift * dy[i]
            out[i] = cv2.warpAffine(out[i], matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    if settings.flip:
        mirrored = rng.random(n) < 0.5
        out[mirrored] = out[mirrored, :, ::-1]
    if settings.contrast:
        gain = 1 + settings.contrast * rng.uniform(-1, 1, (n, 1, 1, 1))
        mean = out.mean((1, 2, 3), keepdims=True)
        out = (out - mean) * gain.astype(np.float32) + mean
    if settings.brightness:
        out += 255 * settings.brightness * rng.uniform(-1, 1, (n, 1, 1, 1)).astype(np.float32)
    if settings.contrast or settings.brightness:
        np.clip(out, 0, 255, out=out)
    if settings.erase:
        for image in out:
            random_eraser(image, rng, settings.erase, s_h=settings.erase_area)
    return out


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


class FaceBatches(keras.utils.PyDataset):
    """Batches of (faces, (gender targets, age targets)) from a database.

    Faces are (B, S, S, 3) float32 BGR, 0 to 255; the targets (B, 2) and (B, 101).

    Args:
        database: a `face_database.FaceDatabase`, or anything with images, genders and ages.
        rows: numbers of the rows to draw from.
        batch_size: pictures in a batch. In training a last, smaller batch is left out.
        training: draw the rows in random order and augment; else all rows in order, unchanged.
        augmentation: an `Augmentation`.
        smoothing: years of the Gaussian age targets.
        seed: of all draws.
    """

    def __init__(
        self,
        database,
        rows,
        batch_size,
        training=False,
        augmentation=Augmentation(),
        smoothing=0.0,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.database = database
        self.rows = np.asarray(rows)
        self.batch_size = batch_size
        self.training = training
        self.augmentation = augmentation
        self.smoothing = smoothing
        self.seed = seed
        self.epoch = 0

    def __len__(self):
        if self.training:
            return len(self.rows) // self.batch_size
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        if not self.training:
            return self._read(self.rows[start : start + self.batch_size])
        rng = np.random.default_rng((self.seed, self.epoch, index))
        rows = self._order(0)[start : start + self.batch_size]
        if not self.augmentation.mixup:
            faces, targets = self._read(rows)
            return augment(faces, rng, self.augmentation), targets
        from mixup_generator import mixup

        others = self._order(1)[start : start + self.batch_size]
        faces, genders_and_ages = mixup(
            self._read(rows), self._read(others), self.augmentation.mixup, rng
        )
        return augment(faces, rng, self.augmentation), genders_and_ages

    def _order(self, stream):
        """This epoch's order of the rows."""
        rng = np.random.default_rng((self.seed, self.epoch, 2**31 + stream))
        return rng.permutation(self.rows)

    def _read(self, rows):
        faces = np.stack([self.database.images[row] for row in rows]).astype(np.float32)
        genders = np.eye(GENDER_CLASSES, dtype=np.float32)[self.database.genders[rows]]
        return faces, (genders, age_targets(self.database.ages[rows], self.smoothing))
