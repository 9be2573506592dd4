"""What is written is complete or absent, and the error names it: each kind of file, each fault."""

import contextlib
import errno
import os

import numpy as np
import pytest

from age_gender import diagrams, weights
from age_gender.captures.outbox import Outbox
from age_gender.command_line import UserError
from age_gender.data import database, stamps
from age_gender.data import report as data_report
from age_gender.evaluation import report as evaluation_report
from age_gender.frames import Frame
from age_gender.live.analyst import Analysis
from age_gender.live.player import Shown
from age_gender.output import tables
from age_gender.output.video import open_recording
from age_gender.output.video_writer import count_frames
from helpers.disk import limited_files

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (48, 64, 3), np.uint8)


def write_weights(folder, model):
    description = weights.Description(model[2], crop="aligned", margin=None)
    weights.write(folder / "weights.hdf5", model[1], description)


def write_copy(folder, model):
    weights.copy_halved(model[0], folder / "weights.hdf5")


def write_database(folder, model):
    count = 400
    with database.create(
        folder / "faces.mat", 16, db="utk", min_score=-1, crop="aligned", expected=count
    ) as made:
        rows = np.zeros(count, int)
        images = np.broadcast_to(PICTURE[:16, :16], (count, 16, 16, 3))
        made.append(images, rows, rows, rows, np.zeros((count, 32), np.uint8), ["a.jpg"] * count)


def write_history(folder, model):
    from age_gender.training.callbacks import History  # imports Keras

    history = History(folder / "history.h5")
    history.rows = [{"loss": 2.0 / n, "val_loss": 2.1 / n} for n in range(1, 9)]
    history.write()


def write_tables(folder, model):
    with tables.open_tables(folder, ["name", "age"]) as write_row:
        for number in range(1000):
            write_row({"name": f"{number}.jpg", "age": number % 101})


def write_stamps(folder, model):
    stamps.write(folder / "stamps.json", {f"{number}.jpg": [1, 2, 3] for number in range(100)})


def write_report(folder, model):
    evaluation_report.write_table(folder / "groups.csv", [])


def write_data_report(folder, model):
    data_report._table(folder / "skipped.csv", ["file"], [[f"{n}.jpg"] for n in range(100)])


def write_diagram(folder, model):
    with diagrams.diagram(folder / "loss.png") as (axes,):
        axes.plot([1, 2], [2, 1])


def write_capture(folder, model):
    Outbox(folder).add(1790000000000, [{"key": number} for number in range(100)])


def write_video(folder, model):
    with open_recording(folder, 10.0) as recording:
        for number in range(1, 30):
            frame = Frame(f"frame {number}", PICTURE, number, number / 10, 0.0)
            recording.add(
                Shown(frame, [], Analysis(frame, []), None), np.roll(PICTURE, 3 * number, 1)
            )


WRITERS = [
    *(write_weights, write_copy, write_database, write_history, write_tables),
    *(write_stamps, write_report, write_data_report, write_diagram, write_capture, write_video),
]
FAULTS = ["first write", "middle write", "last write", "sync", "rename"]


@pytest.fixture(scope="module")
def model(tiny_weights):
    from wide_resnet import WideResNet

    return (*tiny_weights, WideResNet(32, 10, 1))


@pytest.fixture(autouse=True)
def printed(capsys):
    """What is printed goes into memory: a limit to the size of files is for all of them."""


def content_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextlib.contextmanager
def fault(kind, size):
    """Let writing go wrong in the block; ``size``: bytes of the largest file that is written."""

    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    limits = {"first write": 1, "middle write": size // 2, "last write": size - 1}
    with pytest.MonkeyPatch.context() as patch:
        if kind in limits:
            with limited_files(limits[kind]):
                yield
        else:
            patch.setattr(os, "fsync" if kind == "sync" else "replace", refuse)
            yield


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__.removeprefix("write_"))
def test_file_is_complete_or_absent_and_the_error_names_it(tmp_path, model, write, kind):
    whole, folder = tmp_path / "whole", tmp_path / "out"
    for each in (whole, folder):
        each.mkdir()
    write(whole, model)
    sizes = {path.name: path.stat().st_size for path in whole.iterdir()}
    if write is write_video and kind == "last write":
        kind = "middle write"  # without the last one it can be played as well
    with fault(kind, max(sizes.values())), pytest.raises((OSError, UserError)) as error:
        write(folder, model)
    if write is not write_capture:  # its name is a random number, and its folder is named
        assert any(name in str(error.value) for name in sizes), str(error.value)
    assert "\n" not in str(error.value)
    for path in folder.iterdir():
        if path.name == "video.mp4":
            assert count_frames(path)  # what is whole of it is kept
        elif path.suffix == ".part":
            assert write in (write_tables, write_video)  # rows so far
        else:
            assert path.stat().st_size == sizes[path.name]
        path.unlink()
    write(folder, model)
    assert len(list(folder.iterdir())) == len(sizes)
