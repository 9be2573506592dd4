"""Imports Keras and its backend: quietly, quicker, and with Keras's own defaults."""

import contextlib
import os
import sys
import tempfile

from age_gender import interrupts
from age_gender.errors import UserError

NEEDLESS = {  # of what Keras and its backend import
    "tensorflow": {"jax", "matplotlib"},
    "jax": {"tensorflow", "matplotlib"},
}
XLA_FLAGS = {"XLA_FLAGS", "TF_XLA_FLAGS"}


@contextlib.contextmanager
def _hidden(modules):
    """Let imports of some modules fail while the block lasts."""
    sys.modules.update(dict.fromkeys(modules))
    try:
        yield
    finally:
        for module in modules:
            del sys.modules[module]


@contextlib.contextmanager
def _keras_of_our_own():
    """Let Keras be imported in the block with its defaults; yield the name of its backend.

    Backend, layout, precision: what other programs have put into ~/.keras/keras.json is for them.
    Only KERAS_BACKEND chooses, between the backends that this program runs on.
    """
    before = {name: os.environ.get(name) for name in ("KERAS_BACKEND", "KERAS_HOME")}
    backend = before["KERAS_BACKEND"] if before["KERAS_BACKEND"] in NEEDLESS else "tensorflow"
    os.environ["KERAS_BACKEND"] = backend
    os.environ["KERAS_HOME"] = os.devnull  # where there is no file, nor can one be made
    try:
        yield backend
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def quiet_start():
    """Import TensorFlow or Keras in the block: its talk stays off the terminal, and it is quicker.

    What they import only because it is there (`NEEDLESS`) is hidden meanwhile: it takes a quarter
    of the time.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet(), _keras_of_our_own() as backend, _hidden(NEEDLESS[backend] - sys.modules.keys()):
        with interrupts.at_once():
            yield


@contextlib.contextmanager
def quiet():
    """Turn stderr aside in the block; it is printed where an error leaves that is not one line.

    TensorFlow's talk is written by C++ code before any log level is read. With flags for XLA all
    of it is shown: a wrong flag ends the process at once.
    """
    if os.environ.keys() & XLA_FLAGS:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except (UserError, OSError):  # one line will do
            raise
        except Exception:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
