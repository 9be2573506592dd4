"""The original's generator: endless mixup batches of arrays."""

import numpy as np

from age_gender.training.augmentation import Augmentation
from generator import Batches


class MixupGenerator(Batches):
    """Batches whose pictures and labels are blended with those of another batch.

    Args:
        X_train: (N, S, S, 3) pictures, 0 to 255.
        y_train: (N, classes) targets, or a list of such, one for each output of the network.
        batch_size: pictures in a batch.
        alpha: of mixup's Beta(alpha, alpha).
        shuffle: draw the pictures in random order.
        datagen: applied to the blended pictures: an `Augmentation`, or anything with Keras's
            ``random_transform(picture)`` and ``standardize(picture)``.
        kwargs: seed, and those of `keras.utils.PyDataset`.

    It is a `keras.utils.PyDataset`; called, it yields batches endlessly.
    """

    def __init__(
        self, X_train, y_train, batch_size=32, alpha=0.2, shuffle=True, datagen=None, **kwargs
    ):
        ours = datagen if isinstance(datagen, Augmentation) else Augmentation()
        changes = Augmentation(**vars(ours) | {"mixup": alpha})
        super().__init__(
            np.arange(len(X_train)), batch_size, training=True, augmentation=changes, **kwargs
        )
        self.shuffle = shuffle
        self._pictures = X_train
        self._several = isinstance(y_train, (list, tuple))
        self._targets = [np.asarray(y) for y in (y_train if self._several else [y_train])]
        self._datagen = None if datagen is ours else datagen

    def __call__(self):
        while True:
            for index in range(len(self)):
                yield self[index]
            self.epoch += 1

    def read(self, rows):
        return self._pictures[rows], tuple(targets[rows] for targets in self._targets)

    def _order(self, stream):
        return super()._order(stream) if self.shuffle else np.roll(self.rows, stream)

    def __getitem__(self, index):
        pictures, targets = super().__getitem__(index)
        if self._datagen is not None:
            change, standardize = self._datagen.random_transform, self._datagen.standardize
            pictures = np.stack([standardize(change(picture)) for picture in pictures])
        return pictures, targets if self._several else targets[0]
