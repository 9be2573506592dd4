"""What happens beside the steps of training: the rate, the average, the files, the watch.

Files have their names only when whole. The state of a run is one file, rewritten after every epoch,
from which `State.restore` goes on to the same weights as if the run had never stopped.
"""

import contextlib
import dataclasses
import io
import json
import platform
import shlex
import time
import zipfile

import keras
import numpy as np
from keras import ops

from age_gender import __version__, installation, system, weights
from age_gender.command_line import UserError
from age_gender.files import atomic_write
from wide_resnet import two_heads


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


@contextlib.contextmanager
def averaged(model):
    """The model with the running average of its weights, where its optimizer keeps one."""
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
    """Validate the average of the weights, not the weights of the last step.

    Keras's own SwapEMAWeights swaps by sums and differences, which round: a resumed run would
    not end at the same weights.
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
        description: `weights.Description` of all but the figures.
    """

    def __init__(self, folder, description):
        super().__init__()
        self.folder = folder
        self.description = description
        self.best = float("inf")

    def on_epoch_end(self, epoch, logs=None):
        if not logs["val_loss"] < self.best:
            return
        self.best = float(logs["val_loss"])
        known = dataclasses.replace(
            self.description,
            epoch=epoch + 1,
            val_loss=self.best,
            val_age_mae=logs["val_pred_age_mae"],
            val_gender_accuracy=logs["val_pred_gender_accuracy"],
        )
        with averaged(self.model):  # on all hosts: assigning to shared weights is a joint act
            if self.folder is None:
                return
            path = self.folder / f"weights.{epoch + 1:02d}-{self.best:.2f}.hdf5"
            weights.write(path, two_heads(self.model), known)


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
        with atomic_write(self.path) as partial:
            table.to_hdf(partial, key="history", mode="w")
        table.index += 1
        with atomic_write(self.path.with_suffix(".csv")) as partial:
            table.to_csv(partial, index_label="epoch")


class Record(keras.callbacks.Callback):
    """Write what a run is, and at its end how fast it was and what memory it took, as JSON.

    Args:
        path: the file.
        settings: dict of texts and numbers.
        argv: the command's arguments.
        batch_size: pictures in a step.
    """

    def __init__(self, path, settings, argv, batch_size):
        super().__init__()
        self.path = path
        self.said = {
            "command": shlex.join(["train.py", *argv]),
            "version": __version__,
            "commit": installation.commit(),
            "python": platform.python_version(),
            "keras": keras.version(),
            "backend": keras.backend.backend(),
            "settings": settings,
        }
        self.batch_size = batch_size
        self._first = 0, 0.0  # steps and seconds of the first call of the graph, which compiles it,
        self._others = 0, 0.0  # and of all others together

    def on_train_begin(self, logs=None):
        self._write()

    def on_epoch_begin(self, epoch, logs=None):
        self._begun, self._done = time.perf_counter(), 0

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        done = min(batch + 1, self.params["steps"])  # Keras numbers a shorter last call as if full
        steps, seconds = done - self._done, now - self._begun
        if self._first[0]:
            self._others = self._others[0] + steps, self._others[1] + seconds
        else:
            self._first = steps, seconds
        self._begun, self._done = now, done

    def on_train_end(self, logs=None):
        peak = system.peak_memory()
        steps, seconds = self._others if self._others[0] else self._first
        speed = self.batch_size * steps / seconds if steps else None  # no epoch was left to train
        self.said |= {"pictures a second": speed, "peak memory, MB": peak and peak / 2**20}
        self._write()

    def _write(self):
        with atomic_write(self.path) as partial:
            partial.write_text(json.dumps(self.said, indent=1) + "\n")

    def summary(self):
        speed, peak = self.said["pictures a second"], self.said["peak memory, MB"]
        fast = f"{speed:.1f} pictures a second in the steps, " if speed else ""
        held = f"{peak:,.0f} MB of memory at most" if peak else "memory unknown"
        return f"{fast}{held}"


def tensorboard(folder):
    """The callback that writes TensorBoard's logs; `UserError` where that cannot be."""
    if keras.backend.backend() != "tensorflow":
        raise UserError("--tensorboard needs TensorFlow: leave it out under KERAS_BACKEND")
    return keras.callbacks.TensorBoard(folder, write_graph=False)


class Watch(keras.callbacks.Callback):
    """End a run that cannot come to anything.

    Raises `UserError` where the loss is no number, or where after PATIENCE epochs that of the
    ages has not fallen at all: the trap of a rate that is too high from the first step on.

    Args:
        begun: the run starts from trained weights, whose loss may well rise at first.
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
        if not np.isfinite(float(logs["loss"])):
            self._end("the loss is no longer a number")

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["pred_age_loss"])
        stuck = len(self.losses) == self.PATIENCE and min(self.losses[1:]) >= self.losses[0]
        if stuck and not self.begun:
            self._end(f"the loss of the ages has not fallen in {self.PATIENCE} epochs")

    def _end(self, what):
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        raise UserError(
            f"{what}, in epoch {self.epoch} at the learning rate {rate:.3g}: try a tenth of it "
            "(--lr) or a longer --warmup"
        )


def read_state(path, content=None):
    """What `State` has kept: (what the run said of itself, its arrays). Raises `UserError`.

    Args:
        path: the file.
        content: its bytes, where another host has read it.
    """
    try:
        with np.load(io.BytesIO(content) if content else path) as file:
            said = json.loads(str(file["said"]))
            return said, [file[f"{i}"] for i in range(len(file.files) - 1)]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged: remove it and start afresh") from error


class State(keras.callbacks.Callback):
    """Keep all that a run needs to go on, in one file.

    Args:
        path: the file (.npz); None to write nothing, as on all hosts but the first.
        settings: dict of texts and numbers that a run must share to go on with it.
        kept: `Checkpoints`, history: `History`, watch: `Watch`, whose memory is kept too.
    """

    def __init__(self, path, settings, kept, history, watch):
        super().__init__()
        self.path = path
        self.settings = settings
        self.kept = kept
        self.history = history
        self.watch = watch

    def _variables(self, model):
        return [*model.variables, *model.optimizer.variables]

    def on_epoch_end(self, epoch, logs=None):
        if self.path is None:
            return
        said = {"epoch": epoch + 1, "best": self.kept.best, "history": self.history.rows}
        said |= {"losses": [float(loss) for loss in self.watch.losses], "settings": self.settings}
        variables = self._variables(self.model)
        arrays = {f"{i}": ops.convert_to_numpy(v) for i, v in enumerate(variables)}
        with atomic_write(self.path) as partial, open(partial, "wb") as file:
            np.savez(file, said=json.dumps(said), **arrays)

    def restore(self, model, said, arrays):
        """Bring a built and compiled model, and the other callbacks, to where the run was.

        Args:
            model: the model.
            said, arrays: what `read_state` returned.

        Returns the number of epochs that are done. Raises `UserError` where it is not the state
        of a run with the same settings.
        """
        differing = [
            f"{name} was {said['settings'].get(name)}"
            for name, value in self.settings.items()
            if said["settings"].get(name) != value
        ]
        if differing:
            raise UserError(f"--resume needs the settings of the run: {', '.join(differing)}")
        model.optimizer.build(model.trainable_variables)
        variables = self._variables(model)
        if [variable.shape for variable in variables] != [array.shape for array in arrays]:
            raise UserError(f"{self.path} is of another version of this program: start afresh")
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        self.kept.best = said["best"]
        self.history.rows = said["history"]
        self.watch.losses = said["losses"]
        return said["epoch"]
