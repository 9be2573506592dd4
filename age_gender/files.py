"""Files that appear when they are complete, and locks between processes."""

import contextlib
import errno
import os

from age_gender.command_line import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a full disk answers


@contextlib.contextmanager
def atomic_write(path):
    """Yield a temporary path beside ``path``; rename it onto ``path`` only on success.

    Whatever goes wrong, Ctrl-C included, no file under the final name is left incomplete.
    """
    partial = path.with_name(path.name + ".part")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path, otherwise):
    """Open ``path`` for appending, binary, and keep other processes from doing the same.

    Raises `UserError` with the message ``otherwise`` where another process has it.
    """
    import fcntl

    with open(path, "ab+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(otherwise) from error
        yield file
