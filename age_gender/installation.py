"""Where this program lies: in a checkout of its repository, or installed by pip.

In a checkout the commands lie beside the package, in an installation within it.
"""

import os
import subprocess
from pathlib import Path

from age_gender import __version__
from age_gender.errors import UserError

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None
WEIGHTS = (CHECKOUT or PACKAGE) / "pretrained_models"  # the folder of the weights that ship


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
