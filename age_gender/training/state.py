"""The state of an unfinished run: one file, rewritten after every epoch.

A run that is restored from it ends with the same weights as if it had never stopped.
"""

import io
import json
import zipfile

import keras
import numpy as np
from keras import ops

from age_gender.command_line import UserError
from age_gender.files import atomic_write


def read_state(path, content=None):
    """Read the file that `State` writes: (dict of numbers and texts, list of arrays).

    Args:
        path: the file.
        content: its bytes, if another host has read it.

    Raises `UserError` if it is damaged.
    """
    try:
        with np.load(io.BytesIO(content) if content else path) as file:
            facts = json.loads(str(file["said"]))
            return facts, [file[f"{i}"] for i in range(len(file.files) - 1)]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged: remove it and start afresh") from error


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
        if [variable.shape for variable in variables] != [array.shape for array in arrays]:
            raise UserError(f"{self.path} is of another version of this program: start afresh")
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        self.checkpoints.best = facts["best"]
        if self.checkpoints.folder and facts.get("best file"):
            self.checkpoints.path = self.checkpoints.folder / facts["best file"]
        self.history.rows = facts["history"]
        self.watch.losses = facts["losses"]
        return facts["epoch"]
