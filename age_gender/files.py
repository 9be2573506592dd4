"""Files that appear when they are complete, locks between processes, room on disk."""

import contextlib
import errno
import functools
import os
import shlex
import shutil
import stat
import tempfile
import time

from age_gender import interrupts
from age_gender.command_line import UserError, log

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a full disk answers
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)  # a file system without
NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EROFS, errno.EPERM)
FAR = 2**31 - 2  # Windows locks bytes and then lets no one read them: one behind any content
WINDOWS = os.name == "nt"
BUSY = 5.0  # seconds in which a program that reads a file should be done with it


@contextlib.contextmanager
def atomic_write(path):
    """Yield a temporary path beside ``path``; rename it onto ``path`` only on success.

    Whatever goes wrong, Ctrl-C and a loss of power included, no file under the final name is left
    incomplete. An `OSError` of the block names the file.
    """
    partial = path.with_name(path.name + ".part")
    with interrupts.unfinished(partial), naming(path):
        try:
            yield partial
            with open(partial, "rb+") as file:
                sync(file)
            replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def refuse_existing(folder, names, overwrite):
    """Raise `UserError` if a folder is none, or holds one of the names and is not to replace it."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UserError(f"{folder} is a file: give a folder")
    existing = [name for name in names if os.path.lexists(os.path.join(folder, name))]
    if existing and not overwrite:
        raise UserError(
            f"{folder} holds {existing[0]}: add --overwrite to replace it, or give another folder"
        )


@contextlib.contextmanager
def atomic_folder(path):
    """Like `atomic_write`, of a folder; one that is there is replaced as a whole."""
    partial, old = (path.with_name(path.name + suffix) for suffix in (".part", ".old"))
    shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
    with interrupts.unfinished(partial), naming(path):
        try:
            yield partial
            for each in partial.rglob("*"):
                if each.is_file():
                    with open(each, "rb+") as file:
                        sync(file)
            if replaced := path.exists():
                shutil.rmtree(old, ignore_errors=True)
                replace(path, old)
            try:
                replace(partial, path)
            except OSError:
                if replaced:
                    replace(old, path)
                raise
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def replace(source, target):
    """Rename a file, onto one that may exist; neither may be open in this process.

    Windows refuses while another program has one of them open, so there it is tried for a while.
    Where the file system renames onto no other file, that is deleted first.
    """
    deadline = time.monotonic() + BUSY
    while True:
        try:
            return os.replace(source, target)
        except FileExistsError:
            os.unlink(target)
        except PermissionError:
            if not WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def naming(path):
    """Let an `OSError` of the block that names no file name this one, in the system's words."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
            if "\n" in str(error.strerror):  # HDF5 tells its life
                error.strerror = os.strerror(error.errno)
        raise


def make_private(folder):
    """Make a folder that its owner alone may open, whatever the umask.

    Where it is there already and open to other users, a warning says so, once.
    """
    made = not folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if WINDOWS:  # whose folders are private where the user's are
        return
    if made:
        with contextlib.suppress(OSError):  # a file system without permissions
            folder.chmod(0o700)
    if folder.stat().st_mode & 0o077:
        command = f"chmod -R go-rwx {shlex.quote(str(folder))}"
        _warn_once(f"warning: other users may open {folder}: {command} closes it")


def private_opener(path, flags):
    """An ``opener`` of `open` for files that their owner alone may read, whatever the umask.

    It follows no link.
    """
    number = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
    if hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # a file system without permissions
            os.fchmod(number, 0o600)
    return number


def write_csv(path, mode="w"):
    """Open a file for `csv.writer`: in UTF-8, with escapes for names that are no text."""
    return open(path, mode, newline="", encoding="utf-8", errors="backslashreplace")


@contextlib.contextmanager
def locked(path, otherwise, temporary=False, opener=None):
    """Open ``path`` for appending, binary, and keep other processes from doing the same.

    Windows neither renames nor deletes it before the block has ended. Where the file system has
    no locks it is open to all, with a warning.

    Args:
        path: the file; it is made if need be.
        otherwise: message of the `UserError` that is raised where another process has it.
        temporary: the file is for the lock alone, and removed at the end.
        opener: see `open`.
    """
    with contextlib.ExitStack() as stack:
        file = None
        while file is None or not _is_at(file, path):  # else its owner has removed it just now
            file = stack.enter_context(open(path, "ab+", opener=opener))
            _lock_or_warn(file, path, otherwise)
        try:
            yield file
        finally:
            if temporary and not WINDOWS:
                path.unlink(missing_ok=True)
    if temporary and WINDOWS:
        with contextlib.suppress(OSError):  # if another has opened it
            path.unlink()


def _is_at(file, path):
    """Whether an open file is the one that has this path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _lock_or_warn(file, path, otherwise):
    try:
        _lock(file)
    except OSError as error:
        if error.errno in NO_LOCKS:
            _warn_once(
                f"warning: {path}: no locks on this file system: do not run this twice at once"
            )
        elif error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise UserError(otherwise) from error
        else:
            raise


@functools.cache
def _warn_once(text):
    log(text)


def _lock(file):
    """Lock an open file until it is closed. Raises `OSError` at once where another has done so."""
    try:
        import fcntl
    except ImportError:
        import msvcrt  # Windows

        place = file.tell()
        file.seek(FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(place)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def reserve(path, size):
    """Take room on the disk for a file, to its full size or not at all; its content stays.

    Raises `OSError` where the disk is full.
    """
    with open(path, "r+b", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            if not _allocate(file, size):
                _fill(file, before, size)
        except OSError:
            file.truncate(before)
            raise


def _allocate(file, size):
    """Let the system reserve room; False where it cannot."""
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP):
            return False
        raise
    return True


def _fill(file, start, end):
    """Write zeros into an unbuffered file, so that what it takes of the disk is there."""
    zeros = bytes(2**20)
    for offset in range(start, end, len(zeros)):
        write_at(file, zeros[: end - offset], offset)


def open_regular(path):
    """Open a file for reading, binary and unbuffered; no FIFO or device is read or waited for.

    Raises `UserError` if it is not a regular file, and `OSError` if the system refuses.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise UserError(f"{path} is not a regular file")
    return open(number, "rb", buffering=0)


def read_small(path, most):
    """The bytes of a regular file. Raises `UserError` if it has more than ``most``."""
    with open_regular(path) as file:
        content = bytearray()
        while piece := file.read(most + 1 - len(content)):
            content += piece
    if len(content) > most:
        raise UserError(f"{path} is too large: more than {most:,} bytes")
    return bytes(content)


@contextlib.contextmanager
def temporary(path, size):
    """A temporary file without a name, of ``size`` bytes for which there is room.

    It lies in the folder of ``path``, if that may be written. Raises `OSError` where the disk is
    full.
    """
    beside = os.path.dirname(os.path.abspath(path))
    folder = beside if os.access(beside, os.W_OK) else None
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        if not size or not _allocate(file, size):
            _fill(file, 0, size)
        yield file


def read_at(file, array, offset):
    """Read from an unbuffered binary file into an array, as far as the file goes.

    Returns the number of bytes that were read.
    """
    file.seek(offset)
    data = memoryview(array).cast("B")
    left = data
    while left:
        read = file.readinto(left)
        if not read:
            break
        left = left[read:]
    return len(data) - len(left)


def write_at(file, array, offset):
    """Write all of an array to an unbuffered binary file.

    Raises `OSError` where the disk is full, which takes a part before it refuses the rest.
    """
    file.seek(offset)
    data = memoryview(array).cast("B")
    while data:
        data = data[file.write(data) :]


def sync(file):
    """Let what was written to an open file reach the disk, as far as its file system can do that.

    Raises `OSError` where it was lost on the way.
    """
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def sync_folder(folder):
    """Let a folder itself reach the disk, so that new names in it are there after a power cut.

    Where the system does not do it, its own order of writing has to do: the files are there all
    the same, so this is no error.
    """
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def shown(path):
    """A path as it is shown: relative to the current folder, where it is on the same drive."""
    try:
        return os.path.relpath(path)
    except ValueError:
        return str(path)
