import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.data import builder
from age_gender.data.database import FaceDatabase
from age_gender.data.dataset import Pictures
from helpers import ROOT, until
from helpers.one_process import OneProcess
from helpers.pictures import write_chips

SETTINGS = {"img_size": 32, "db": "utk", "min_score": -1, "crop": "aligned"}


def cut(image):
    return cv2.resize(image, (32, 32))


def _cut_darker(brightest, image):
    if image.mean() > brightest:
        raise builder.UnusablePicture("it is too bright")
    return cut(image)


def pictures_in(folder):
    names = sorted(os.listdir(folder))
    ages = np.array([int(name.split("_")[0]) for name in names])
    return Pictures(folder, names, ages, ages % 2)


def test_every_picture_becomes_a_row_in_order(tmp_path):
    pictures = pictures_in(write_chips(tmp_path / "chips", 150))
    built = builder.build(tmp_path / "a.mat", pictures, cut, SETTINGS)
    database = FaceDatabase(tmp_path / "a.mat")
    assert built.written.all() and database.sources() == pictures.names
    np.testing.assert_array_equal(database.ages, pictures.ages)
    np.testing.assert_array_equal(database.genders, pictures.genders)
    for row, name in enumerate(pictures.names):
        np.testing.assert_array_equal(
            database.images[row], cut(cv2.imread(str(tmp_path / "chips" / name)))
        )
    assert sorted(os.listdir(tmp_path)) == ["a.mat", "chips"]


def test_bad_pictures_are_skipped_with_their_reasons(tmp_path):
    chips = write_chips(tmp_path / "chips", 10)
    names = sorted(os.listdir(chips))
    (chips / names[0]).write_bytes(b"")
    (chips / names[3]).write_bytes(b"no picture")
    (chips / names[4]).write_bytes((chips / names[4]).read_bytes()[:100])
    pictures = pictures_in(chips)
    (chips / names[6]).unlink()
    (chips / names[7]).unlink()
    (chips / names[7]).mkdir()
    pictures.refused[8] = "it has no label"

    choosy = functools.partial(_cut_darker, cv2.imread(str(chips / names[9])).mean() - 1)
    built = builder.build(tmp_path / "a.mat", pictures, choosy, SETTINGS)
    assert (
        built.skipped.items()
        >= {
            0: "it is empty",
            3: "it is damaged or not a picture",
            4: "it is damaged or not a picture",
            6: "No such file or directory",
            7: "Is a directory",
            8: "it has no label",
            9: "it is too bright",
        }.items()
    )
    kept = [name for row, name in enumerate(names) if row not in built.skipped]
    assert kept and FaceDatabase(tmp_path / "a.mat").sources() == kept


def test_duplicates_share_a_group_and_are_left_out_where_labels_differ(tmp_path):
    chips = write_chips(tmp_path / "chips", 6, size=200)
    names = sorted(os.listdir(chips))
    for name, seed in zip(names, range(6)):
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        cv2.imwrite(str(chips / name), cv2.resize(coarse, (200, 200)))
    shutil.copy(chips / names[1], chips / ("99" + names[1][names[1].index("_") :]))
    again = cv2.imread(str(chips / names[2]))
    cv2.imwrite(
        str(chips / names[2].replace("2017", "2018")), again, [cv2.IMWRITE_JPEG_QUALITY, 50]
    )
    pictures = pictures_in(chips)
    place = {name: row for row, name in enumerate(pictures.names)}
    built = builder.build(tmp_path / "a.mat", pictures, cut, SETTINGS)
    groups = FaceDatabase(tmp_path / "a.mat").groups
    assert len(set(built.identical)) == 7 and len(set(groups)) == 6
    same = groups[place[names[2]]] == groups[place[names[2].replace("2017", "2018")]]
    assert same and built.conflicting.sum() == 2 and built.written.all()
    built = builder.build(tmp_path / "b.mat", pictures, cut, SETTINGS, drop_conflicts=True)
    left = FaceDatabase(tmp_path / "b.mat").sources()
    assert names[1] not in left and len(left) == 6 and (~built.written).sum() == 2


def test_no_usable_picture_is_one_line_and_leaves_nothing(tmp_path):
    chips = write_chips(tmp_path / "chips", 2)
    pictures = pictures_in(chips)
    for name in pictures.names:
        (chips / name).unlink()
    with pytest.raises(UserError) as error:
        builder.build(tmp_path / "a.mat", pictures, cut, SETTINGS)
    assert str(error.value) == (
        f"none of the 2 pictures in {chips} can be used; the first is {pictures.names[0]}: "
        "No such file or directory"
    )
    assert os.listdir(tmp_path) == ["chips"]


def test_second_maker_of_the_same_output_is_refused(tmp_path):
    import fcntl

    pictures = pictures_in(write_chips(tmp_path / "chips", 3))
    (tmp_path / "a.mat.part").mkdir()
    with open(tmp_path / "a.mat.part" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError) as error:
            builder.build(tmp_path / "a.mat", pictures, cut, SETTINGS)
    assert str(error.value) == f"{tmp_path}/a.mat is being made by another process: wait"


def _stop(*arguments, **settings):
    raise KeyboardInterrupt


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """Pictures of which all faces are made, but not their database."""
    pictures = pictures_in(write_chips(tmp_path / "chips", 6))
    monkeypatch.setattr(builder.processes, "pool", OneProcess.pool)
    with monkeypatch.context() as patched:
        patched.setattr(builder, "create", _stop)
        with pytest.raises(KeyboardInterrupt, match="^stopped: the same command resumes$"):
            builder.build(tmp_path / "a.mat", pictures, cut, SETTINGS)
    return pictures


def test_pictures_that_changed_after_an_interruption_are_done_again(stopped, tmp_path, capsys):
    """Replaced by another of the same size and date, exchanged, removed, damaged."""
    paths = [stopped.folder / name for name in stopped.names]
    before = paths[0].stat()
    data = bytearray(paths[0].read_bytes())
    data[-20] ^= 0xFF
    paths[0].write_bytes(data)
    os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    aside = paths[1].rename(tmp_path / "aside")
    paths[2].rename(paths[1])
    aside.rename(paths[2])
    paths[3].unlink()
    paths[4].write_bytes(b"no picture")
    built = builder.build(tmp_path / "a.mat", stopped, cut, SETTINGS)
    assert capsys.readouterr().err.splitlines() == [
        "resuming an earlier run: 6 pictures are done",
        "5 pictures changed since the earlier run: done again",
    ]
    assert built.skipped == {3: "No such file or directory", 4: "it is damaged or not a picture"}
    database = FaceDatabase(tmp_path / "a.mat")
    assert database.sources() == [stopped.names[row] for row in (0, 1, 2, 5)]
    for row, name in enumerate(database.sources()):
        picture = cv2.imread(str(stopped.folder / name))
        np.testing.assert_array_equal(database.images[row], cut(picture))
        content = (stopped.folder / name).read_bytes()
        assert database.digests()[row] == hashlib.sha256(content).digest()


def test_pictures_that_only_their_dates_changed_of_are_taken_over(stopped, tmp_path, capsys):
    for name in stopped.names[:3]:
        os.utime(stopped.folder / name)
    stopped.refused[5] = "it has no label any more"
    built = builder.build(tmp_path / "a.mat", stopped, cut, SETTINGS)
    assert capsys.readouterr().err == "resuming an earlier run: 6 pictures are done\n"
    assert built.rows.tolist() == [0, 1, 2, 3, 4]


def _cut_brighter(image):
    return cv2.add(cut(image), 50)


def test_faces_that_were_cut_otherwise_are_not_taken_over(stopped, tmp_path, capsys):
    builder.build(tmp_path / "a.mat", stopped, _cut_brighter, SETTINGS)
    assert capsys.readouterr().err == ""
    first = cv2.imread(str(stopped.folder / stopped.names[0]))
    image = FaceDatabase(tmp_path / "a.mat").images[0]
    np.testing.assert_array_equal(image, _cut_brighter(first))


class Interrupted:
    """A run of a command that takes long at some pictures, huge ones, until it is ended."""

    def __init__(self, folder, count=400):
        self.chips = write_chips(folder / "chips", count)
        self.output = folder / "a.mat"
        self.names = sorted(os.listdir(self.chips))
        self.held = [self.chips / name for name in self.names[count // 2 :][:40]]
        self.command = [sys.executable, ROOT / "create_db_utkface.py", "-i", self.chips]
        self.command += ["-o", self.output]

    def run(self, *options):
        return subprocess.run([*self.command, *options], capture_output=True, text=True)

    def undisturbed(self):
        other = self.output.with_name("undisturbed.mat")
        subprocess.run([*self.command[:-1], other], check=True, capture_output=True)
        return other

    def end_by(self, signal_number):
        """Start it, wait until all that can be done is done, and end it with a signal."""
        contents = [path.read_bytes() for path in self.held]
        huge = cv2.imencode(".jpg", np.zeros((10000, 10000), np.uint8))[1].tobytes()
        for path in self.held:
            path.write_bytes(huge)
        process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        last = len(self.names) - 2 * builder.BATCH
        until(lambda: self.done() >= last or process.poll() is not None)
        process.send_signal(signal_number)
        err = process.communicate(timeout=120)[1]
        for path, content in zip(self.held, contents):
            path.write_bytes(content)
        return process.returncode, err.splitlines()

    def done(self):
        records = self.output.with_name("a.mat.part") / "records"
        if not records.exists():
            return 0
        return int((np.fromfile(records, builder.RECORD)["crc"] != 0).sum())


def content_of(path):
    import h5py

    with h5py.File(path) as file:
        return {name: file[name][...].tobytes() for name in file}


@pytest.mark.parametrize("number, code", [("SIGINT", 130), ("SIGTERM", 130), ("SIGKILL", -9)])
def test_ended_run_is_taken_up_and_gives_the_same_database(tmp_path, number, code):
    interrupted = Interrupted(tmp_path)
    expected = interrupted.undisturbed()
    returned, err = interrupted.end_by(getattr(signal, number))
    assert returned == code
    assert not interrupted.output.exists() and (tmp_path / "a.mat.part").is_dir()
    if number != "SIGKILL":
        assert err[-1] == ("create_db_utkface.py: stopped: the same command resumes")
    done = interrupted.done()
    assert 200 < done < 400
    resumed = interrupted.run()
    assert resumed.returncode == 0
    assert f"resuming an earlier run: {done} pictures are done" in resumed.stderr
    assert content_of(interrupted.output) == content_of(expected)
    assert not (tmp_path / "a.mat.part").exists()


def test_face_that_was_half_written_is_made_again(tmp_path):
    interrupted = Interrupted(tmp_path)
    expected = interrupted.undisturbed()
    interrupted.end_by(signal.SIGKILL)
    with open(tmp_path / "a.mat.part" / "faces", "r+b") as faces:
        faces.seek(10 * 64 * 64 * 3 + 500)
        faces.write(bytes(400))
    with open(tmp_path / "a.mat.part" / "records", "r+b") as records:
        records.seek(20 * builder.RECORD.itemsize + 40)
        records.write(b"torn")
    assert interrupted.run().returncode == 0
    assert content_of(interrupted.output) == content_of(expected)


def test_other_command_starts_over(tmp_path):
    interrupted = Interrupted(tmp_path)
    interrupted.end_by(signal.SIGKILL)
    other = interrupted.run("--img_size", "48")
    assert other.returncode == 0 and "resuming" not in other.stderr
    assert FaceDatabase(interrupted.output).images.shape == (400, 48, 48, 3)


def test_memory_and_work_in_flight_do_not_grow_with_the_size_of_faces(tmp_path):
    pictures = pictures_in(write_chips(tmp_path / "chips", 5))
    settings = SETTINGS | {"img_size": 700}
    (tmp_path / "part").mkdir()
    slots = builder._Slots(tmp_path / "part", pictures, cut, settings)
    assert slots._batch == 1


def test_full_disk_is_one_line_and_is_gone_on_from_when_there_is_room(tmp_path, small_disk):
    interrupted = Interrupted(tmp_path, 400)
    expected = interrupted.undisturbed()
    disk, resize = small_disk
    interrupted.output = disk / "a.mat"
    interrupted.command[-1] = interrupted.output
    line = (
        f"create_db_utkface.py: error: {disk}/a.mat: No space left on device: make room and "
        "run the same command again to resume"
    )
    for size in ("2m", "6m"):  # room for some of the faces; for all, but not the database
        resize(size)
        full = interrupted.run()
        assert full.returncode == 2 and full.stderr.splitlines()[-1] == line
        assert os.listdir(disk) == ["a.mat.part"]
    resize("30m")
    resumed = interrupted.run()
    assert "resuming an earlier run: 400 pictures" in resumed.stderr
    assert content_of(interrupted.output) == content_of(expected)
