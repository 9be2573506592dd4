"""The outbox: captures queue on disk until they are sent.

A capture is one file of JSON lines, one for each face. The file name is part of the object's key,
so that sending a capture again overwrites the same object. Whatever else lies in the folder is
left alone: what counts is a regular file with the name, the owner and a size that captures have.
"""

import contextlib
import errno
import os
import re
import stat
import time
import uuid

from age_gender import system
from age_gender.captures.records import json_lines
from age_gender.command_line import UserError, log, plural
from age_gender.files import locked, make_private, private_opener, replace, sync, sync_folder

SUFFIX = ".jsonl"
UNFINISHED = ".part"
CAPTURE = re.compile(r"(\d{1,20})-[0-9a-z]{8}\.jsonl")
OWN = re.compile(rf"({CAPTURE.pattern}\.part|refused|\.program-\d)")  # what else belongs here
REFUSED = "refused"  # folder of the captures that S3 does not take
LARGEST = 32 * 2**20  # bytes of a capture
PROGRAMS = 10  # that may share an outbox: each has a last digit of its own for its frame ids
HOUR, DAY = 3600, 24 * 3600  # seconds
# Opening follows no link, and waits for nobody at the other end of a named pipe.
SAFELY = os.O_RDONLY | sum(
    getattr(os, f"O_{name}", 0) for name in ("NOFOLLOW", "NONBLOCK", "BINARY")
)


class Outbox:
    """The folder of the queued captures, one file each, and of those that S3 refuses.

    Args:
        folder: made with the first capture; a link to a folder is followed.

    Attributes:
        refusals: how many captures this program has put aside.
    """

    def __init__(self, folder):
        self.folder = folder
        self.refused = folder / REFUSED
        self.refusals = 0
        self._digit = 0
        self._last = 0

    def frame_id(self):
        """Milliseconds since 1970, never the same twice.

        It is the next one with the last digit of this program: see `shared`.
        """
        least = max(int(time.time() * 1000), self._last + 1)
        self._last = least + (self._digit - least) % PROGRAMS
        return self._last

    @contextlib.contextmanager
    def shared(self):
        """Let other programs use the folder in the block, with other frame ids than this one.

        Raises `UserError` if captures cannot be kept there.
        """
        try:
            self._write(f"0-{uuid.uuid4().hex[:8]}{SUFFIX}{UNFINISHED}", b"\n").unlink()
        except OSError as error:
            raise UserError(
                f"captures cannot be kept in {self.folder}: {error.strerror}: CAPTURES_OUTBOX "
                "names another folder"
            ) from error
        with contextlib.ExitStack() as stack:
            for digit in range(PROGRAMS):
                with contextlib.suppress(UserError, OSError):
                    path = self.folder / f".program-{digit}"
                    stack.enter_context(locked(path, "it is taken", True, private_opener))
                    self._digit = digit
                    break
            else:
                raise UserError(
                    f"{PROGRAMS} programs keep their captures in {self.folder}: CAPTURES_OUTBOX "
                    "names another folder"
                )
            yield

    def add(self, frame_id, records):
        """Store a capture. When this returns, it is on disk and survives a loss of power.

        Returns:
            Its file. Raises `OSError` if it cannot be stored; nothing of it is left then.
        """
        content = json_lines(records).encode()
        if len(content) > LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        path = self.folder / f"{frame_id}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        partial = self._write(path.name + UNFINISHED, content)
        try:
            replace(partial, path)
            sync_folder(self.folder)
        except BaseException:
            _remove(partial, path)
            raise
        return path

    def _write(self, name, content):
        """Write a new file and let it reach the disk; nothing of it is left if that fails."""
        make_private(self.folder)
        path = self.folder / name
        try:
            with open(path, "xb", opener=private_opener) as file:
                file.write(content)
                sync(file)
        except BaseException:
            _remove(path)
            raise
        return path

    def queued(self):
        """The files of the captures, oldest first."""
        return _captures(self.folder)[0]

    def read(self, path):
        """The content of a capture.

        Raises `ValueError` if it is none, `FileNotFoundError` if it was sent meanwhile, `OSError`.
        """
        try:
            number = os.open(path, SAFELY)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ValueError("it is a link") from error
            raise
        with open(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise ValueError("it is no regular file")
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        return content

    def refuse(self, path, reason):
        """Put a capture aside that will never be sent, with the reason in a file beside it."""
        make_private(self.refused)
        if self.refused.is_symlink():
            raise NotADirectoryError(errno.ENOTDIR, "it is a link", str(self.refused))
        target = self.refused / path.name
        with open(target.with_suffix(".txt"), "w", encoding="utf-8", opener=private_opener) as file:
            file.write(f"{reason}\n")
        with contextlib.suppress(FileNotFoundError):  # sent meanwhile by another program
            replace(path, target)
            self.refusals += 1
            log(f"{path.name} is put into {self.refused}: {reason}")

    def _refused(self):
        return [] if self.refused.is_symlink() else _captures(self.refused)[0]

    def status(self):
        """The length of the queue, and what else is there, as text."""
        queued, others = _captures(self.folder)
        text = f"{plural(len(queued), 'capture')} queued in {self.folder}"
        if refused := len(self._refused()):
            text += f", {refused} refused in {self.refused}"
        if others:
            entries = "1 other entry" if others == 1 else f"{others} other entries"
            text += f" ({entries} there: ignored)"
        return text

    def prune(self, days, now=None):
        """Delete captures older than ``days``, sent or not; return how many.

        Args:
            now: seconds since 1970; the system's clock if left out.
        """
        now = time.time() if now is None else now
        count = 0
        for path in [*self.queued(), *self._refused()]:
            with contextlib.suppress(FileNotFoundError):  # sent meanwhile
                age = now - path.stat().st_mtime
                if age > days * DAY:
                    path.unlink()
                    path.with_suffix(".txt").unlink(missing_ok=True)
                    count += 1
                elif age < -HOUR:  # the clock was ahead: it counts from now on
                    os.utime(path, (now, now))
        return count

    def clean(self):
        """Delete unfinished files of a killed process; none was reported as saved."""
        if not self.folder.is_dir():
            return
        for path in self.folder.glob(f"*{SUFFIX}{UNFINISHED}"):
            with contextlib.suppress(OSError):
                status = path.lstat()
                if OWN.fullmatch(path.name) and time.time() - status.st_mtime > 60:
                    path.unlink()


def _captures(folder):
    """The files of captures in a folder, oldest first, and how many other entries it has."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return [], 0
    owners = system.owners(folder)
    found, others = [], 0
    for entry in entries:
        name = CAPTURE.fullmatch(entry.name)
        with contextlib.suppress(FileNotFoundError):  # sent meanwhile
            if name and _may_be_one(entry.stat(follow_symlinks=False), owners):
                found.append((int(name[1]), entry.name))
            elif name or not OWN.fullmatch(entry.name):
                others += 1
    return [folder / name for _, name in sorted(found)], others


def _may_be_one(status, owners):
    """Whether a capture has such a status: a regular file with an owner and a size like that."""
    own = owners is None or status.st_uid in owners
    return stat.S_ISREG(status.st_mode) and own and status.st_size <= LARGEST


def _remove(*paths):
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


class Retention:
    """Deletes captures from an outbox when they are too old.

    Age counts from the start of this program on without the system's clock: one that is set
    forward meanwhile deletes nothing.

    Args:
        outbox: `Outbox`.
        days: age from which captures are deleted; None to keep all.
    """

    def __init__(self, outbox, days):
        self._outbox = outbox
        self._days = days
        self._start = time.time() - _elapsed()
        self._applied = -float("inf")

    def apply(self):
        """Delete captures that are too old, and log how many; at most once an hour."""
        if self._days is None or _elapsed() - self._applied < HOUR:
            return
        self._applied = _elapsed()
        now = min(time.time(), self._start + self._applied)
        count = self._outbox.prune(self._days, now)
        if count:
            log(
                f"{plural(count, 'capture')} older than {self._days:g} days deleted from "
                f"{self._outbox.folder}"
            )


def _elapsed():
    """Seconds of a clock that nobody sets, and that goes on while the machine sleeps if it can."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
