"""Training batches of faces, from a database or from folders of pictures.

Every batch is drawn from ``default_rng((seed, epoch, batch number))``: the same settings give
the same batches, whatever the number of workers.
"""

import types
from pathlib import Path

import keras
import numpy as np

from age_gender import faces
from age_gender.data.labelled import read_folder
from age_gender.pictures import read_picture
from age_gender.training.augmentation import (
    Augmentation,
    age_targets,
    augment,
    blend,
    draw,
    gender_targets,
)
from wide_resnet import IMAGE_SIZE


class Batches(keras.utils.PyDataset):
    """Batches of (pictures, targets); subclasses define how rows are read.

    Args:
        rows: numbers of the rows to draw from.
        batch_size: pictures in a batch. In training a last, smaller batch is left out.
        training: draw the rows in random order and augment; else all rows in order, unchanged.
        augmentation: an `Augmentation`.
        seed: random seed.
        on_device: in training, yield what `training.on_device.augmented` makes the pictures of, so
            that the network's steps do it: their bytes, and what was drawn for them.
        share: (number, count): only this part of every batch is read and made, number from 0. The
            parts together are the batch; ``count`` must divide its pictures.
        kwargs: of `keras.utils.PyDataset`, ``workers`` for instance.

    Attributes:
        epoch: number of the epoch, from 0; set it before each.
    """

    def __init__(
        self,
        rows,
        batch_size,
        training=False,
        augmentation=Augmentation(),
        seed=0,
        on_device=False,
        share=(0, 1),
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.rows = np.asarray(rows)
        self.batch_size = batch_size
        self.training = training
        self.augmentation = augmentation
        self.seed = seed
        self.on_device = on_device
        self.share = share
        self.epoch = 0
        self._orders = {}
        self._chances = None  # of each row, where they are not drawn alike

    def read(self, rows):
        """(pictures (B, S, S, 3), tuple of targets (B, classes)) of some rows."""
        raise NotImplementedError

    def __len__(self):
        if self.training:
            return len(self.rows) // self.batch_size
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index):
        some = slice(index * self.batch_size, (index + 1) * self.batch_size)
        count = len(self.rows[some])
        number, parts = self.share
        part = slice(number * count // parts, (number + 1) * count // parts)
        if not self.training:
            images, targets = self.read(self.rows[some][part])
            return np.asarray(images, np.float32), targets
        images, targets = self.read(self._order(0)[some][part])
        rng = np.random.default_rng((self.seed, self.epoch, index))
        draws = draw(self.augmentation, images.shape[1], rng, count, part)
        batch = {"faces": images}
        if self.augmentation.mixup:
            others, other_targets = self.read(self._order(1)[some][part])
            pairs = zip(targets, other_targets)
            targets = tuple(blend(each, other, draws["weight"]) for each, other in pairs)
            batch["others"] = others
        if self.on_device:
            return batch | draws, targets
        if self.augmentation.mixup:
            images = blend(images, others, draws["weight"])
        return augment(images, draws), targets

    def _order(self, stream):
        """This epoch's order of the rows."""
        key = self.epoch, stream
        order = self._orders.get(key)
        if order is None:  # drawn once an epoch; all threads that draw it draw the same
            rng = np.random.default_rng((self.seed, self.epoch, 2**31 + stream))
            if self._chances is None:
                order = rng.permutation(self.rows)
            else:
                order = rng.choice(self.rows, len(self.rows), p=self._chances)
            of_epoch = {k: v for k, v in self._orders.items() if k[0] == key[0]}
            self._orders = of_epoch | {key: order}
        return order


class FaceBatches(Batches):
    """Batches of (faces, (gender targets, age targets[, embeddings])) from a database.

    Faces are (B, S, S, 3) float32 BGR, 0 to 255, but see `on_device`; the targets (B, 2), (B, 101)
    and (B, 128).

    Args:
        database: a `FaceDatabase`, or anything with images, genders and ages.
        rows, batch_size, kwargs: as in `Batches`.
        smoothing: standard deviation of the Gaussian age targets, years.
        balance: faces are drawn by the inverse number of those of their decade to this power, 0
            to 1; with 0 each is drawn once in an epoch.
        embeddings: (N, 128) of all rows of the database, or None.

    Attributes:
        answers: `training.teacher.Answers` that are mixed into the targets, or None.
    """

    def __init__(
        self, database, rows, batch_size, smoothing=0.0, balance=0.0, embeddings=None, **kwargs
    ):
        super().__init__(rows, batch_size, **kwargs)
        if balance:
            decades = np.asarray(database.ages)[self.rows] // 10
            chances = np.bincount(decades)[decades] ** -float(balance)
            self._chances = chances / chances.sum()
        self.answers = None
        self.database = database
        self.smoothing = smoothing
        self.embeddings = embeddings

    def read(self, rows):
        images = self.database.images
        in_memory = isinstance(images, np.ndarray)
        images = np.asarray(images[rows] if in_memory else [images[row] for row in rows])
        genders = gender_targets(self.database.genders[rows])
        targets = genders, age_targets(self.database.ages[rows], self.smoothing)
        if self.embeddings is not None:
            targets += (self.embeddings[rows].astype(np.float32),)
        if self.answers is not None:
            targets = self.answers.mixed_into(targets, rows)
        return images, targets


class FaceGenerator(FaceBatches):
    """Batches of faces from folders of pictures, which are read when they are needed.

    Args:
        appa_dir: APPA-REAL's folder (appa-real-release), whose training part is taken.
        utk_dir: folder of UTKFace's pictures; at least one of the two.
        batch_size: pictures in a batch.
        image_size: side of the faces in pixels.
        age_label: "apparent" or "real", of APPA-REAL.
        ignored: file names of APPA-REAL's pictures that are left out.
        training, kwargs: as in `FaceBatches`.

    Raises `UserError` if a folder is neither, and `UnreadablePicture` if a picture is damaged
    (train.py, which makes a database first, leaves such pictures out).
    """

    def __init__(
        self,
        appa_dir=None,
        utk_dir=None,
        batch_size=32,
        image_size=IMAGE_SIZE,
        age_label="apparent",
        ignored=(),
        training=True,
        **kwargs,
    ):
        folders = [Path(folder) for folder in (appa_dir, utk_dir) if folder is not None]
        if not folders:
            raise ValueError("appa_dir or utk_dir must be given. Received: None")
        paths, ages, genders = [], [], []
        for folder in folders:
            pictures, _ = read_folder(folder, age_label, ignored)
            kept = [row for row in range(len(pictures)) if row not in pictures.refused]
            paths += [folder / pictures.names[row] for row in kept]
            ages.extend(pictures.ages[kept])
            genders.extend(pictures.genders[kept])
        labelled = types.SimpleNamespace(
            images=_Decoded(paths, image_size), ages=np.array(ages), genders=np.array(genders)
        )
        super().__init__(labelled, np.arange(len(paths)), batch_size, training=training, **kwargs)


class _Decoded:
    """Picture files by number, each read when it is needed, (size, size, 3) uint8 BGR."""

    def __init__(self, paths, size):
        self._paths = paths
        self._size = size

    def __getitem__(self, row):
        return faces.whole(read_picture(self._paths[row]), self._size)
