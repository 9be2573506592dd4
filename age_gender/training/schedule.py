"""The learning rate schedule."""

import keras
import numpy as np
from keras import ops


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of each step.

    Args:
        full: the rate between warm-up and decay.
        epochs, epoch_steps: of the run, and steps in each of them.
        schedule: "step" (the original's: 1, 0.2, 0.04, 0.008 in the quarters of the epochs) or
            "cosine".
        warmup: epochs over which the rate rises from zero.
    """

    def __init__(self, full, epochs, epoch_steps, schedule="step", warmup=0.0):
        self.full = full
        self.epochs = epochs
        self.epoch_steps = epoch_steps
        self.schedule = schedule
        self.warmup = warmup

    def __call__(self, step):
        step = ops.cast(step, "float32")
        begin = self.warmup * self.epoch_steps
        if self.schedule == "cosine":
            rest = max(self.epochs * self.epoch_steps - begin, 1)
            factor = 0.5 * (1 + ops.cos(np.pi * (step - begin) / rest))
        else:
            epoch = ops.floor(step / self.epoch_steps)
            factor = 0.2 ** ops.minimum(ops.floor(4 * epoch / self.epochs), 3.0)
        rising = (step + 1) / max(begin, 1)
        return self.full * ops.where(step < begin, rising, factor)

    def get_config(self):
        return dict(vars(self))
