"""Training callbacks: weight averaging, checkpoints, history, and an early end of hopeless runs.

Files appear when they are complete.
"""

import contextlib
import dataclasses
import time

import keras
import numpy as np
from keras import ops

from age_gender import weights
from age_gender.command_line import UserError
from age_gender.files import atomic_write
from wide_resnet import two_heads


@contextlib.contextmanager
def averaged(model):
    """Lend a model the running average of its weights, if its optimizer keeps one."""
    if not model.optimizer.use_ema:
        yield
        return
    averages = model.optimizer._model_variables_moving_average
    raw = [ops.convert_to_numpy(each).copy() for each in model.trainable_variables]
    for variable, average in zip(model.trainable_variables, averages):
        # A copy: JAX would share the array, and free it with the weights after the next step.
        variable.assign(ops.convert_to_numpy(average).copy())
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, raw):
            variable.assign(value)


class ValidateAverage(keras.callbacks.Callback):
    """Validate the average of the weights instead of the weights of the last step.

    Keras's own SwapEMAWeights swaps by sums and differences, which round: a resumed run would
    not end with the same weights.
    """

    def on_test_begin(self, logs=None):
        self._average = averaged(self.model)
        self._average.__enter__()

    def on_test_end(self, logs=None):
        self._average.__exit__(None, None, None)


class Checkpoints(keras.callbacks.Callback):
    """Write weights.NN-L.LL.hdf5 each time ``val_loss`` is the lowest so far.

    Args:
        folder: where; None to write nothing, as on all hosts but the first.
        description: `weights.Description` without the validation figures.

    Attributes:
        best: the lowest ``val_loss``.
        path: the file with it; None if there is none yet.
    """

    def __init__(self, folder, description):
        super().__init__()
        self.folder = folder
        self.description = description
        self.best = float("inf")
        self.path = None

    def on_epoch_end(self, epoch, logs=None):
        if not logs["val_loss"] < self.best:
            return
        self.best = float(logs["val_loss"])
        description = dataclasses.replace(
            self.description,
            epoch=epoch + 1,
            val_loss=self.best,
            val_age_mae=logs["val_pred_age_mae"],
            val_gender_accuracy=logs["val_pred_gender_accuracy"],
        )
        with averaged(self.model):  # on all hosts: they assign to shared weights together
            if self.folder is None:
                return
            self.path = self.folder / f"weights.{epoch + 1:02d}-{self.best:.2f}.hdf5"
            weights.write(self.path, two_heads(self.model), description)


class History(keras.callbacks.Callback):
    """Write the figures of all epochs so far: pandas HDF with the key ``history``, and CSV.

    Args:
        path: of the HDF file; None to write nothing, as on all hosts but the first.
    """

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.rows = []

    def on_epoch_end(self, epoch, logs=None):
        logs["lr"] = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.rows.append({name: float(value) for name, value in logs.items()})
        if self.path:
            self.write()

    def write(self):
        import pandas

        table = pandas.DataFrame(self.rows)
        memory = {"driver": "H5FD_CORE", "driver_core_backing_store": 0}  # see `weights.write`
        with pandas.HDFStore(self.path.name, "w", **memory) as store:
            store.put("history", table, track_times=False)
            content = store._handle.get_file_image()
        with atomic_write(self.path) as partial:
            partial.write_bytes(content)
        table.index += 1
        with atomic_write(self.path.with_suffix(".csv")) as partial:
            table.to_csv(partial, index_label="epoch")


def tensorboard(folder):
    """The callback that writes TensorBoard logs. Raises `UserError` on another backend."""
    if keras.backend.backend() != "tensorflow":
        raise UserError("TensorBoard logs need TensorFlow as Keras's backend")
    return keras.callbacks.TensorBoard(folder, write_graph=False)


class Callbacks(keras.callbacks.CallbackList):
    """Callbacks that get the figures of some training steps only, and ``{}`` after the others.

    To read a figure is to wait for its step, and an accelerator that is waited for has nothing to
    do. So after every STEPS steps the figures are those of STEPS steps before, which are there
    already, and nothing runs farther ahead. Only of the first step, the last of an epoch, and one
    in SECONDS, they are waited for.
    """

    STEPS = 16
    SECONDS = 1

    def __init__(self, *args, **kwargs):
        self._since = 0  # steps since figures were read
        self._earlier = None  # the figures of that step
        self._read = -float("inf")  # when it was
        super().__init__(*args, add_history=True, **kwargs)  # which `fit` returns

    def on_train_batch_end(self, batch, logs=None):
        self._since += 1
        last = batch + 1 >= self.params["steps"]
        if last or time.monotonic() - self._read >= self.SECONDS:
            figures = logs
        else:
            figures = self._earlier if self._since >= self.STEPS else None
        super().on_train_batch_end(batch, figures)
        if figures is not None:
            self._since, self._earlier, self._read = 0, logs, time.monotonic()


class Watch(keras.callbacks.Callback):
    """End a run that cannot succeed.

    Raises `UserError` if the loss becomes NaN or infinite, or if the age loss has not fallen at
    all in PATIENCE epochs, as with a learning rate that is too high from the first step on.

    Args:
        begun: the run starts from trained weights, whose loss may rise at first.
    """

    PATIENCE = 4

    def __init__(self, begun=False):
        super().__init__()
        self.begun = begun
        self.epoch = 0
        self.losses = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        if logs and not np.isfinite(float(logs["loss"])):
            self._end("the loss became NaN or infinite")

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["pred_age_loss"])
        stuck = len(self.losses) == self.PATIENCE and min(self.losses[1:]) >= self.losses[0]
        if stuck and not self.begun:
            self._end(f"the age loss has not fallen in {self.PATIENCE} epochs")

    def _end(self, what):
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        raise UserError(
            f"{what}, in epoch {self.epoch} at the learning rate {rate:.3g}: try a tenth of it, or "
            "a longer warm-up"
        )
