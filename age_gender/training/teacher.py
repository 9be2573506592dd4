"""Learning from teachers: trained networks whose answers are mixed into the labels.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015. A teacher that sees the very
same augmented batch teaches most: Beyer et al., "Knowledge distillation: a good teacher is patient
and consistent", CVPR 2022.
"""

import hashlib
import os

import keras
import numpy as np
from keras import ops

from age_gender import npz, weights
from age_gender.command_line import UserError, log, progress
from age_gender.data.labelled import cut_of
from age_gender.files import atomic_write, locked
from age_gender.training.on_device import Augmenting
from wide_resnet import AGE_CLASSES, GENDER_CLASSES

CHUNK = 8  # batches in one call of the teachers


def mixed(targets, answers, weight):
    """The targets (gender, age, ...), the first two with a share ``weight`` of the answers."""
    heads = [(1 - weight) * t + weight * a for t, a in zip(targets, answers)]
    return (*heads, *targets[2:])


def digest(teachers):
    """SHA-256 of teachers' numbers, in hexadecimal."""
    sha = hashlib.sha256()
    for description, arrays in teachers:
        sha.update(f"{description.network}, {description.gender_order}\n".encode())
        for array in arrays:
            sha.update(array.tobytes())
    return sha.hexdigest()


def settings(args, teachers):
    """What of a run's teachers must be the same to resume it, as a dict of texts."""
    how = "cached" if args.teacher_cache else "in every step"
    return {"teachers": f"{digest(teachers)[:16]}, weight {args.teacher_weight}, {how}"}


def area(pictures, size):
    """Pictures (N, L, L, 3) made smaller, (N, size, size, 3), as OpenCV's area filter does."""
    larger = pictures.shape[1]
    if larger == size:
        return pictures
    edges = np.arange(size + 1) * (larger / size)
    pixels = np.arange(larger)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = ops.convert_to_tensor(np.maximum(covered, 0) * (size / larger), "float32")
    return ops.einsum("sh,nhwc,tw->nstc", shares, ops.cast(pictures, "float32"), shares)


class Area(keras.layers.Layer):
    """`area` as a layer, in float32 whatever the precision of the others."""

    def __init__(self, size):
        super().__init__(dtype="float32")
        self.size = size

    def call(self, pictures):
        return area(pictures, self.size)


def of_larger(model, size):
    """The model, of the same layers, that takes pictures of ``size`` px."""
    inputs = keras.Input((size, size, 3), dtype="float32")
    return keras.Model(inputs, model.call(Area(model.input_shape[1])(inputs)))


class Teachers:
    """Frozen networks; not a Keras layer, so that no model counts their numbers as its own.

    Args:
        teachers: list of what `weights.read` returned.
        precision: "float32" or "bfloat16".
    """

    def __init__(self, teachers, precision):
        self.models = []
        for description, arrays in teachers:
            model = description.network.in_precision(precision)
            weights.load_into(model, description, arrays, description.network)
            model.trainable = False
            self.models.append(model)

    @property
    def variables(self):
        return [variable for model in self.models for variable in model.variables]

    def __call__(self, pictures):
        """The mean of the probabilities, (N, 2) and (N, 101), of pictures of the largest size."""
        answers = [
            model(area(pictures, model.input_shape[1]), training=False) for model in self.models
        ]
        return [sum(heads) / len(answers) for heads in zip(*answers)]


class Student(Augmenting):
    """A model that learns targets mixed with its teachers' answers; validation sees labels alone.

    Args:
        model: what it is made of; it takes pictures of the size that the teachers need.
        teachers: `Teachers`.
        weight: share of the answers in the targets.
    """

    def __init__(self, model, teachers, weight):
        super().__init__(model)
        self._teachers = teachers
        self._weight = weight

    @property
    def non_trainable_variables(self):
        """With the teachers', which JAX would compile into the step as constants otherwise."""
        return [*super().non_trainable_variables, *self._teachers.variables]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if training:
            answers = [ops.stop_gradient(each) for each in self._teachers(x)]
            y = mixed(y, answers, self._weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)


class Answers:
    """What teachers say of the training pictures, the mean over a picture and its mirror image.

    Args:
        heads: (N, 2) and (N, 101) probabilities.
        rows: the N rows of the database that they are of.
        weight: share of the answers in the targets.
    """

    def __init__(self, heads, rows, weight):
        self._heads = [np.zeros((max(rows) + 1, each.shape[1]), np.float16) for each in heads]
        for all_rows, head in zip(self._heads, heads):
            all_rows[rows] = head
        self._weight = np.float32(weight)

    def mixed_into(self, targets, rows):
        """The targets of some rows, as `mixed` makes them."""
        return mixed(targets, [head[rows].astype(np.float32) for head in self._heads], self._weight)


def cached(path, teachers, faces, rows, way, batch_size, group):
    """Teachers' answers, (N, 2) and (N, 101) float16, from a file, or computed and kept in it.

    Args:
        path: the file (.npz).
        teachers: list of what `weights.read` returned.
        faces: `LabelledFaces`; rows: the N rows.
        way: `autotune.Way`.
        batch_size: pictures in a step, over all devices.
        group: `devices.Devices`.

    Raises `UserError` if the file is not one, is of other teachers or pictures, or cannot be made.
    """
    digests = faces.digests()
    pictures = hashlib.sha256(b"".join(digests[row] for row in rows))
    pictures.update(f"{faces.img_size}, {cut_of(faces)}".encode())
    made_of = {"teachers": digest(teachers), "pictures": pictures.hexdigest()}
    if path.exists():
        return _read(path, made_of, len(rows))
    if group.hosts > 1:
        raise UserError(f"{path} does not exist: let one host make it, without the others")
    if not os.access(path.parent, os.W_OK):  # known before the long part
        raise UserError(f"{path.parent} is not a folder that can be written to: name another")
    log(f"computing the teachers' answers for {len(rows)} pictures, once, into {path}")
    lock = path.with_name(f"{path.name}.lock")
    with locked(lock, f"{path} is being made by another process: wait", temporary=True):
        heads = _compute(teachers, faces, rows, way, batch_size)
        with atomic_write(path) as partial, open(partial, "wb") as file:
            np.savez(file, gender=heads[0], age=heads[1], **made_of)
    return heads


def _compute(teachers, faces, rows, way, batch_size):
    both = Teachers(teachers, way.precision)
    inputs = keras.Input((faces.img_size, faces.img_size, 3), dtype="float32")
    seen = zip(both(inputs), both(ops.flip(inputs, 2)))
    model = keras.Model(inputs, [(plain + mirrored) / 2 for plain, mirrored in seen])
    model.compile(jit_compile=way.engine == "xla")
    chunk = CHUNK * batch_size
    starts = range(0, len(rows), chunk)

    def answers(start):
        # the last chunk is filled up: one shape is compiled, which all devices can share
        some = np.resize(rows[start : start + chunk], chunk)
        images = np.stack([faces.images[row] for row in some]).astype(np.float32)
        return model.predict(images, batch_size=batch_size, verbose=0)

    found = list(progress(map(answers, starts), len(starts), "chunks"))
    return [np.concatenate(head)[: len(rows)].astype(np.float16) for head in zip(*found)]


def _read(path, made_of, count):
    try:
        file = npz.read(path)
        found = {name: str(file[name]) for name in made_of}
        heads = [file["gender"], file["age"]]
        if not all(map(_are_probabilities, heads, (GENDER_CLASSES, AGE_CLASSES))):
            raise ValueError
    except PermissionError:
        raise
    except Exception as error:  # NumPy raises exceptions of many kinds
        raise UserError(
            f"{path} is not a file of teachers' answers, or is damaged: name another file, or "
            "remove it"
        ) from error
    other = [name for name in made_of if found[name] != made_of[name]]
    if not other and {len(head) for head in heads} != {count}:
        other = ["pictures"]
    if other:
        raise UserError(
            f"{path} is of other {' and '.join(other)}: name another file, or remove it"
        )
    return heads


def _are_probabilities(head, classes):
    if head.dtype != np.float16 or head.ndim != 2 or head.shape[1] != classes:
        return False
    return (abs(head.astype(np.float32).sum(1) - 1) < 0.01).all()
