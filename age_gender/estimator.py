"""Ages and genders of face crops: the one compiled prediction path of the suite.

Prediction is in float32 with TensorFlow's own kernels on every machine, so that an estimate does
not depend on the processor. bfloat16 gains nothing for one face, and XLA nothing for 64
(benchmarks/README.md).
"""

import numpy as np

from age_gender import weights
from age_gender.command_line import quiet_start
from age_gender.estimates import Estimates
from age_gender.genders import MALE, NAMES
from wide_resnet import AGE_CLASSES

BATCH_SIZE = 64  # faces that go through the network at once, at most


class Estimator:
    """The network with its weights.

    Args:
        weight_file: a path or a published name; None for the weights that ship.
        depth, width: raise `UserError` if the file holds another network; None accepts any.

    Attributes:
        path: of the weight file.
        description: `weights.Description`.
        image_size: side of the faces in pixels.
        traces: graphs traced so far.
    """

    def __init__(self, weight_file=None, depth=None, width=None):
        self.path, self.description, arrays = weights.load(weight_file, depth, width)
        self.image_size = self.description.image_size
        self.traces = 0
        with quiet_start():
            import tensorflow as tf

            model = self.description.network.in_precision("float32")
        model.set_weights(arrays)

        side = self.image_size  # one graph takes any number of faces

        @tf.function(input_signature=[tf.TensorSpec((None, side, side, 3), tf.uint8)])
        def predict(faces):
            self.traces += 1  # runs when a graph is traced, not when it is used
            return model(tf.cast(faces, tf.float32), training=False)

        self._predict = predict

    def __call__(self, faces):
        """Estimate faces.

        Args:
            faces: (N, S, S, 3) uint8 BGR, S being `image_size`; N may be 0.

        Returns:
            `Estimates`.
        """
        faces = np.asarray(faces, np.uint8).reshape(-1, self.image_size, self.image_size, 3)
        genders, ages = [np.empty((0, 2), np.float32)], [np.empty((0, AGE_CLASSES), np.float32)]
        for start in range(0, len(faces), BATCH_SIZE):
            gender, age = self._predict(faces[start : start + BATCH_SIZE])
            genders.append(gender.numpy())
            ages.append(age.numpy())
        gender, age = np.concatenate(genders), np.concatenate(ages)
        male = gender[:, self.description.gender_order.split(",").index(NAMES[MALE])]
        return Estimates.from_probabilities(male, age)
