import contextlib
import errno
import json
import os
import socket
import stat
import time
from types import SimpleNamespace

import pytest

from age_gender.captures import outbox as module
from age_gender.captures.outbox import DAY, HOUR, Outbox, Retention
from age_gender.command_line import UserError

HEX = "0123abcd"


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox")


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_frame_ids_never_repeat(outbox):
    ids = [outbox.frame_id() for _ in range(1000)]
    assert len(set(ids)) == 1000 and ids == sorted(ids)


def test_frame_ids_of_programs_that_share_an_outbox_differ(tmp_path, monkeypatch):
    clock = SimpleNamespace(time=lambda: 1700000000.0, monotonic=time.monotonic)
    monkeypatch.setattr(module, "time", clock)
    first, second, third = (Outbox(tmp_path / "outbox") for _ in range(3))
    with first.shared():
        with second.shared():
            ids = [each.frame_id() for each in (first, second) * 50]
            assert len(set(ids)) == 100
        with third.shared():  # takes the second's place
            assert third.frame_id() % 10 == second.frame_id() % 10 == 1
    assert first.frame_id() - 1700000000000 <= 500


def test_ten_programs_share_an_outbox_and_no_more(tmp_path):
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(Outbox(tmp_path / "outbox").shared())
        with pytest.raises(UserError, match="10 programs keep their captures in .*CAPTURES_OUTBOX"):
            stack.enter_context(Outbox(tmp_path / "outbox").shared())


@pytest.mark.parametrize("what", ["a file", "below a file"])
def test_outbox_that_cannot_be_written_is_named(tmp_path, what):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "outbox" if what == "below a file" else tmp_path / "file"
    with pytest.raises(UserError) as caught, Outbox(folder).shared():
        pass
    assert str(caught.value).startswith(f"captures cannot be kept in {folder}: ")
    assert str(caught.value).endswith(": CAPTURES_OUTBOX names another folder")


def test_outbox_keeps_whole_files_in_order(outbox):
    for number in range(5):
        outbox.add(98 + number, [{"key": number}, {"key": 9}])
    assert [json.loads(path.read_text().splitlines()[0])["key"] for path in outbox.queued()] == [
        *range(5)
    ]
    (outbox.folder / f"99-{HEX}.jsonl.part").write_text("{")
    (outbox.folder / "99-of-others.jsonl.part").write_text("{")
    old = time.time() - 100
    for path in outbox.folder.glob("*.part"):
        os.utime(path, (old, old))
    assert len(outbox.queued()) == 5
    outbox.clean()
    assert [path.name for path in outbox.folder.glob("*.part")] == ["99-of-others.jsonl.part"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_files_are_private_whatever_the_umask(outbox, umask, capsys):
    before = os.umask(umask)
    try:
        path = outbox.add(1, [{"key": 1}])
        with outbox.shared():
            assert permissions(outbox.folder / ".program-0") == 0o600
        outbox.refuse(outbox.add(2, [{"key": 2}]), "the reason")
    finally:
        os.umask(before)
    assert permissions(outbox.folder) == permissions(outbox.refused) == 0o700
    files = [path for path in outbox.folder.rglob("*") if path.is_file()]
    assert len(files) == 3 and {permissions(path) for path in files} == {0o600}
    assert outbox.read(path) == b'{"key": 1}\n'
    assert "warning" not in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_folder_that_is_open_to_others_is_warned_of_once(tmp_path, capsys):
    folder = tmp_path / "my outbox"
    folder.mkdir()
    folder.chmod(0o755)
    for number in range(2):
        Outbox(folder).add(number, [{"key": number}])
    assert capsys.readouterr().err == (
        f"warning: other users may open {folder}: chmod -R go-rwx '{folder}' closes it\n"
    )


def test_what_is_too_large_to_be_a_capture_is_not_stored(outbox, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 100)
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        outbox.add(1, [{"key": 1, "face_jpeg": "x" * 100}])
    assert list(outbox.folder.glob("*")) == []


def foreign(folder, secret):
    """Put entries that are no captures into a folder; returns how many, and what is not counted."""
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / f"12-{HEX}.JSONL").write_text("mine")
    (folder / f"12-{HEX}.jsonl\n").write_text("mine")
    (folder / "x-0123abcd.jsonl").write_text("mine")
    (folder / f"1-{HEX}.jsonl").mkdir()
    (folder / f"2-{HEX}.jsonl").symlink_to(secret)
    (folder / f"3-{HEX}.jsonl").symlink_to("/dev/zero")
    (folder / f"4-{HEX}.jsonl").symlink_to(folder / "none")
    os.mkfifo(folder / f"5-{HEX}.jsonl")
    with open(folder / f"6-{HEX}.jsonl", "wb") as huge:
        huge.truncate(2**40)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / f"7-{HEX}.jsonl"))
    return 11


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_what_others_have_put_there_is_counted_and_left_alone(outbox, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text('{"key": 1}\n')
    count = foreign(outbox.folder, secret)
    before = sorted(outbox.folder.iterdir())
    path = outbox.add(8, [{"key": 8}])
    assert outbox.queued() == [path]
    assert outbox.status() == (
        f"1 capture queued in {outbox.folder} ({count} other entries there: ignored)"
    )
    for each in before:
        os.utime(each, (0, 0), follow_symlinks=False)
    outbox.clean()
    assert outbox.prune(1) == 0
    assert sorted(outbox.folder.iterdir()) == sorted([*before, path])
    for number in (2, 5):
        with pytest.raises(ValueError, match="link|regular"):
            outbox.read(outbox.folder / f"{number}-{HEX}.jsonl")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid(), reason="for root only")
def test_files_of_other_users_are_left_alone_but_those_of_the_folders_owner(outbox):
    paths = [outbox.add(number, [{"key": number}]) for number in range(3)]
    os.chown(paths[1], 1234, 1234)
    assert outbox.queued() == [paths[0], paths[2]]
    os.chown(outbox.folder, 1234, 1234)
    assert outbox.queued() == paths


def test_a_link_to_a_folder_is_an_outbox(outbox, tmp_path):
    outbox.add(1, [{"key": 1}])
    (tmp_path / "link").symlink_to(outbox.folder)
    assert len(Outbox(tmp_path / "link").queued()) == 1


def test_what_is_refused_is_put_aside_with_the_reason(outbox, capsys):
    path = outbox.add(1, [{"key": 1}])
    outbox.refuse(path, "it is too large")
    assert outbox.queued() == [] and outbox.refusals == 1
    assert (outbox.refused / path.name).read_text() == '{"key": 1}\n'
    assert (outbox.refused / path.name).with_suffix(".txt").read_text() == "it is too large\n"
    assert capsys.readouterr().err == (
        f"{path.name} is put into {outbox.refused}: it is too large\n"
    )
    assert outbox.status() == (
        f"0 captures queued in {outbox.folder}, 1 refused in {outbox.refused}"
    )
    assert outbox.prune(1, time.time() + 2 * DAY) == 1 and not list(outbox.refused.iterdir())


def test_prune_deletes_what_is_older(outbox):
    paths = [outbox.add(number, [{}]) for number in range(3)]
    old = time.time() - 2 * DAY
    os.utime(paths[0], (old, old))
    assert outbox.prune(3) == 0 and outbox.prune(1.5) == 1
    assert outbox.queued() == paths[1:]


def test_retention_is_applied_at_most_once_an_hour(outbox, capsys):
    def add_old(number):
        path = outbox.add(number, [{}])
        os.utime(path, (0, 0))

    add_old(1)
    Retention(outbox, None).apply()
    assert outbox.status() == f"1 capture queued in {outbox.folder}"
    retention = Retention(outbox, 30)
    retention.apply()
    add_old(2)
    retention.apply()
    assert outbox.status() == f"1 capture queued in {outbox.folder}"
    assert capsys.readouterr().err == (
        f"1 capture older than 30 days deleted from {outbox.folder}\n"
    )


@pytest.mark.parametrize("jump", [DAY, -HOUR], ids=["a day forward", "an hour back"])
def test_a_clock_that_is_set_deletes_nothing_and_keeps_nothing_longer(outbox, monkeypatch, jump):
    start, now = time.time(), [0.0, 0.0]  # seconds that have passed; error of the system's clock

    def store(number):
        path = outbox.add(number, [{"key": number}])
        os.utime(path, (start + sum(now),) * 2)
        return path

    monkeypatch.setattr(module, "_elapsed", lambda: now[0])
    monkeypatch.setattr(module.time, "time", lambda: start + sum(now))
    retention = Retention(outbox, 0.5)
    store(1)
    now[:] = [2 * HOUR, jump]
    later = store(2)
    retention.apply()
    assert len(outbox.queued()) == 2
    now[0] += 11.5 * HOUR
    retention.apply()
    assert outbox.queued() == [later]
    now[0] += 2 * HOUR
    retention.apply()
    assert later not in outbox.queued()
