import errno
import json
import os
import sys
import threading

import pytest

from age_gender.captures import bucket, sender
from age_gender.captures.outbox import Outbox
from age_gender.captures.sender import Sender
from helpers import until
from helpers.s3 import Scripted, settings_for


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox")


@pytest.fixture
def fast(monkeypatch):
    """Pauses and limits that tests can wait for."""
    monkeypatch.setattr(sender, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(sender, "LAST_PAUSE", 0.2)
    monkeypatch.setattr(bucket, "TIMEOUT", 1)


def test_full_disk_is_not_saved_and_leaves_nothing(small_disk, capsys):
    outbox = Outbox(small_disk[0] / "outbox")
    captures = Sender(outbox, settings_for(bucket=None))
    for number in range(40):
        captures.submit([{"key": number, "text": "x" * 3000}], number)
    captures.drain()
    captures.close()
    outcomes = [captures.outcomes.get_nowait() for _ in range(40)]
    kept = [json.loads(path.read_text())["key"] for path in outbox.queued()]
    assert sorted(kept) == [n for n, outcome in enumerate(outcomes) if outcome.saved]
    assert 5 < len(kept) < 40 and not list(outbox.folder.glob("*.part"))
    assert outcomes[-1].text == os.strerror(errno.ENOSPC)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == len(kept)
    assert f"not saved: {outbox.folder}: No space left on device" in err


def submit_and_send(captures, proxy, numbers):
    """Submit captures, until all are stored and the server has been asked to take one."""
    asked = len(proxy.seen)
    stored = captures.outcomes.qsize() + len(numbers)
    for number in numbers:
        captures.submit([{"key": number * 100 + 1}], number)
    until(lambda: captures.outcomes.qsize() == stored)
    until(lambda: len(proxy.seen) > asked)


@pytest.mark.long
def test_nothing_is_lost_and_nothing_twice_whatever_the_server_does(
    s3, proxy, outbox, fast, capsys
):
    captures = Sender(outbox, settings_for(proxy.endpoint))
    faults = [None, "500", "hang", "drop", None, "killed", None, "drop", "500", None]
    for place, fault in enumerate(faults):
        proxy.fault = None if fault == "killed" else fault
        if fault == "killed":
            s3.kill()
        submit_and_send(captures, proxy, range(10 * place, 10 * place + 10))
        assert fault is None or outbox.queued()
        proxy.released.set()
        proxy.released = threading.Event()
        if fault == "killed":
            s3.start()
    until(lambda: not outbox.queued())
    captures.close()
    assert all(captures.outcomes.get().saved for _ in range(100))
    stored = [json.loads(content)["key"] for content in s3.objects().values()]
    assert sorted(stored) == [number * 100 + 1 for number in range(100)]
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 100
    assert "answers 500" in err and "cannot be reached" in err
    assert "S3 accepts captures again" in err


def test_rejected_key_is_reported_once_in_plain_words(s3, proxy, outbox, fast, capsys):
    for wrong in ({"key": "nobody"}, {"secret": "wrong"}):
        captures = Sender(outbox, settings_for(proxy.endpoint, **wrong))
        for number in range(3):
            submit_and_send(captures, proxy, [number])
        captures.close()
        assert len(outbox.queued()) >= 3
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1, err
        assert err.startswith(f"{proxy.endpoint} rejects the key (")
        assert err.endswith(
            "check AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY; captures stay queued in "
            f"{outbox.folder}\n"
        )
    assert s3.objects() == {}


class Unread:
    """A stream whose reader has left, or whose disk is full."""

    def __init__(self, error):
        self.error = error

    def write(self, text):
        raise OSError(self.error, os.strerror(self.error))

    flush = write


@pytest.mark.parametrize("error", [errno.EPIPE, errno.ENOSPC])
def test_captures_are_kept_and_sent_though_nobody_reads(outbox, fast, monkeypatch, error):
    server = Scripted()
    captures = Sender(outbox, settings_for(server.endpoint))
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Unread(error))
    for number in range(5):
        captures.submit([{"key": number}], number)
    captures.drain()
    assert [captures.outcomes.get().text for _ in range(5)] == [""] * 5
    until(lambda: len(server.seen) == 5 and not outbox.queued())
    captures.close()
    server.close()


def test_whatever_fails_the_next_capture_is_stored(outbox, capsys):
    captures = Sender(outbox, settings_for(bucket=None))
    captures.submit([{"key": object()}], 1)
    captures.submit([{"key": 2}], 2)
    captures.drain()
    captures.close()
    first, second = captures.outcomes.get(), captures.outcomes.get()
    assert not first.saved and first.text.startswith("TypeError: Object of type object")
    assert second == (True, "") and len(outbox.queued()) == 1
    assert capsys.readouterr().err.startswith(f"not saved: {outbox.folder}: TypeError: ")


def test_without_a_bucket_captures_stay(outbox, capsys):
    captures = Sender(outbox, settings_for(bucket=None), make_bucket=None)
    captures.submit([{"key": 1}], 1)
    captures.drain()
    captures.close()
    assert len(outbox.queued()) == 1
    assert capsys.readouterr().out == '{"key": 1}\n'
