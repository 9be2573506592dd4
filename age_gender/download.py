"""Downloads that are resumed, checked, limited, and under their name only when complete."""

import contextlib
import http.client
import os
import queue
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from age_gender import interrupts
from age_gender.command_line import UserError, log, progress
from age_gender.files import locked, replace

BLOCK = 128 * 1024  # bytes that are written at once
STALLED = 60.0  # seconds in which a server must answer, and then send
FEWEST = 64 * 1024  # bytes


def download(url, path, check, largest):
    """Download a file, or the rest of it where an earlier try was interrupted.

    Args:
        url: where it is.
        path: the name it gets when it is complete; until then it has ".part" at its end.
        check: function of the partial file's path that raises `UserError` where it is not the
            right file; it is then deleted.
        largest: bytes that the file has at most.

    Raises `UserError` offline and where the server does not send the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    resumes = interrupts.explained(lambda: "stopped: the same command resumes the download")
    with locked(partial, f"{partial.name} is being downloaded by another process: wait") as file:
        with resumes:
            problem = _complete(url, file.raw, path, check, largest)
        empty = not file.raw.seek(0, os.SEEK_END)
    if empty:  # it could not be removed while it was open, as on Windows, nor renamed
        partial.unlink(missing_ok=True)
    if problem:
        raise UserError(problem)
    replace(partial, path)


class _Failed(Exception):
    """The message is what went wrong; ``remedy`` a sentence before the one on doing it by hand.

    Without ``keep`` what has come so far is of no use.
    """

    def __init__(self, reason, remedy="run the command again to resume, or ", keep=True):
        super().__init__(reason)
        self.remedy = remedy if keep else "run the command again to start over, or "
        self.keep = keep


def _complete(url, file, path, check, largest):
    """Make a partial file complete; return the problem if there is one."""
    by_hand = f"download {url} by hand and put it at {path}"
    transfer = _Transfer(url, file.seek(0, os.SEEK_END), largest)
    try:
        transfer.append_to(file)
        check(Path(file.name))
    except _Failed as failure:
        if not failure.keep:
            file.truncate(0)
        return f"{path.name}: {failure}: {failure.remedy}{by_hand}"
    except UserError as error:
        file.truncate(0)
        return str(error)
    except OSError as error:
        return f"{path.name} cannot be written: {error.strerror}: run the command again to resume"
    finally:
        transfer.stop()
    return None


class _Transfer:
    """What a file lacks of what is at a URL.

    A thread of its own reads it, because a server can keep a reader busy in many ways, which
    time-outs of the connection do not see.
    """

    def __init__(self, url, held, largest):
        self._url = url
        self._held = held
        self._largest = largest
        self._sockets = []
        self._queue = queue.Queue(4)
        self._stopped = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def stop(self):
        """Let the thread end, whatever it waits for."""
        self._stopped.set()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def append_to(self, file):
        """Write it to the end of a file. Raises `_Failed`."""
        headers = self._next()
        if headers is None:  # the file has all there is
            return
        if headers["status"] == 200:  # the server sends it all, from the start
            file.truncate(0)
            self._held = 0
        missing = _length(headers, self._held)
        total = None if missing is None else self._held + missing
        if total is not None and total > self._largest:
            what = f"the server offers {total} bytes, more than the expected {self._largest}"
            raise _Failed(what, remedy="")
        size = f" ({total / 1e6:.0f} MB)" if total is not None else ""
        log(f"{'resuming' if self._held else 'downloading'} {self._url}{size}")
        blocks = None if missing is None else -(-missing // BLOCK)
        for _ in progress(self._blocks(file), blocks, "blocks of 128 KiB"):
            pass
        if total is not None and self._held < total:
            raise _Failed(f"the connection ended after {self._held} of {total} bytes")

    def _blocks(self, file):
        """Write what comes; yield after each BLOCK."""
        since, received, begun = time.monotonic(), 0, self._held
        while data := self._next():
            now = time.monotonic()
            received += len(data)
            if now - since >= STALLED:
                if received < FEWEST:
                    raise _Failed(f"only {received} bytes came in {now - since:.0f} seconds")
                since, received = now, 0
            if self._held + len(data) > self._largest:
                raise _Failed(f"more than the expected {self._largest} bytes came", keep=False)
            before = (self._held - begun) // BLOCK
            while data:
                written = file.write(data)
                self._held += written
                data = data[written:]
            yield from range((self._held - begun) // BLOCK - before)

    def _next(self):
        """What the thread has read next."""
        try:
            item = self._queue.get(timeout=STALLED)
        except queue.Empty:
            raise _Failed(f"nothing came for {STALLED:.0f} seconds") from None
        if isinstance(item, _Failed):
            raise item
        return item

    def _read(self):
        """The thread: it puts the headers, or None where nothing is missing, and blocks of data."""
        try:
            for item in self._items():
                self._put(item)
        except Exception as error:  # of any class: from DNS, TLS, HTTP and its proxies
            self._put(_failure(error))

    def _items(self):
        request = urllib.request.Request(self._url, headers={"Range": f"bytes={self._held}-"})
        try:
            response = _opener(self._sockets).open(request, timeout=STALLED)
        except urllib.error.HTTPError as error:
            if error.code == 416 and self._held:
                yield None
                return
            raise
        with response:
            yield {"status": response.status, **_headers(response)}
            while data := response.read1(BLOCK):
                yield data
        yield b""

    def _put(self, item):
        while not self._stopped.is_set():
            try:
                return self._queue.put(item, timeout=0.5)
            except queue.Full:
                pass


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, answer, code, reason, headers, url):
        if request.type == "https" and not url.startswith("https:"):
            raise _Failed(f"the server points to {_plain(url)}, which is not encrypted")
        return super().redirect_request(request, answer, code, reason, headers, url)


def _opener(sockets):
    """What opens http and https, and nothing else; each socket is added to a list."""

    class Open(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
        def do_open(self, kind, request, **settings):
            class Connection(kind):
                def connect(self):
                    super().connect()
                    sockets.append(self.sock)

            return super().do_open(Connection, request, **settings)

    opener = urllib.request.OpenerDirector()
    errors = urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor
    for handler in (urllib.request.ProxyHandler, Open, *errors, _Redirects):
        opener.add_handler(handler())
    opener.add_handler(urllib.request.UnknownHandler())
    return opener


def _headers(response):
    names = "Content-Length", "Content-Range", "Content-Encoding", "Transfer-Encoding"
    return {name: response.headers.get(name, "").strip() for name in names}


def _length(headers, held):
    """How many bytes are to come, None where the server does not say; raises `_Failed`."""
    if headers["status"] not in (200, 206):
        raise _Failed(f"the server answered {headers['status']}", remedy="")
    if headers["Content-Encoding"].lower() not in ("", "identity"):
        raise _Failed(f"the server packs it ({_plain(headers['Content-Encoding'])})", remedy="")
    length = None
    if not headers["Transfer-Encoding"] and headers["Content-Length"]:
        if not re.fullmatch(r"[0-9]{1,18}", headers["Content-Length"]):
            raise _Failed(
                f"its length is said to be {_plain(headers['Content-Length'])}", remedy=""
            )
        length = int(headers["Content-Length"])
    if headers["status"] == 200:
        return length
    part = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", headers["Content-Range"]
    )
    if part and int(part[1]) == held:
        offered = int(part[2]) + 1 - held
        if offered >= 0 and part[3] in ("*", str(held + offered)) and length in (None, offered):
            return offered
    received = _plain(headers["Content-Range"]) or "no part that it names"
    raise _Failed(f"asked for the bytes from {held} on, the server sends {received}", keep=False)


def _failure(error):
    """The `_Failed` of an error of a connection."""
    if isinstance(error, _Failed):
        return error
    if isinstance(error, urllib.error.HTTPError):
        return _Failed(f"the server answered {error.code} {_plain(error.reason)}", remedy="")
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return _Failed(f"nothing came for {STALLED:.0f} seconds")
    text = _plain(getattr(reason, "strerror", None) or reason) or type(reason).__name__
    if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError):
        text = f"the answer is not HTTP, {type(error).__name__}: {text}"
    proxies = sorted(urllib.request.getproxies().keys() & {"http", "https"})
    through = "".join(f", through the proxy of {name}_proxy" for name in proxies)
    return _Failed(f"it could not be downloaded ({text}{through})")


def _plain(text):
    """A server's words, in one line that does nothing to a terminal."""
    text = "".join(x if x.isprintable() else " " for x in str(text))
    return " ".join(text.split())[:200]
