"""Downloads that are resumed, checked, and under their name only when whole."""

import os
import urllib.error
import urllib.request
from pathlib import Path

from age_gender.command_line import UserError, log, progress
from age_gender.files import locked, replace

BLOCK = 128 * 1024  # bytes that are written at once


def download(url, path, check):
    """Download a file, or the rest of it where an earlier try was interrupted.

    Args:
        url: where it is.
        path: the name it gets when it is whole; until then it has ".part" at its end.
        check: function of the partial file's path that raises `UserError` where it is not the
            right file; it is then deleted.

    Raises `UserError` offline and where the server does not give the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    with locked(partial, f"{partial.name} is being downloaded by another process: wait") as file:
        problem = _complete(url, file, path, check)
        empty = not file.seek(0, os.SEEK_END)
    if empty:  # it could not be removed while it was open, as on Windows, nor renamed
        partial.unlink(missing_ok=True)
    if problem:
        raise UserError(problem)
    replace(partial, path)


def _complete(url, file, path, check):
    """Let a partial file hold what is at ``url``; return what is wrong where it does not."""
    by_hand = f"download {url} by hand and put it at {path}"
    try:
        total = _fetch(url, file)
        if file.tell() < total:
            return (
                f"{path.name}: the connection ended after {file.tell()} of {total} bytes: run the "
                f"command again to resume, or {by_hand}"
            )
        check(Path(file.name))
    except urllib.error.HTTPError as error:
        return f"{path.name}: the server answered {error.code} {error.reason}: {by_hand}"
    except UserError as error:
        file.truncate(0)
        return str(error)
    except OSError as error:
        reason = getattr(error, "reason", error)
        return (
            f"{path.name} could not be downloaded ({reason}): run the command again to resume, "
            f"or {by_hand}"
        )
    return None


def _fetch(url, file):
    """Append to ``file`` what it lacks of ``url``; return how many bytes it should hold then."""
    held = file.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={held}-"})
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the file holds all there is
            return held
        raise
    with response:
        if response.status != 206:  # the server sends it all, from the start
            file.truncate(0)
            held = 0
        missing = int(response.headers.get("Content-Length") or 0)
        total = held + missing
        log(f"{'resuming' if held else 'downloading'} {url} ({total / 1e6:.0f} MB)")
        blocks = iter(lambda: response.read(BLOCK), b"")
        for block in progress(blocks, -(-missing // BLOCK) or None, "blocks of 128 KiB"):
            file.write(block)
        file.flush()
    return total
