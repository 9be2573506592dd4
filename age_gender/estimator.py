"""Face crops become ages and genders: the one compiled prediction path of the suite."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from age_gender import weights
from age_gender.command_line import quiet_start
from age_gender.genders import MALE, NAMES
from wide_resnet import AGE_CLASSES, WideResNet

# A batch is padded up to one of these, so that TensorFlow compiles a few graphs and no more.
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
FEW, MANY = 1, 8  # what is fastest for one face is used for fewer than MANY


@dataclasses.dataclass
class Estimates:
    """What the network says of N faces.

    Attributes:
        ages: (N,) expected age in years.
        males: (N,) probability of male, 0 to 1.
        age_probabilities: (N, 101), ages 0 to 100.
    """

    ages: np.ndarray
    males: np.ndarray
    age_probabilities: np.ndarray

    @classmethod
    def from_probabilities(cls, males, age_probabilities):
        """The estimates whose ages are the expectations over (N, 101) probabilities."""
        ages = age_probabilities @ np.arange(AGE_CLASSES, dtype=np.float32)
        return cls(ages, males, age_probabilities)

    def __len__(self):
        return len(self.ages)

    def answers(self, factor=None):
        """(age, probability of male) of each face; with a factor also the ends of its age interval.

        Args:
            factor: `weights.Description.interval_factor`.
        """
        if factor is None:
            return list(zip(self.ages, self.males))
        from age_gender.evaluation import figures as evaluation

        return list(zip(self.ages, self.males, *evaluation.interval(self, factor)))

    def of(self, chosen):
        """The estimates of some faces, chosen as in NumPy."""
        return Estimates(self.ages[chosen], self.males[chosen], self.age_probabilities[chosen])


class Estimator:
    """The network with its weights.

    Args:
        weight_file: a path or a published name; None for the weights that ship.
        depth, width: raise `UserError` where the file holds another network; None to go by it.

    Attributes:
        description: `weights.Description`.
        image_size: side of the faces in pixels.
        traces: graphs compiled so far.
    """

    def __init__(self, weight_file=None, depth=None, width=None):
        path = weights.find(weight_file)
        self.description, arrays = weights.read(path)
        weights.require(self.description, path, depth, width)
        self.image_size = self.description.image_size
        self.path = Path(path)
        said = self.description
        self._network = WideResNet(self.image_size, said.depth, said.width, said.stem, said.pool)
        self._arrays = arrays
        self._functions = {}
        self.traces = 0
        with quiet_start():
            import tensorflow as tf

            from age_gender import autotune

            self._tf = tf
            ways = autotune.choose_prediction(self._network, (FEW, BATCH_SIZES[-1]), self._seconds)
            self._few, self._many = (self._function(way) for way in ways.values())

    def _function(self, way):
        """The compiled network, a function of (N, S, S, 3) uint8; made once for each way."""
        if way not in self._functions:
            tf = self._tf
            model = self._network.in_precision(way.precision)
            model.set_weights(self._arrays)

            @tf.function(jit_compile=way.engine == "xla")
            def predict(faces):
                self.traces += 1  # runs when a graph is traced, not when it is used
                return model(tf.cast(faces, tf.float32), training=False)

            self._functions[way] = predict
        return self._functions[way]

    def _seconds(self, way, count):
        """How long a prediction of some faces takes."""
        faces = self._tf.zeros((count, self.image_size, self.image_size, 3), "uint8")
        taken = []
        for _ in range(6):
            start = time.perf_counter()
            self._function(way)(faces)[0].numpy()
            taken.append(time.perf_counter() - start)
        return float(np.median(taken[1:]))

    def __call__(self, faces):
        """Estimate faces.

        Args:
            faces: (N, S, S, 3) uint8 BGR, S being `image_size`; N may be 0.

        Returns:
            `Estimates`.
        """
        faces = np.asarray(faces, np.uint8).reshape(-1, self.image_size, self.image_size, 3)
        genders, ages = [np.empty((0, 2), np.float32)], [np.empty((0, AGE_CLASSES), np.float32)]
        for start in range(0, len(faces), BATCH_SIZES[-1]):
            batch = faces[start : start + BATCH_SIZES[-1]]
            size = next(size for size in BATCH_SIZES if size >= len(batch))
            padded = np.zeros((size, *batch.shape[1:]), np.uint8)
            padded[: len(batch)] = batch
            predict = self._few if size < MANY else self._many
            gender, age = predict(self._tf.constant(padded))
            genders.append(gender.numpy()[: len(batch)])
            ages.append(age.numpy()[: len(batch)])
        gender, age = np.concatenate(genders), np.concatenate(ages)
        male = gender[:, self.description.gender_order.split(",").index(NAMES[MALE])]
        return Estimates.from_probabilities(male, age)
