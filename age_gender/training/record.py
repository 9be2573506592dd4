"""What is written and printed about a training run."""

import json
import os
import platform
import shlex
import time

import keras

from age_gender import __version__, installation, system, weights
from age_gender.files import atomic_write, shown


def describe(args, argv, faces, network, way, teachers=()):
    """Metadata for the weight files, without the validation figures.

    What may be done with teachers may be done with what has learnt from them: ``teachers`` are
    their `weights.Description`s.
    """
    return weights.Description(
        network,
        crop=faces.crop,
        margin=faces.margin,
        resize=faces.resize if network.image_size == faces.img_size else "area",
        data=faces.data,
        terms="; ".join(dict.fromkeys([faces.terms, *(each.terms for each in teachers)])),
        split_seed=args.split_seed,
        validation_split=args.validation_split,
        test_split=args.test_split,
        fold="{}/{}".format(*args.fold) if args.fold else None,
        training=shlex.join(["train.py", *map(_without_folder, argv)]),
        engine=f"Keras {keras.version()}, {keras.backend.backend()}, {way.engine}",
        precision=way.precision,
    )


def _without_folder(argument):
    return os.path.basename(os.path.normpath(argument)) if os.path.isabs(argument) else argument


def best_weights(path, with_gender):
    """The line on the weights with the lowest validation loss.

    Args:
        path: the weight file.
        with_gender: whether any gender of the validation set is known.
    """
    best, _ = weights.read(path)
    line = (
        f"weights {shown(path)}  validation loss {best.val_loss:.2f}, age MAE "
        f"{best.val_age_mae:.2f} years"
    )
    accuracy = f", gender accuracy {100 * best.val_gender_accuracy:.1f} percent"
    return line + accuracy if with_gender else line


class Record(keras.callbacks.Callback):
    """Write the settings of a run and, at its end, its speed and memory, as JSON.

    Args:
        path: the file.
        settings: dict of texts and numbers.
        argv: the command's arguments.
        batch_size: pictures in a step.
    """

    def __init__(self, path, settings, argv, batch_size):
        super().__init__()
        self.path = path
        self.content = {
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
        self.content |= {"pictures a second": speed, "peak memory, MB": peak and peak / 2**20}
        self._write()

    def _write(self):
        with atomic_write(self.path) as partial:
            partial.write_text(json.dumps(self.content, indent=1) + "\n")

    def summary(self):
        """A line on speed and memory."""
        speed, peak = self.content["pictures a second"], self.content["peak memory, MB"]
        fast = f"{speed:.1f} pictures a second in the steps, " if speed else ""
        memory = f"peak memory {peak:,.0f} MB" if peak else "memory unknown"
        return f"{fast}{memory}"
