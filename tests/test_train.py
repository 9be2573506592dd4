import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys

import numpy as np
import pandas
import pytest

import train
from age_gender import weights
from age_gender.command_line import UserError
from age_gender.data.database import FaceDatabase
from age_gender.training.folder import held
from helpers import ROOT, until
from helpers.pictures import write_appa_real, write_chips, write_database
from wide_resnet import WideResNet


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("database")
    return write_database(folder / "utk.mat", write_chips(folder / "UTKFace", 90))


@pytest.fixture(scope="module")
def embedded(database):
    """Embeddings of its faces: the age in every number, as in the brightness."""
    path = database.with_name("embeddings.npz")
    faces = FaceDatabase(database)
    digests = np.frombuffer(b"".join(faces.digests()), np.uint8).reshape(-1, 32)
    numbers = np.random.default_rng(0).normal(0, 0.1, (len(digests), 128))
    numbers += faces.ages[:, None] / 50
    np.savez(path, sha256=digests, descriptors=numbers.astype(np.float16))
    return path


def tiny(database, output, *more):
    small = ["--depth", "10", "--width", "1", "--batch_size", "16", "--lr", "0.01", "--warmup", "0"]
    small += ["--engine", "plain", "--precision", "float32", "--steps_per_execution", "1"]
    return ["-i", str(database), "--output_path", str(output), *small, *more]


def test_run_leaves_weights_and_history_that_describe_it(database, tmp_path, capsys):
    """With more steps in one go than an epoch has."""
    arguments = tiny(database, tmp_path, "--nb_epochs", "3", "--validation_split", "0.2", "--aug")
    arguments += ["--steps_per_execution", "32"]
    train.main([*arguments, "--tensorboard"])
    history = pandas.read_hdf(tmp_path / "history_10_1.h5", "history")
    assert len(history) == 3
    assert {"loss", "val_loss", "val_pred_age_accuracy", "val_pred_gender_accuracy"} < set(history)
    best = history["val_loss"].cummin()
    improved = history["val_loss"] == best
    expected = {
        f"weights.{epoch + 1:02d}-{history['val_loss'][epoch]:.2f}.hdf5"
        for epoch in history.index[improved]
    }
    written = {path.name for path in tmp_path.glob("*.hdf5")}
    assert written == expected
    last = max(tmp_path.glob("*.hdf5"))
    description, _ = weights.read(last)
    assert description.network == WideResNet(32, 10, 1)
    assert (description.crop, description.data) == ("aligned", "UTKFace")
    assert description.terms == "non-commercial research only"
    assert (description.split_seed, description.validation_split) == (0, 0.2)
    told = [os.path.basename(each) if each[0] == "/" else each for each in arguments]
    assert description.training == shlex.join(["train.py", *told, "--tensorboard"])
    assert description.val_loss == pytest.approx(history["val_loss"].min())
    run = json.loads((tmp_path / "run_10_1.json").read_text())
    assert run["command"] == shlex.join(["train.py", *arguments, "--tensorboard"])
    assert re.fullmatch(r"[0-9a-f]{40}\+?", run["commit"])
    assert run["settings"]["engine"] == "plain" and run["settings"]["nb_epochs"] == "3"
    assert run["pictures a second"] > 0 and 100 < run["peak memory, MB"] < 20000
    assert list((tmp_path / "logs_10_1" / "train").iterdir())
    weights_line, history_line = capsys.readouterr().out.splitlines()
    assert weights_line == (
        f"weights {os.path.relpath(last)}  validation loss {description.val_loss:.2f}, age MAE "
        f"{description.val_age_mae:.2f} years, gender accuracy "
        f"{100 * description.val_gender_accuracy:.1f} percent"
    )
    assert history_line == f"history {os.path.relpath(tmp_path)}/history_10_1.h5"
    before = content_of(tmp_path)
    with pytest.raises(UserError, match=f"^--output_path: {tmp_path} holds an earlier training"):
        train.main(arguments)
    with held(tmp_path), pytest.raises(UserError, match="^another training is writing to"):
        train.main([*arguments, "--overwrite"])
    assert content_of(tmp_path) == before


def content_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_folders_and_other_weights_are_trained_on_in_low_precision(tmp_path, tiny_weights, capsys):
    chips = write_chips(tmp_path / "UTKFace", 40)
    release = write_appa_real(tmp_path / "appa-real-release", 20)
    arguments = tiny(chips, tmp_path / "out", "--nb_epochs", "1", "--steps_per_execution", "2")
    arguments += ["--input", str(chips), str(release), "--img_size", "32"]
    start, model = tiny_weights
    arguments += ["--weight_file", str(start), "--precision", "bfloat16", "--lr", "1e-9"]
    train.main(arguments)
    assert "starting from a WideResNet 10-1 for 32 px faces\n" in capsys.readouterr().err
    (path,) = (tmp_path / "out").glob("*.hdf5")
    description, arrays = weights.read(path)
    assert (description.precision, description.data) == ("bfloat16", "UTKFace, APPA-REAL")
    for array, before in zip(arrays, model.get_weights()):
        if array.ndim > 1:
            np.testing.assert_allclose(array, before, atol=1e-6)  # not rounded to bfloat16


def test_weights_give_the_validation_figures_that_they_claim(database, tmp_path):
    from age_gender.estimator import Estimator

    options = ["--nb_epochs", "1", "--fold", "2/3", "--opt", "adam"]
    train.main(tiny(database, tmp_path, *options))
    (path,) = tmp_path.glob("*.hdf5")
    estimator = Estimator(path)
    assert estimator.description.fold == "2/3"
    faces = FaceDatabase(database)
    _, rows, _ = faces.split(0, 0, 0, (2, 3))
    estimates = estimator(np.stack([faces.images[row] for row in rows]))
    mae = abs(estimates.ages - faces.ages[rows]).mean()
    assert estimator.description.val_age_mae == pytest.approx(mae, abs=1e-3)
    right = (estimates.males >= 0.5) == (faces.genders[rows] == 1)
    assert estimator.description.val_gender_accuracy == pytest.approx(right.mean(), abs=1e-5)


def test_too_few_pictures_are_one_line(database, tmp_path):
    with pytest.raises(UserError) as error:
        train.main(tiny(database, tmp_path, "--batch_size", "512"))
    assert str(error.value) == (
        f"{database} gives 84 pictures for training and 6 for validation: too few for "
        "--batch_size 512"
    )


def test_run_that_diverges_is_an_error_and_writes_no_weights(database, tmp_path):
    with pytest.raises(UserError) as error:
        train.main([*tiny(database, tmp_path, "--nb_epochs", "1"), "--lr", "1e30"])
    assert re.fullmatch(
        r"--lr: the loss became NaN or infinite, in epoch 1 at the learning rate [\de+]+: try a "
        r"tenth of it, or a longer warm-up",
        str(error.value),
    )
    assert not list(tmp_path.glob("*.hdf5"))


def digest_of(folder):
    """SHA-256 of each weight file's numbers, by name."""
    return {
        path.name: hashlib.sha256(
            b"".join(array.tobytes() for array in weights.read(path)[1])
        ).hexdigest()
        for path in folder.glob("*.hdf5")
    }


@pytest.mark.long
def test_killed_run_is_resumed_to_the_same_weights_as_one_that_was_not(
    database, embedded, tiny_weights, tmp_path, capsys
):
    """In the middle of an epoch, with everything that is learnt from, an average, and workers.

    Pictures are augmented within the steps.
    """
    options = ["--nb_epochs", "3", "--aug", "--ema", "0.9", "--workers", "4", "--lr", "0.02"]
    options += ["--embeddings", str(embedded), "--teacher", str(tiny_weights[0])]
    options += ["--img_size", "16"]
    place = ["--augment_on", "device"]
    train.main(tiny(database, tmp_path / "whole", *options, *place))
    command = [sys.executable, ROOT / "train.py"]
    command += tiny(database, tmp_path / "killed", *options, *place)
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if line.startswith("Epoch 2/"):
            break
    process.kill()
    process.communicate()
    state = tmp_path / "killed" / "state_10_1.npz"
    assert state.is_file()
    with pytest.raises(UserError) as error:
        train.main(tiny(database, tmp_path / "killed", *options))
    assert str(error.value) == (
        f"{state} is an unfinished run: add --resume to resume it, or --overwrite to replace it"
    )
    with pytest.raises(UserError) as error:
        others = ["--resume", "--teacher_weight", "0.5"]
        train.main([*tiny(database, tmp_path / "killed", *options), *others])
    assert re.fullmatch(
        r"--resume: the run had other settings: teachers was [0-9a-f]{16}, weight 0.7, in every "
        "step",
        str(error.value),
    )
    train.main([*tiny(database, tmp_path / "killed", *options), "--resume"])
    assert "resuming after epoch 1 of 3" in capsys.readouterr().err
    assert not state.exists()
    assert digest_of(tmp_path / "killed") == digest_of(tmp_path / "whole")
    histories = [
        pandas.read_hdf(tmp_path / name / "history_10_1.h5", "history")
        for name in ("killed", "whole")
    ]
    pandas.testing.assert_frame_equal(*histories)
    assert len(histories[0]) == 3
    # embeddings are learnt, but neither validated nor kept
    learnt, validated = (histories[0][f"{part}pred_embedding_loss"] for part in ("", "val_"))
    assert learnt.iloc[-1] < learnt[0] and (validated == 0).all()
    kept, _ = weights.read(max((tmp_path / "killed").glob("*.hdf5")))
    assert kept.network == WideResNet(16, 10, 1)


def test_resume_without_a_run_is_one_line(database, tmp_path):
    with pytest.raises(UserError) as error:
        train.main(tiny(database, tmp_path, "--resume"))
    assert str(error.value) == (
        f"--resume: there is no unfinished run ({tmp_path}/state_10_1.npz does not exist)"
    )


def test_faces_that_are_too_small_for_the_network_or_a_teacher_are_one_line(
    database, tiny_weights, tmp_path
):
    with pytest.raises(UserError) as error:
        train.main(tiny(database, tmp_path, "--img_size", "64"))
    assert str(error.value) == (
        f"--img_size: {database} has faces of 32 px, smaller than 64: make a larger database"
    )
    small = write_database(tmp_path / "small.mat", database.parent / "UTKFace", 16)
    with pytest.raises(UserError) as error:
        train.main(tiny(small, tmp_path / "out", "--teacher", str(tiny_weights[0])))
    assert str(error.value) == (
        f"--teacher: {tiny_weights[0]} takes faces of 32 px, those of {small} have 16: make a "
        "database of 32 px"
    )


def test_faces_of_a_size_the_network_cannot_take_are_one_line(tmp_path):
    chips = write_chips(tmp_path / "UTKFace", 60)
    database = write_database(tmp_path / "odd.mat", chips, 30)
    with pytest.raises(UserError) as error:
        train.main(tiny(database, tmp_path / "out"))
    assert str(error.value) == (
        f"{database} does not fit the network: image size must be a multiple of 4 from 8 up. "
        "Received: 30"
    )


@pytest.mark.long
def test_ctrl_c_ends_in_one_line_and_keeps_what_there_is(database, tmp_path):
    process = subprocess.Popen(
        [sys.executable, ROOT / "train.py", *tiny(database, tmp_path, "--nb_epochs", "500")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: list(tmp_path.glob("*.npz")) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert re.fullmatch(
        rf"train.py: stopped in epoch \d+ of 500: files so far are in {tmp_path}; the same "
        r"command with --resume resumes",
        said.splitlines()[-1],
    )
    assert not list(tmp_path.glob("*.part"))
    assert len(pandas.read_hdf(tmp_path / "history_10_1.h5", "history")) > 0


def test_missing_database_is_said_before_anything_is_loaded(command, tmp_path):
    done = command("train.py", "-i", "none.mat")
    assert done.returncode == 2
    assert done.stderr == (
        "train.py: error: --input: none.mat is not a file: make a database with create_db.py or "
        "create_db_utkface.py\n"
    )
