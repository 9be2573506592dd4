"""The state of an unfinished run: one file, rewritten after every epoch.

A run that is restored from it ends with the same weights as if it had never stopped.
"""

import json
import os
import re

import keras
import numpy as np
from keras import ops

from age_gender import npz
from age_gender.autotune import ENGINES, PRECISIONS
from age_gender.command_line import UserError
from age_gender.files import atomic_write
from age_gender.stored import Unreadable


def read_state(path, content=None):
    """Read the file that `State` writes: (dict of numbers and texts, list of arrays).

    Args:
        path: the file.
        content: its bytes, if another host has read it.

    Raises `UserError` if it is damaged.
    """
    try:
        arrays = npz.read(path, content)
        facts = _facts(str(arrays.pop("said", "")))
        facts["settings"].setdefault("augment_on", "host")  # of runs before there was a choice
        return facts, [arrays[f"{number}"] for number in range(len(arrays))]
    except (Unreadable, KeyError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: remove it and start afresh") from error


def _facts(text):
    """The numbers and texts of a state. Raises ValueError if one is missing or of another type."""
    facts = json.loads(text)
    epoch, best, file = (facts.get(name) for name in ("epoch", "best", "best file"))
    rows, losses, settings = (facts.get(name) for name in ("history", "losses", "settings"))
    right = (
        (isinstance(epoch, int) and 0 <= epoch <= 10**6)
        and (isinstance(best, float))
        and (file is None or isinstance(file, str) and os.path.basename(file) == file)
        and (isinstance(rows, list) and all(_are_numbers(row, dict) for row in rows))
        and (_are_numbers(losses, list))
        and (
            isinstance(settings, dict) and all(isinstance(v, str | int) for v in settings.values())
        )
        and (settings.get("engine") in ENGINES and settings.get("precision") in PRECISIONS)
        and (settings.get("augment_on", "host") in ("host", "device"))
        and (re.fullmatch(r"[1-9]\d{0,4}", str(settings.get("steps_per_execution"))))
    )
    if not right:
        raise ValueError
    return facts


def _are_numbers(values, kind):
    """Whether something is a list of numbers, or a dict of them."""
    if not isinstance(values, kind):
        return False
    return all(isinstance(v, float | int) for v in (values.values() if kind is dict else values))


class State(keras.callbacks.Callback):
    """Write all that a run needs to resume, in one file.

    Args:
        path: the file (.npz); None to write nothing, as on all hosts but the first.
        settings: dict of texts and numbers that must be the same to resume the run.
        checkpoints, history, watch: the `callbacks` of the run, whose state is written too.
    """

    def __init__(self, path, settings, checkpoints, history, watch):
        super().__init__()
        self.path = path
        self.settings = settings
        self.checkpoints = checkpoints
        self.history = history
        self.watch = watch

    def _variables(self, model):
        return [*model.variables, *model.optimizer.variables]

    def on_epoch_end(self, epoch, logs=None):
        if self.path is None:
            return
        facts = {
            "epoch": epoch + 1,
            "best": self.checkpoints.best,
            "best file": self.checkpoints.path and self.checkpoints.path.name,
            "history": self.history.rows,
            "losses": [float(loss) for loss in self.watch.losses],
            "settings": self.settings,
        }
        variables = self._variables(self.model)
        arrays = {f"{i}": ops.convert_to_numpy(v) for i, v in enumerate(variables)}
        with atomic_write(self.path) as partial, open(partial, "wb") as file:
            np.savez(file, said=json.dumps(facts), **arrays)

    def restore(self, model, facts, arrays):
        """Bring a compiled model, and the other callbacks, to where the run was.

        Args:
            model: the model.
            facts, arrays: what `read_state` returned.

        Returns the number of epochs that are done. Raises `UserError` if the run had other
        settings.
        """
        differing = [
            f"{name} was {facts['settings'].get(name)}"
            for name, value in self.settings.items()
            if facts["settings"].get(name) != value
        ]
        if differing:
            raise UserError(f"the run had other settings: {', '.join(differing)}")
        model.optimizer.build(model.trainable_variables)
        variables = self._variables(model)
        kinds = {array.dtype.kind for array in arrays}
        shapes = [array.shape for array in arrays]
        if [variable.shape for variable in variables] != shapes or not kinds <= set("iuf"):
            raise UserError(f"{self.path} is of another version of this program: start afresh")
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        self.checkpoints.best = facts["best"]
        if self.checkpoints.folder and facts.get("best file"):
            self.checkpoints.path = self.checkpoints.folder / facts["best file"]
        self.history.rows = facts["history"]
        self.watch.losses = facts["losses"]
        return facts["epoch"]
