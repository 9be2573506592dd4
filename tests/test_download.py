import contextlib
import fcntl
import itertools
import os
import socket
import threading
import time

import pytest

from age_gender import download as module
from age_gender.command_line import UserError
from age_gender.download import download

CONTENT = bytes(range(256)) * 2000
LARGEST = len(CONTENT) + 1000


@pytest.fixture
def fetch(release_page, tmp_path):
    """A function that downloads CONTENT from a local server, and that server."""
    release_page.content = CONTENT

    def run(check=lambda path: None):
        download(release_page.address + "file", tmp_path / "new" / "file", check, LARGEST)
        return (tmp_path / "new" / "file").read_bytes()

    run.server, run.folder = release_page, tmp_path / "new"
    return run


def test_file_comes_whole_and_is_said(fetch, capsys):
    assert fetch() == CONTENT
    assert [path.name for path in fetch.folder.iterdir()] == ["file"]
    assert f"downloading {fetch.server.address}file (1 MB)" in capsys.readouterr().err


def test_interrupted_download_is_resumed(fetch, capsys):
    fetch.server.break_at = 1000
    with pytest.raises(UserError) as error:
        fetch()
    assert str(error.value).startswith(
        f"file: the connection ended after 1000 of {len(CONTENT)} bytes: run the command again to "
        "resume, or download http"
    )
    assert [path.name for path in fetch.folder.iterdir()] == ["file.part"]
    fetch.server.break_at = None
    assert fetch() == CONTENT
    assert fetch.server.ranges == [0, 1000]
    assert "resuming http" in capsys.readouterr().err


def test_server_that_knows_no_ranges_is_asked_for_all_again(fetch):
    fetch.folder.mkdir()
    (fetch.folder / "file.part").write_bytes(b"old")
    fetch.server.knows_ranges = False
    assert fetch() == CONTENT


def test_file_that_was_whole_but_not_named_is_taken(fetch):
    fetch.folder.mkdir()
    (fetch.folder / "file.part").write_bytes(CONTENT)
    assert fetch() == CONTENT


def test_file_that_fails_the_check_is_not_kept(fetch):
    def check(path):
        assert path.read_bytes() == CONTENT
        raise UserError("wrong")

    with pytest.raises(UserError, match="wrong"):
        fetch(check)
    assert list(fetch.folder.iterdir()) == []


def test_server_without_the_file_is_one_line(fetch):
    fetch.server.status = 404
    with pytest.raises(UserError) as error:
        fetch()
    assert str(error.value) == (
        f"file: the server answered 404 Not Found: download {fetch.server.address}file by hand and "
        f"put it at {fetch.folder}/file"
    )


def test_second_download_of_the_same_file_waits(fetch):
    fetch.folder.mkdir()
    with open(fetch.folder / "file.part", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError) as error:
            fetch()
    assert str(error.value) == "file.part is being downloaded by another process: wait"


@contextlib.contextmanager
def raw_server(*answers):
    """A server that sends bytes as they are, one item of ``answers`` to each connection.

    An item is bytes, or an iterator of bytes; after it the connection ends. Yields the address.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        for answer in answers:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.settimeout(0.5)  # where nobody reads any more
                    for part in [answer] if isinstance(answer, bytes) else answer:
                        connection.sendall(part)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def answer(*headers, body=b"", status="200 OK"):
    lines = [f"HTTP/1.1 {status}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def refused(folder, *answers, held=b"", check=lambda path: None):
    """The reason in the one line about a download that fails, and what is kept of it."""
    path = folder / "file"
    partial = folder / "file.part"
    if held:
        partial.write_bytes(held)
    with raw_server(*answers) as address:
        with pytest.raises(UserError) as error:
            download(address + "file", path, check, LARGEST)
    assert not path.exists()
    line = str(error.value)
    assert "\n" not in line and line.startswith("file: ")
    line, _, rest = line.removeprefix("file: ").partition(": run the command again to ")
    line = line.removesuffix(f": download {address}file by hand and put it at {path}")
    return line, rest[:6], partial.read_bytes() if partial.exists() else None


ALL = f"Content-Length: {len(CONTENT)}"
CHUNKED = "Transfer-Encoding: chunked"
NOT_HTTP = "it could not be downloaded (the answer is not HTTP, "


@pytest.mark.parametrize(
    "sent, reason, remedy",
    [
        (b"\x00\xff rubbish\r\n\r\n", NOT_HTTP + "BadStatusLine: ", "resume"),
        (b"HTTP/1.1 twohundred OK\r\n\r\n", NOT_HTTP + "BadStatusLine: ", "resume"),
        (b"", "it could not be downloaded (Remote end closed connection without r", "resume"),
        (answer(*["A: b"] * 200), NOT_HTTP + "HTTPException: got more than 100 headers", "resume"),
        (answer("A: " + "b" * 70000), NOT_HTTP + "LineTooLong: got more than 65536", "resume"),
        (answer("Content-Length: -1"), "its length is said to be -1", ""),
        (answer("Content-Length: 1e9"), "its length is said to be 1e9", ""),
        (answer("Content-Length: 9" + "0" * 30), "its length is said to be 900000", ""),
        (
            answer("Content-Length: 99000000000"),
            f"the server offers 99000000000 bytes, more than the expected {LARGEST}",
            "",
        ),
        (answer(ALL, body=b"123"), f"the connection ended after 3 of {len(CONTENT)}", "resume"),
        (answer(CHUNKED, body=b"3\r\n123\r\nzz\r\n"), NOT_HTTP + "IncompleteRead", "resume"),
        (answer(CHUNKED, body=b"3\r\n123\r\n-5\r\n12345678"), NOT_HTTP + "IncompleteR", "resume"),
        (answer(CHUNKED, body=b"9\r\n123"), NOT_HTTP + "IncompleteRead", "resume"),
        (answer("Content-Encoding: gzip", body=b"123"), "the server packs it (gzip)", ""),
        (answer(status="500 a\x1b[31m b"), "the server answered 500 a [31m b", ""),
        (answer(status="204 No Content"), "the server answered 204", ""),
        (
            answer("Location: file:///etc/passwd", status="302 Found"),
            "the server answered 302 Found - Redirection to url 'file:///etc/passwd' is not",
            "",
        ),
        (
            answer("Location: ftp://127.0.0.1/file", status="302 Found"),
            "it could not be downloaded (unknown url type: ftp)",
            "resume",
        ),
        (answer("Location: http://[", status="302 Found"), "it could not be downl", "resume"),
    ],
)  # fmt: skip
def test_answer_that_is_no_use_is_one_line(tmp_path, sent, reason, remedy):
    line, said, _ = refused(tmp_path, sent)
    assert line.startswith(reason) and said == remedy


def test_server_that_points_to_itself_is_one_line(tmp_path):
    loop = answer("Location: /file", "Connection: close", status="302 Found")
    line, _, _ = refused(tmp_path, *[loop] * 20)
    assert "would lead to an infinite loop" in line


@pytest.mark.parametrize(
    "part",
    ["", "bytes 0-9/10", f"bytes 2-1/{len(CONTENT)}", "bytes 3-2/900", "bytes */10", "3 to 10"]
    + [f"bytes 3-{len(CONTENT) - 2}/{len(CONTENT)}", "bytes 3-9/10, bytes 3-9/10"],
)
def test_part_that_was_not_asked_for_is_not_taken(tmp_path, part):
    sent = answer(f"Content-Range: {part}", body=b"other", status="206 Partial Content")
    line, remedy, kept = refused(tmp_path, sent, held=b"old")
    said = " ".join(part.split()) or "no part that it names"
    assert line == f"asked for the bytes from 3 on, the server sends {said}"
    assert (remedy, kept) == ("start ", None)


def test_part_of_another_length_than_it_says_is_not_taken(tmp_path):
    headers = "Content-Range: bytes 3-9/10", "Content-Length: 5"
    line, _, _ = refused(tmp_path, answer(*headers, status="206 Partial Content"), held=b"old")
    assert line == "asked for the bytes from 3 on, the server sends bytes 3-9/10"


@pytest.mark.parametrize("headers", [(), (CHUNKED,)], ids=["no length", "chunks"])
def test_server_that_sends_for_ever_is_stopped_at_the_largest_size(tmp_path, headers):
    block = b"%x\r\n%s\r\n" % (len(CONTENT), CONTENT) if headers else CONTENT
    sent = itertools.chain([answer(*headers)], itertools.repeat(block))
    line, remedy, kept = refused(tmp_path, sent)
    assert line == f"more than the expected {LARGEST} bytes came"
    assert (remedy, kept) == ("start ", None)


def slow(*first):
    """Bytes that keep a connection alive, and bring nothing."""
    yield from first
    while True:
        time.sleep(0.02)
        yield b"1"


@pytest.mark.parametrize(
    "sent, reason",
    [
        (slow(), "nothing came for"),
        (slow(b"HTTP/1.1 200 OK\r\nA: "), "nothing came for"),
        (itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), "nothing came for"),
        (slow(answer(ALL)), "bytes came in"),
    ],
    ids=["status", "headers", "continue", "body"],
)
def test_server_that_keeps_one_waiting_is_one_line(tmp_path, monkeypatch, sent, reason):
    monkeypatch.setattr(module, "STALLED", 0.5)
    line, remedy, _ = refused(tmp_path, sent)
    assert reason in line and remedy == "resume"


def test_trailers_without_end_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STALLED", 0.5)
    start = answer(CHUNKED, body=b"3\r\n123\r\n0\r\n")
    sent = itertools.chain([start], itertools.repeat(b"A: b\r\n" * 1000))
    line, remedy, kept = refused(tmp_path, sent)
    assert line == "nothing came for 0 seconds" and (remedy, kept) == ("resume", b"123")


@pytest.mark.parametrize(
    "url, reason",
    [
        ("http://127.0.0.1:1/file", "Connection refused"),
        ("https://127.0.0.1:{port}/file", "SSL"),
        ("http://127.0.0.1:none/file", "nonnumeric port"),
        ("http://" + "a" * 64 + ".x/file", "label"),
        ("data:text/plain,abc", "unknown url type"),
    ],
)
def test_address_that_does_not_answer_is_one_line(tmp_path, url, reason):
    with raw_server(b"this is no TLS") as address:
        url = url.replace("{port}", address.split(":")[-1].strip("/"))
        with pytest.raises(UserError) as error:
            download(url, tmp_path / "file", lambda path: None, LARGEST)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", int(address.split(":")[-1].strip("/")))).close()
    assert str(error.value).startswith("file: it could not be downloaded (")
    assert reason in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("proxy", ["127.0.0.1:none", "http://u:secret@[", "http://127.0.0.1:1"])
def test_proxy_that_does_not_answer_is_named_by_its_variable_alone(tmp_path, monkeypatch, proxy):
    for name in ("https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(UserError) as error:
        download("http://host.invalid/file", tmp_path / "file", lambda path: None, LARGEST)
    assert ", through the proxy of http_proxy)" in str(error.value)
    assert "secret" not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk can only be made by root")
def test_full_disk_is_one_line_and_what_came_is_kept(release_page, small_disk):
    release_page.content = CONTENT
    disk, resize = small_disk
    with pytest.raises(UserError) as error:
        download(release_page.address + "file", disk / "file", lambda path: None, LARGEST)
    assert str(error.value) == (
        "file cannot be written: No space left on device: run the command again to resume"
    )
    resize("2m")
    download(release_page.address + "file", disk / "file", lambda path: None, LARGEST)
    assert (disk / "file").read_bytes() == CONTENT
    assert release_page.ranges[1] > 0
