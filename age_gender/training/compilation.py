"""What JAX compiles, kept for later runs: their first steps begin in a third of the time.

TensorFlow can keep what XLA compiles too (``--tf_xla_persistent_cache_directory``), but a damaged
file of that cache, or a full disk, ends the run. So it compiles anew.
"""

import contextlib
import hashlib
import os
import platform
import stat
import warnings
import zlib

import keras

from age_gender import autotune, installation, system
from age_gender.command_line import UserError, log

MOST = 2**28  # bytes that are kept of all machines and versions
ZLIB = b"\x78"  # the first byte of what zlib has compressed; other ways are checked by JAX alone


def keep():
    """Let JAX keep what it compiles in the user's cache folder, and find it there.

    Nothing is done on TensorFlow, or where JAX_COMPILATION_CACHE_DIR names a folder. What is found
    is executed, so it has to be in a folder that only this user may write to; and what is damaged
    or cannot be written is compiled.
    """
    if keras.backend.backend() != "jax":
        return
    import jax

    if jax.config.jax_compilation_cache_dir:
        return
    try:
        folder = _private(installation.cache() / "compiled") / _machine(jax)
        folder.mkdir(mode=0o700, exist_ok=True)
        _tidy(folder.parent)
    except (OSError, UserError) as error:
        if isinstance(error, OSError):
            error = f"{error.filename}: {error.strerror}"
        log(f"what is compiled is not kept for later runs: {error}")
        return
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update(
        "jax_persistent_cache_min_compile_time_secs", 0.0
    )  # there are many small ones


def _machine(jax):
    """A name for this kind of machine and version: what is compiled runs on no other."""
    facts = [jax.__version__, platform.machine(), platform.system(), *autotune.accelerators()]
    facts.append(autotune.processor().get("flags", ""))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _private(folder):
    """A folder, made if need be, that only this user may write to; `UserError` where it is not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)  # whatever the umask
    for each in (folder.parent, folder):
        found = each.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise UserError(f"{each} is not a folder")
        if system.foreign(found):
            raise UserError(f"other users may write to {each}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder} cannot be written to")
    return folder


def _tidy(folder):
    """Remove damaged files, and those unused for longest until there are few enough."""
    files = []
    for path in folder.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):  # another run may remove it meanwhile
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                files.append((max(found.st_atime, found.st_mtime), found.st_size, path))
    kept = 0
    for _, size, path in sorted(files, reverse=True):
        kept += size
        with contextlib.suppress(FileNotFoundError):
            if kept > MOST or path.name.endswith("-cache") and _is_damaged(path):
                path.unlink()


def _is_damaged(path):
    content = path.read_bytes()
    if content[:1] not in (ZLIB, b""):
        return False
    try:
        zlib.decompress(content)
    except zlib.error:
        return True
    return False
