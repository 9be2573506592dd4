import errno
import os
import signal
import subprocess
import sys

import pytest

from age_gender import files
from age_gender.command_line import UserError
from age_gender.files import atomic_folder, atomic_write, locked, reserve, sync_folder
from helpers import ROOT


def test_file_appears_only_when_whole(tmp_path):
    path = tmp_path / "result"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with atomic_write(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_killed_process_leaves_nothing_under_the_final_name(tmp_path):
    code = (
        "import pathlib, time; from age_gender import files\n"
        f"with files.atomic_write(pathlib.Path({str(tmp_path / 'result')!r})) as partial:\n"
        "    partial.write_text('half'); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [path.name for path in tmp_path.iterdir()] == ["result.part"]


def test_rename_is_tried_again_while_windows_refuses_it(tmp_path, monkeypatch):
    rename, refused = os.replace, iter([True, True])

    def busy(source, target):
        if next(refused, False):
            raise PermissionError(13, "Permission denied", source)
        rename(source, target)

    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(os, "replace", busy)
    with atomic_write(tmp_path / "result") as partial:
        partial.write_text("new")
    assert (tmp_path / "result").read_text() == "new" and next(refused, None) is None
    monkeypatch.setattr(files, "WINDOWS", False)
    refused = iter([True])
    with pytest.raises(PermissionError), atomic_write(tmp_path / "result") as partial:
        partial.write_text("newer")


def test_lock_is_refused_to_a_second_and_free_again_afterwards(tmp_path):
    path = tmp_path / "lock"
    with locked(path, "busy"), pytest.raises(UserError, match="busy"), locked(path, "busy"):
        pass
    with locked(path, "busy") as file:
        file.write(b"content")
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_system_without_locks_works_with_a_warning(tmp_path, monkeypatch, capsys, number):
    def refuse(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    for _ in range(2):  # and one warning
        with locked(tmp_path / "lock", "busy"):
            pass
    assert capsys.readouterr().err == (
        f"warning: {tmp_path / 'lock'}: no locks on this file system: do not run this twice at "
        "once\n"
    )


def test_lock_that_fails_otherwise_is_not_taken_for_another_process(tmp_path, monkeypatch):
    def refuse(file, operation):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match="Input/output error"), locked(tmp_path / "lock", "busy"):
        pass


@pytest.mark.parametrize("there", [True, False])
def test_room_is_reserved_and_the_content_stays(tmp_path, monkeypatch, there):
    if not there:
        monkeypatch.delattr(os, "posix_fallocate")
    path = tmp_path / "file"
    path.write_bytes(b"content")
    reserve(path, 3_000_000)
    assert path.read_bytes() == b"content" + bytes(2_999_993)
    assert path.stat().st_blocks * 512 >= 3_000_000


@pytest.mark.parametrize("there", [True, False])
def test_room_that_is_not_there_is_an_error_and_nothing_is_taken(small_disk, monkeypatch, there):
    if not there:
        monkeypatch.delattr(os, "posix_fallocate")
    path = small_disk[0] / "file"
    path.write_bytes(b"content")
    with pytest.raises(OSError, match="No space left"):
        reserve(path, 10**6)
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.EIO])
def test_file_system_that_syncs_nothing_is_no_error_but_lost_content_is(
    tmp_path, monkeypatch, number
):
    def refuse(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)  # whose files are there all the same
    path = tmp_path / "result"
    if number == errno.EIO:
        with pytest.raises(OSError, match="Input/output error") as error, atomic_write(path) as it:
            it.write_text("new")
        assert error.value.filename == str(path) and list(tmp_path.iterdir()) == []
    else:
        with atomic_write(path) as partial:
            partial.write_text("new")
        assert path.read_text() == "new"


def test_lock_that_is_removed_at_the_end_keeps_out_who_opened_it_before(tmp_path, monkeypatch):
    """A file that was removed between being opened and being locked locks nothing."""
    path, lock = tmp_path / "lock", files._lock
    removed = iter([True])

    def lock_late(file):
        if next(removed, False):
            path.unlink()
        lock(file)

    monkeypatch.setattr(files, "_lock", lock_late)
    with locked(path, "busy", temporary=True):
        assert path.exists()
        with pytest.raises(UserError, match="^busy$"), locked(path, "busy", temporary=True):
            pass
        assert path.exists()
    assert os.listdir(tmp_path) == []


def test_folder_that_holds_a_name_is_refused_unless_to_be_replaced(tmp_path):
    files.refuse_existing(tmp_path / "new", ["a"], overwrite=False)
    (tmp_path / "b").symlink_to("nowhere")
    files.refuse_existing(tmp_path, ["a", "b"], overwrite=True)
    for folder, message in (
        (tmp_path, f"{tmp_path} holds b: add --overwrite to replace it, or give another folder"),
        (tmp_path / "b", f"{tmp_path}/b is a file: give a folder"),
    ):
        with pytest.raises(UserError) as error:
            files.refuse_existing(folder, ["a", "b"], overwrite=False)
        assert str(error.value) == message


def test_file_system_that_renames_onto_no_file_works(tmp_path, monkeypatch):
    rename = os.replace

    def careful(source, target):
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        rename(source, target)

    monkeypatch.setattr(os, "replace", careful)
    for text in ("old", "new"):
        with atomic_write(tmp_path / "result") as partial:
            partial.write_text(text)
    assert (tmp_path / "result").read_text() == "new" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("before", [None, "old"])
def test_folder_appears_only_when_whole_and_replaces_what_was_there(tmp_path, before):
    path = tmp_path / "result"
    if before:
        path.mkdir()
        (path / before).touch()
    (tmp_path / "result.part").mkdir()  # of a process that was killed
    (tmp_path / "result.part" / "left").touch()
    with pytest.raises(KeyboardInterrupt), atomic_folder(path) as partial:
        partial.mkdir()
        raise KeyboardInterrupt
    assert [each.name for each in tmp_path.rglob("*")] == (["result", "old"] if before else [])
    with atomic_folder(path) as partial:
        partial.mkdir()
        (partial / "new").touch()
    assert [each.name for each in tmp_path.rglob("*")] == ["result", "new"]


def test_folder_without_content_is_not_replaced(tmp_path):
    path = tmp_path / "result"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(FileNotFoundError), atomic_folder(path):
        pass
    assert [each.name for each in tmp_path.rglob("*")] == ["result", "old"]
