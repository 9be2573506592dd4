import contextlib
import os
import subprocess
import sys

import pytest

from age_gender import streams
from age_gender.streams import Relay
from helpers import ROOT, until

LINE = b"a line of some length\n"


@contextlib.contextmanager
def piped():
    """A pipe: a descriptor that is read, and one that is written to."""
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        for number in (reader, writer):
            with contextlib.suppress(OSError):
                os.close(number)


def fill(writer):
    """Write until a pipe takes no more; return how much."""
    os.set_blocking(writer, False)
    size = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            size += os.write(writer, b"x" * 512)
    os.set_blocking(writer, True)
    return size


def read_all(reader, writer):
    os.close(writer)
    with open(reader, "rb", closefd=False) as file:
        return file.read()


def test_what_is_written_arrives_whole_and_in_order():
    lines = b"".join(b"line %d\n" % number for number in range(5000))
    with piped() as (reader, writer):
        relay = Relay(writer)
        os.write(writer, lines[:30000])
        assert os.read(reader, 7) == b"line 0\n"
        rest = b""
        while len(rest) < 20000:
            rest += os.read(reader, 30000)
        os.write(writer, lines[30000:] + b"no end")
        relay.close()
        os.write(writer, b"after\n")
        assert b"line 0\n" + rest + read_all(reader, writer) == lines + b"no end" + b"after\n"
        assert relay.lost == 0 and not relay.left and relay.problem() is None


def test_a_reader_that_stalls_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(streams, "ROOM", 10000)
    monkeypatch.setattr(streams, "STALLED", 0.0)
    monkeypatch.setattr(streams, "LAST", 0.01)
    with piped() as (reader, writer):
        filled = fill(writer)
        relay = Relay(writer)
        for _ in range(3000):
            os.write(writer, LINE)
        until(lambda: relay.problem() == "its reader has stalled")
        until(lambda: relay.lost > 0)
        relay.close()
        assert relay.lost == 3000
        os.write(writer, LINE * 1000)  # leads nowhere
        assert len(os.read(reader, filled)) == filled


def test_a_reader_that_goes_on_gets_the_next_lines(monkeypatch):
    monkeypatch.setattr(streams, "ROOM", 10000)
    with piped() as (reader, writer):
        filled = fill(writer)
        relay = Relay(writer)
        for _ in range(3000):
            os.write(writer, LINE)
        until(lambda: relay.lost > 0)
        got = b""
        while len(got) < filled + 10 * len(LINE):
            got += os.read(reader, 65536)
        os.write(writer, b"the last\n")
        while not got.endswith(b"the last\n"):
            got += os.read(reader, 65536)
        relay.close()
        *kept, _ = got[filled:].splitlines(keepends=True)
        assert set(kept) == {LINE} and len(kept) + relay.lost == 3000


def test_a_reader_that_leaves_is_noticed():
    with piped() as (reader, writer):
        relay = Relay(writer)
        os.close(reader)
        os.write(writer, LINE)
        until(lambda: relay.problem())
        assert relay.problem() == "nobody reads it any more" and relay.left
        os.write(writer, LINE * 3)
        relay.close()
        assert relay.lost == 4
        os.write(writer, LINE)  # leads nowhere


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_noticed_once_and_each_line_is_tried():
    number = os.open("/dev/full", os.O_WRONLY)
    relay = Relay(number)
    for count in range(1, 4):
        os.write(number, LINE)
        until(lambda count=count: relay.lost == count)
    assert relay.problem() == os.strerror(28) and not relay.left
    relay.close()
    os.write(number, LINE)  # leads nowhere
    os.close(number)


PROGRAM = """
import os, sys
from age_gender.start import run
def main():
    from age_gender.streams import relayed
    with relayed() as (out, err):
        print("by Python")
        os.system("echo by a child")
        os.write(2, b"by C\\n")
    print("after", out.lost, err.lost, out.problem(), flush=True)
run(main)
"""


@pytest.mark.parametrize("closed", ["", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_of_a_process_are_relayed_and_given_back(closed):
    if os.name == "nt" and closed:
        pytest.skip("Windows has no such shell")
    done = subprocess.run(
        f"\"{sys.executable}\" -c '{PROGRAM}' {closed}"
        if closed
        else [sys.executable, "-c", PROGRAM],
        shell=bool(closed),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0
    assert done.stderr == ("" if "2>" in closed else "by C\n")
    if ">&-" in closed.split():
        assert done.stdout == ""
    else:
        *lines, last = done.stdout.splitlines()
        assert sorted(lines) == ["by Python", "by a child"]
        assert last == f"after 0 {int('2>' in closed)} None"
