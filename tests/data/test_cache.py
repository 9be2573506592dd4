import os
import re
import shutil

import cv2
import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.data import builder, labelled, stamps
from age_gender.data.database import FaceDatabase
from helpers.one_process import OneProcess
from helpers.pictures import write_appa_real, write_chips, write_database


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(builder.processes, "pool", OneProcess.pool)
    monkeypatch.setattr(stamps, "FRESH", -1)  # files of a moment ago are as good as others


@pytest.fixture
def chips(tmp_path):
    """A folder of 8 chips, of which one is damaged, and the database that was made of it."""
    folder = write_chips(tmp_path / "UTKFace", 7)
    (folder / "20_0_0_1.jpg").write_bytes(b"no picture")
    made_of(folder)
    return folder


def made_of(folder, **options):
    return labelled.database_of(folder, folder.parent / "out", 16, **options)


def is_of(database, folder):
    for row, name in enumerate(database.sources()):
        picture = cv2.resize(cv2.imread(str(folder / name)), (16, 16))
        np.testing.assert_array_equal(database.images[row], picture)
    return len(database)


def test_database_is_used_again_while_its_pictures_are_the_same(capsys, chips, tmp_path):
    skipped = "pictures skipped: 1 (20_0_0_1.jpg: it is damaged or not a picture)\n"
    assert capsys.readouterr().err == f"making {tmp_path}/out/UTKFace_16.mat of {chips}\n{skipped}"
    inode = os.stat(tmp_path / "out" / "UTKFace_16.mat").st_ino
    for path in chips.iterdir():
        if path.name != "20_0_0_1.jpg":
            os.utime(path, (1000, 1000))  # their digests tell
    assert is_of(made_of(chips), chips) == 7
    assert capsys.readouterr().err == skipped
    assert os.stat(tmp_path / "out" / "UTKFace_16.mat").st_ino == inode


def names(folder):
    return sorted(os.listdir(folder))


def replaced(chips):
    shutil.copy(chips / names(chips)[-1], chips / names(chips)[1])


def added(chips):
    shutil.copy(chips / names(chips)[-1], chips / "30_1_0_1.jpg")


def removed(chips):
    (chips / names(chips)[1]).unlink()


def renamed(chips):
    (chips / names(chips)[1]).rename(chips / "30_1_0_1.jpg")


def repaired(chips):
    shutil.copy(chips / names(chips)[-1], chips / "20_0_0_1.jpg")


def set_back(chips):
    """Another content of the same size and date."""
    path = chips / names(chips)[-1]
    before, data = path.stat(), bytearray(path.read_bytes())
    data[-20] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change, why",
    [
        (replaced, "1 changed"),
        (added, "1 new"),
        (removed, "1 gone"),
        (renamed, "1 new, 1 gone"),
        (repaired, "1 changed"),
        (set_back, "1 changed"),
    ],
)
def test_database_is_made_again_when_a_picture_changed(chips, tmp_path, capsys, change, why):
    capsys.readouterr()
    change(chips)
    left = len(names(chips)) - (change is not repaired)
    assert is_of(made_of(chips), chips) == left
    said = capsys.readouterr().err.splitlines()[0]
    assert said == f"making {tmp_path}/out/UTKFace_16.mat of {chips}: {why}"
    made_of(chips)
    assert "making" not in capsys.readouterr().err


def test_missing_pictures_stay_missing_and_other_labels_are_noticed(tmp_path, capsys):
    release = write_appa_real(tmp_path / "appa", 5)
    (release / "train" / "000001.jpg_face.jpg").unlink()
    made_of(release)
    made_of(release)
    missing = "pictures skipped: 1 (train/000001.jpg_face.jpg: No such file or directory)"
    assert capsys.readouterr().err.splitlines()[1:] == [missing, missing]
    assert made_of(release, age_label="real").ages.tolist() == [22, 24, 25, 26]
    assert f"of {release}: 4 labelled otherwise\n" in capsys.readouterr().err
    assert len(made_of(release, age_label="real", ignored={"000000.jpg"})) == 3
    assert re.search(r"of \S+: 1 gone\n", capsys.readouterr().err)


def test_database_that_somebody_made_is_used_but_never_replaced(chips, tmp_path):
    other = tmp_path / "out" / "mine_16.mat"
    mine = write_chips(tmp_path / "mine", 5)
    write_database(other, mine, 16)
    content = other.read_bytes()
    assert len(made_of(mine)) == 5
    (tmp_path / "out" / "mine_16_pictures.json").unlink()
    added(mine)
    with pytest.raises(UserError) as error:
        made_of(mine)
    assert str(error.value) == (
        f"{other} exists and is not the database of {mine}: 1 new: move it away"
    )
    with pytest.raises(UserError, match="its resize was linear: move it away"):
        made_of(mine, resize="area")
    assert other.read_bytes() == content


def test_run_that_was_ended_before_the_stamps_were_written_is_no_harm(chips, capsys, monkeypatch):
    (chips / "20_0_0_1.jpg").unlink()
    made_of(chips)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(stamps, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        added(chips)
        made_of(chips)
    capsys.readouterr()
    assert is_of(made_of(chips), chips) == 8
    assert capsys.readouterr().err == ""


def test_picture_that_changes_while_the_database_is_made_is_noticed(chips, monkeypatch):
    build = builder.build

    def build_and_change(*arguments, **options):
        built = build(*arguments, **options)
        replaced(chips)
        return built

    with monkeypatch.context() as patched:
        patched.setattr(builder, "build", build_and_change)
        added(chips)
        made_of(chips)
    assert is_of(made_of(chips), chips) == 8
    assert isinstance(made_of(chips), FaceDatabase)
