import hashlib
import os

import pytest

from age_gender.data import stamps


@pytest.fixture
def picture(tmp_path):
    """A file that did not change just now."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    return path


@pytest.fixture(autouse=True)
def long_ago(monkeypatch):
    monkeypatch.setattr(stamps, "FRESH", -1)


def test_file_is_the_same_by_its_stamp_or_by_its_content(picture):
    kept, sha256 = stamps.stamp(picture), hashlib.sha256(b"old").digest()
    assert kept[0] == 3 and stamps.is_same(picture, list(kept), None)
    os.utime(picture, ns=(0, 0))
    assert not stamps.is_same(picture, kept, None)
    assert stamps.is_same(picture, kept, sha256)
    picture.write_bytes(b"new")
    assert not stamps.is_same(picture, kept, sha256)


def test_size_and_date_that_were_set_back_are_noticed(picture):
    kept, before = stamps.stamp(picture), picture.stat()
    while os.stat(picture).st_ctime_ns == before.st_ctime_ns:  # within the clock's resolution
        picture.write_bytes(b"new")
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert picture.stat().st_mtime_ns == before.st_mtime_ns
    assert not stamps.is_same(picture, kept, hashlib.sha256(b"old").digest())


def test_file_that_changed_just_now_is_read_again(picture, monkeypatch):
    monkeypatch.setattr(stamps, "FRESH", 1000)
    kept = stamps.stamp(picture)
    assert kept == stamps.UNKNOWN and not stamps.is_same(picture, kept, None)
    assert stamps.is_same(picture, kept, hashlib.sha256(b"old").digest())


@pytest.mark.parametrize("what", ["none", "folder", "fifo", "no name\0"])
def test_what_is_no_file_is_the_same_as_nothing(tmp_path, what):
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    if what == "fifo":
        os.mkfifo(path)
    assert stamps.digest(path) is None
    assert (stamps.stamp(path) == stamps.MISSING) == (what not in ("folder", "fifo"))
    assert not stamps.is_same(path, stamps.UNKNOWN, hashlib.sha256(b"").digest())


def test_stamps_are_kept_of_any_name(tmp_path):
    kept = {"a b": (1, 2, 3), "\udcff.jpg": (4, 5, 6)}
    stamps.write(tmp_path / "kept.json", kept)
    assert stamps.read(tmp_path / "kept.json") == kept
    assert stamps.read(tmp_path / "none.json") is None
    for damaged in (b"", b"[1]", b'{"a"', b"\xff"):
        (tmp_path / "kept.json").write_bytes(damaged)
        assert stamps.read(tmp_path / "kept.json") is None
    (tmp_path / "kept.json").write_text('{"a": 1, "b": [1, "2"]}')
    assert stamps.read(tmp_path / "kept.json") == {"b": (1, "2")}
