"""The folder of a training: one run at a time, and nothing in it is replaced unasked."""

import contextlib
import re
import shutil

from age_gender.errors import UserError
from age_gender.files import locked

RESULTS = re.compile(r"history_\d+_\d+\.(h5|csv)|weights\.\d+-\d+\.\d+\.hdf5")
OTHERS = re.compile(r"run_\d+_\d+\.json|state_\d+_\d+\.npz|logs_\d+_\d+")


@contextlib.contextmanager
def held(folder):
    """Make a folder if need be, and keep other trainings out of it while the block lasts.

    What was made is removed if nothing was written into it. Raises `UserError` if another training
    has the folder.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(
            folder / ".lock",
            f"another training is writing to {folder}: wait for its end, or give another folder",
            temporary=True,
        ):
            yield
    finally:
        with contextlib.suppress(OSError):  # the first that is not empty
            for path in made:
                path.rmdir()


def is_resumed(folder, state, resume, overwrite):
    """Whether to resume the unfinished run in a folder.

    Args:
        folder: it.
        state: path of the state of the run.
        resume, overwrite: what the user asks for.

    Raises `UserError` if there is no such run, or one would be replaced unasked.
    """
    if resume and not state.is_file():
        raise UserError(f"--resume: there is no unfinished run ({state} does not exist)")
    if resume or overwrite:
        return resume
    if state.is_file():
        raise UserError(
            f"{state} is an unfinished run: add --resume to resume it, or --overwrite to replace it"
        )
    if results := sorted(path.name for path in folder.iterdir() if RESULTS.fullmatch(path.name)):
        raise UserError(
            f"--output_path: {folder} holds an earlier training ({results[0]}): give another "
            "folder, or add --overwrite to replace it"
        )
    return False


def clear(folder, kept=()):
    """Remove what earlier trainings have written into a folder, but for the files in ``kept``."""
    kept = {path.resolve() for path in kept}
    for path in folder.iterdir():
        if not RESULTS.fullmatch(path.name) and not OTHERS.fullmatch(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.resolve() not in kept:
            path.unlink()
