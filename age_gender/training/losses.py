"""Losses and metrics for training.

A face of unknown gender, or without an embedding, has zeros as its target: it counts nowhere.
"""

import keras
from keras import ops


def _years(probabilities):
    return ops.sum(probabilities * ops.arange(probabilities.shape[-1], dtype="float32"), axis=-1)


def age_error(y_true, y_pred):
    """Absolute error of the expected age in years: two times (N, 101) to (N,)."""
    return ops.abs(_years(ops.cast(y_true, "float32")) - _years(ops.cast(y_pred, "float32")))


class AgeLoss(keras.losses.Loss):
    """Cross-entropy of the age plus ``weight`` times the error of the expected age.

    Gao et al., "Age Estimation Using Expectation of Label Distribution Learning", IJCAI 2018.
    """

    def __init__(self, weight=0.0, name="age_loss"):
        super().__init__(name=name)
        self.weight = weight

    def call(self, y_true, y_pred):
        loss = keras.losses.categorical_crossentropy(y_true, y_pred)
        return loss + self.weight * age_error(y_true, y_pred) if self.weight else loss


class EmbeddingLoss(keras.losses.Loss):
    """``weight`` times the mean squared error of standardised embeddings.

    Distillation (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015) of features
    (Romero et al., "FitNets", ICLR 2015) of a network trained for another task.
    """

    def __init__(self, weight=1.0, name="embedding_loss"):
        super().__init__(name=name)
        self.weight = weight

    def call(self, y_true, y_pred):
        known = ops.cast(ops.any(y_true != 0, axis=-1), y_pred.dtype)
        return self.weight * known * ops.mean(ops.square(y_true - y_pred), axis=-1)


class AgeError(keras.metrics.MeanMetricWrapper):
    """Mean absolute error of the expected age, in years."""

    def __init__(self, name="mae"):
        super().__init__(age_error, name=name)


class GenderAccuracy(keras.metrics.Metric):
    """Accuracy over the faces of known gender."""

    def __init__(self, name="accuracy"):
        super().__init__(name=name)
        self.right = self.add_weight(name="right", initializer="zeros")
        self.known = self.add_weight(name="known", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        known = ops.sum(ops.cast(y_true, "float32"), axis=-1)
        right = ops.cast(ops.argmax(y_true, axis=-1) == ops.argmax(y_pred, axis=-1), "float32")
        self.right.assign_add(ops.sum(right * known))
        self.known.assign_add(ops.sum(known))

    def result(self):
        return ops.divide_no_nan(self.right, self.known)
