"""Augmentation within the training step, where an accelerator computes it.

A batch comes as the pictures' bytes and what `augmentation.draw` drew for them; `augmented` makes
of it what `augmentation.augment` would have.
"""

import keras
import numpy as np
from keras import ops

from age_gender.training.augmentation import PLACES, sources


def augmented(batch):
    """Blend and change pictures as drawn.

    Args:
        batch: dict of ``faces`` and, where they are blended, ``others``, (N, S, S, 3) uint8, with
            the arrays of `augmentation.draw`.

    Returns:
        (N, S, S, 3) float32 of the backend, 0 to 255. At most 0.01 grey levels from the pictures
        that the processor makes.
    """
    faces = ops.cast(batch["faces"], "float32")
    if "weight" in batch:
        share = _of_each(batch["weight"])
        faces = faces * share + ops.cast(batch["others"], "float32") * (1 - share)
    if "moves" in batch:
        faces = _moved(faces, batch["moves"])
    elif "shifts" in batch or "mirrored" in batch:
        faces = _shifted(faces, batch.get("shifts"), batch.get("mirrored"))
    if "gains" in batch:
        gains = _of_each(batch["gains"])
        faces = faces * gains + ops.mean(faces, (1, 2, 3), keepdims=True) * (1 - gains)
    if "lifts" in batch:
        faces = faces + _of_each(batch["lifts"])
    if "gains" in batch or "lifts" in batch:
        faces = ops.clip(faces, 0, 255)
    if "boxes" in batch:
        faces = _erased(faces, batch["boxes"], batch["fills"])
    return faces


def _of_each(numbers):
    return numbers[:, None, None, None]


def _gathered(faces, places):
    """Pixels (N, S, S, C) of pictures (N, S, S, C), by the numbers of their places, (N, S, S)."""
    size, channels = faces.shape[1], faces.shape[-1]
    flat = ops.reshape(faces, (-1, size * size, channels))
    taken = ops.take_along_axis(flat, ops.reshape(places, (-1, size * size, 1)), axis=1)
    return ops.reshape(taken, (-1, size, size, channels))


def _moved(faces, moves):
    """As OpenCV's remap: between the four pixels around, at places rounded to 1/32."""
    size = faces.shape[1]
    positions = ops.convert_to_tensor(np.arange(1 - size, size, 2, dtype=np.int32))
    x, y = (ops.clip(each, 0, PLACES * (size - 1)) for each in sources(moves, size, positions))
    left, above = x // PLACES, y // PLACES
    right, below = (ops.minimum(each + 1, size - 1) for each in (left, above))
    to_right, to_below = (ops.cast(each % PLACES, "float32") / PLACES for each in (x, y))
    to_right, to_below = to_right[..., None], to_below[..., None]
    return (
        _gathered(faces, above * size + left) * ((1 - to_right) * (1 - to_below))
        + _gathered(faces, above * size + right) * (to_right * (1 - to_below))
        + _gathered(faces, below * size + left) * ((1 - to_right) * to_below)
        + _gathered(faces, below * size + right) * (to_right * to_below)
    )


def _shifted(faces, shifts, mirrored):
    """Shift by whole pixels, or not (None), and mirror some pictures, or none (None)."""
    size = faces.shape[1]
    x = y = ops.arange(size, dtype="int32")[None]
    if mirrored is not None:
        x = ops.where(mirrored[:, None] > 0, size - 1 - x, x)
    if shifts is not None:
        x, y = x - shifts[:, :1], y - shifts[:, 1:]
    x, y = (ops.clip(each, 0, size - 1) for each in (x, y))
    return _gathered(faces, y[:, :, None] * size + x[:, None, :])


def _erased(faces, boxes, fills):
    pixels = ops.arange(faces.shape[1], dtype="int32")[None]
    rows = ops.logical_and(pixels >= boxes[:, 0:1], pixels < boxes[:, 1:2])
    columns = ops.logical_and(pixels >= boxes[:, 2:3], pixels < boxes[:, 3:4])
    inside = ops.logical_and(rows[:, :, None], columns[:, None, :])[..., None]
    return ops.where(inside, _of_each(fills), faces)


class Augmenting(keras.Model):
    """A model whose training steps make their pictures themselves.

    Args:
        model: what it is made of.
    """

    def __init__(self, model):
        super().__init__(model.inputs, model.outputs)

    def build_losses(self):
        """Build losses and metrics from the shapes of the outputs.

        Keras would do it with the first batch, for which `call` would have to take one.
        """
        faces = np.zeros((1, *self.input_shape[1:]), np.float32)
        targets = tuple(np.zeros((1, *each[1:]), np.float32) for each in self.output_shape)
        self._symbolic_build(data_batch=(faces, targets, None))

    def train_step(self, *given):
        """Of TensorFlow, (batch,), and of JAX, (state, batch)."""
        *state, (faces, *rest) = given
        if isinstance(faces, dict):
            faces = augmented(faces)
        return super().train_step(*state, (faces, *rest))
