"""Where this program lies: in a checkout of its repository, or installed by pip.

In a checkout the commands lie beside the package, in an installation within it.
"""

import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path

from age_gender import __version__
from age_gender.errors import UserError

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None
# What training, evaluation and diagrams need, and demo.py, run.py and the Python API do not.
TRAINING = ("tensorflow", "keras", "pandas", "tables", "matplotlib", "tensorboard")
WEIGHTS = (CHECKOUT or PACKAGE) / "pretrained_models"  # the folder of the weights that ship


def require_training():
    """Raise `UserError` where one of TRAINING is not installed, although other packages are.

    TensorFlow itself may be missing: with KERAS_BACKEND=jax nothing needs it.
    """
    missing = [name for name in TRAINING[1:] if importlib.util.find_spec(name) is None]
    if missing and importlib.util.find_spec("numpy"):
        raise UserError(how_to_train(missing[0]))


def how_to_train(missing):
    """The line about one of TRAINING that is not installed."""
    packages = ["-r", str(CHECKOUT / "requirements.txt")] if CHECKOUT else TRAINING
    command = shlex.join([sys.executable, "-m", "pip", "install", *packages])
    return f"{missing} is not installed, which demo.py and run.py do without: type {command}"


def folder():
    """The folder that relative defaults start from: the checkout, else the current folder."""
    return CHECKOUT or Path.cwd()


def cache():
    """The user's folder for downloads and measurements; `UserError` where there is no home."""
    parent = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(parent):
        raise UserError("there is no home folder: set HOME or XDG_CACHE_HOME")
    return Path(parent, "age-gender-estimation")


def commit():
    """The commit of the checkout, with "+" where files differ from it; None where it has none."""
    if CHECKOUT is None:
        return None
    git = ["git", "-C", str(CHECKOUT)]
    how = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    how["env"] = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        found = subprocess.run([*git, "rev-parse", "HEAD"], **how)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], **how)
    except OSError:
        return None
    if found.returncode:
        return None
    return found.stdout.strip() + ("+" if changed.returncode else "")


def version():
    """The version, and in a checkout its commit: "1.0.0 (commit 0123abc)"."""
    found = commit()
    return f"{__version__} (commit {found})" if found else __version__
