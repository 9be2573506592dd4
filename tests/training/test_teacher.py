import pickle

import cv2
import keras
import numpy as np
import pandas
import pytest

import train
from age_gender import autotune, weights
from age_gender.command_line import UserError
from age_gender.data.labelled import open_faces
from age_gender.files import locked
from age_gender.training import teacher
from age_gender.training.augmentation import Augmentation
from age_gender.training.devices import Devices
from generator import FaceBatches
from helpers.pictures import write_chips, write_database
from wide_resnet import WideResNet

PLAIN = autotune.Way("plain", "float32", 1)


def write_weights(path, network, change, **description):
    """A weight file, of which ``change`` may alter the arrays that the network starts with."""
    keras.utils.set_random_seed(0)
    model = network()
    model.set_weights(change(model.get_weights()))
    about = {"crop": "aligned", "margin": None} | description
    weights.write(path, model, weights.Description(network, **about))
    return path


def sure_of(age):
    """Arrays that take every face for a man of an age, certainly."""

    def change(arrays):
        gamma, beta, _, _, gender, ages = arrays[-6:]
        gamma[:], beta[:], gender[:], ages[:] = 0, 1, 0, 0
        gender[:, 1] = ages[:, age] = 1  # 64 channels of 1 each: certain by a factor of e^64
        return arrays

    return change


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("database")
    return write_database(folder / "utk.mat", write_chips(folder / "UTKFace", 60))


@pytest.fixture(scope="module")
def sure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sure")
    network = WideResNet(32, 10, 1, pool="global")
    return write_weights(folder / "sure.hdf5", network, sure_of(30), terms="private")


@pytest.fixture
def faces(database):
    return open_faces([database], database.parent)


@pytest.fixture(scope="module")
def unsure(tmp_path_factory):
    """A file of weights of which every face gets other answers."""

    def change(arrays):
        return [0.01 * array if array.ndim == 2 else array for array in arrays]

    path = tmp_path_factory.mktemp("unsure") / "unsure.hdf5"
    return write_weights(path, WideResNet(16, 10, 1), change)


def arguments(database, output, *more):
    small = ["--depth", "10", "--width", "1", "--pool", "global", "--batch_size", "16", "--aug"]
    small += ["--opt", "adam", "--lr", "0.05", "--warmup", "0", "--engine", "plain"]
    small += ["--precision", "float32", "--steps_per_execution", "1", "--nb_epochs", "3"]
    return ["-i", str(database), "--output_path", str(output), *small, *map(str, more)]


@pytest.mark.parametrize("how", ["in every step", "cached"])
def test_student_of_a_teacher_that_is_sure_of_30_learns_30(database, sure, faces, tmp_path, how):
    """Of half the size of the teacher, with an average; validation sees the labels alone."""
    options = ["--teacher", sure, "--teacher_weight", "1", "--img_size", "16", "--ema", "0.5"]
    if how == "cached":
        options += ["--teacher_cache", tmp_path / "answers.npz"]
    train.main(arguments(database, tmp_path, *options))
    history = pandas.read_hdf(tmp_path / "history_10_1.h5", "history")
    assert history["pred_age_loss"].iloc[-1] < 0.5 < history["pred_age_loss"][0]
    assert history["pred_gender_loss"].iloc[-1] < 0.1
    _, validation, _ = faces.split(0.1, 0, 0)
    error = abs(faces.ages[validation] - 30).mean()
    assert history["val_pred_age_mae"].iloc[-1] == pytest.approx(error, abs=0.1)
    assert history["val_pred_age_loss"].iloc[-1] > 3
    description, arrays = weights.read(max(tmp_path.glob("*.hdf5")))
    assert description.network == WideResNet(16, 10, 1, pool="global")
    assert description.resize == "area"
    assert description.terms == "non-commercial research only; private"
    assert len(arrays) == len(WideResNet(16, 10, 1).shapes())


def test_teachers_are_no_part_of_the_student(sure, unsure):
    names = [sure, unsure]
    given = teacher.of_larger(WideResNet(16, 10, 1)(), 32)
    teachers = teacher.Teachers([weights.read(name) for name in names], "float32")
    student = teacher.Student(given, teachers, 0.7)
    assert student.count_params() == given.count_params()
    assert len(student.variables) == len(given.variables)
    assert len(student.trainable_variables) == len(given.trainable_variables)
    assert len(teachers.variables) == 2 * len(given.variables)
    before = [np.array(each) for each in teachers.variables]
    student.compile("sgd", ["categorical_crossentropy"] * 2)
    pictures = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[[0] * 8], np.eye(101, dtype=np.float32)[[50] * 8]
    student.train_on_batch(pictures, targets)
    for variable, value in zip(teachers.variables, before):
        np.testing.assert_array_equal(variable, value)


def test_answers_are_the_mean_of_all_teachers_at_their_own_sizes(sure, unsure):
    pictures = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    read = [weights.read(sure), weights.read(unsure)]
    both, first, second = (teacher.Teachers(some, "float32") for some in (read, read[:1], read[1:]))
    small = np.stack(
        [cv2.resize(each, (16, 16), interpolation=cv2.INTER_AREA) for each in pictures]
    )
    for mean, one, other in zip(both(pictures), first(pictures), second(small)):
        np.testing.assert_allclose(mean, (np.array(one) + np.array(other)) / 2, atol=1e-5)
    np.testing.assert_allclose(np.sum(both(pictures)[1], axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("size", [96, 64, 56, 48, 32])
def test_faces_are_made_smaller_as_by_the_area_filter(size):
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 96, 96, 3)).astype(np.float32)
    for picture, ours in zip(pictures, np.array(teacher.area(pictures, size))):
        expected = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(ours, expected, atol=0.01)


def test_network_of_larger_faces_keeps_its_layers_in_low_precision():
    model = WideResNet(16, 10, 1).in_precision("bfloat16")
    larger = teacher.of_larger(model, 24)
    assert larger.input_shape == (None, 24, 24, 3)
    assert larger.output_names == model.output_names
    assert [a is b for a, b in zip(larger.weights, model.weights)] == [True] * len(model.weights)
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 24, 24, 3)).astype(np.float32)
    expected = model(teacher.area(pictures, 16), training=False)
    for ours, theirs in zip(larger(pictures, training=False), expected):
        np.testing.assert_array_equal(ours, theirs)


def test_answers_are_computed_once_and_mixed_as_their_pictures(faces, unsure, tmp_path, capsys):
    path, teachers = tmp_path / "answers.npz", [weights.read(unsure)]
    rows = np.arange(3, 50)
    heads = teacher.cached(path, teachers, faces, rows, PLAIN, 4, Devices())
    said = f"computing the teachers' answers for 47 pictures, once, into {path}\n"
    assert capsys.readouterr().err.startswith(said)  # lines on a slow machine's progress follow
    again = teacher.cached(path, teachers, faces, rows, PLAIN, 4, Devices())
    assert capsys.readouterr().err == ""
    pictures = np.stack([faces.images[row] for row in rows]).astype(np.float32)
    asked = teacher.Teachers(teachers, "float32")
    for head, same, plain, mirrored in zip(
        heads, again, asked(pictures), asked(pictures[:, :, ::-1])
    ):
        np.testing.assert_array_equal(head, same)
        mean = (np.array(plain) + np.array(mirrored)) / 2
        np.testing.assert_allclose(head, mean, atol=1e-3)
        assert head.std(0).max() > 1e-3  # each picture has its own
    options = {"training": True, "augmentation": Augmentation(mixup=0.5), "seed": 1}
    batches, labels, answers = (FaceBatches(faces, rows, 16, **options) for _ in range(3))
    batches.answers = teacher.Answers(heads, rows, 0.7)
    answers.answers = teacher.Answers(heads, rows, 1)
    for together, label, answer in zip(*(each[1][1] for each in (batches, labels, answers))):
        np.testing.assert_allclose(together, 0.3 * label + 0.7 * answer, atol=1e-6)


class Touch:
    """Unpickled, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "pickle", "shape", "nan", "one head"])
def test_file_that_holds_no_answers_is_one_line(faces, unsure, tmp_path, kind):
    path, rows, teachers = tmp_path / "answers.npz", np.arange(8), [weights.read(unsure)]
    made_of = {"teachers": "a", "pictures": "b"}
    gender, age = np.full((8, 2), 0.5, np.float16), np.full((8, 101), 1 / 101, np.float16)
    if kind == "text":
        path.write_text("answers")
    elif kind == "pickle":
        touch = np.array([Touch(tmp_path / "touched")], object)
        np.savez(path, gender=touch, age=age, **made_of)
        assert pickle.dumps(touch)
    elif kind == "one head":
        np.savez(path, gender=gender, **made_of)
    else:
        age = {"shape": age[:, :50], "nan": age * np.float16("nan")}.get(kind, age)
        np.savez(path, gender=gender, age=age, **made_of)
        size = {"empty": 0, "cut": 1500}.get(kind)
        path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError) as error:
        teacher.cached(path, teachers, faces, rows, PLAIN, 4, Devices())
    assert str(error.value) == (
        f"{path} is not a file of teachers' answers, or is damaged: name another file, or remove it"
    )
    assert not (tmp_path / "touched").exists()


def test_file_of_other_teachers_or_pictures_is_one_line(faces, sure, unsure, tmp_path):
    path, read = tmp_path / "answers.npz", weights.read
    teacher.cached(path, [read(unsure)], faces, np.arange(8), PLAIN, 4, Devices())
    for names, rows, other in (
        ([sure], np.arange(8), "teachers"),
        ([unsure, sure], np.arange(8), "teachers"),
        ([unsure], np.arange(1, 9), "pictures"),
        ([sure], np.arange(9), "teachers and pictures"),
    ):
        with pytest.raises(UserError) as error:
            teacher.cached(path, [*map(read, names)], faces, rows, PLAIN, 4, Devices())
        said = f"{path} is of other {other}: name another file, or remove it"
        assert str(error.value) == said


def test_several_hosts_need_a_file_that_is_there(faces, unsure, tmp_path):
    path, teachers = tmp_path / "answers.npz", [weights.read(unsure)]
    with pytest.raises(UserError) as error:
        teacher.cached(path, teachers, faces, np.arange(8), PLAIN, 4, Devices(2, 0, 2))
    assert str(error.value) == f"{path} does not exist: let one host make it, without the others"


def test_file_that_another_process_makes_is_one_line(faces, unsure, tmp_path):
    path, teachers = tmp_path / "answers.npz", [weights.read(unsure)]
    with locked(tmp_path / "answers.npz.lock", "", temporary=True):
        with pytest.raises(UserError) as error:
            teacher.cached(path, teachers, faces, np.arange(8), PLAIN, 4, Devices())
    assert str(error.value) == f"{path} is being made by another process: wait"
    assert not list(tmp_path.iterdir())


def test_file_in_a_missing_folder_is_one_line_before_the_answers(faces, unsure, tmp_path, capsys):
    path, teachers = tmp_path / "none" / "answers.npz", [weights.read(unsure)]
    with pytest.raises(UserError) as error:
        teacher.cached(path, teachers, faces, np.arange(8), PLAIN, 4, Devices())
    assert str(error.value) == (
        f"{path.parent} is not a folder that can be written to: name another"
    )
    assert capsys.readouterr().err == ""
