import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

import age_gender
from age_gender import EstimatedFace, FaceEstimator, UnreadablePicture, UserError, weights
from age_gender.estimates import Quantiles
from helpers import LIGHT, ROOT

RULE = Quantiles(((0, 0.05, 0.95),))  # of age intervals


@pytest.fixture(scope="module")
def estimator(tiny_weights):
    return FaceEstimator(tiny_weights[0])


def test_picture_is_a_path_or_an_array(estimator, tmp_path, astronaut):
    cv2.imwrite(str(tmp_path / "astronaut.png"), astronaut)
    (face,) = estimator.estimate(tmp_path / "astronaut.png")
    left, top, width, height = face.box
    assert abs(left + width / 2 - 220) < 15 and abs(top + height / 2 - 121) < 15
    assert 0 <= face.age <= 100 and face.interval is None and face.score > 0.5
    assert face.gender in ("F", "M") and 0.5 <= face.probability <= 1
    assert estimator.estimate(str(tmp_path / "astronaut.png")) == [face]
    assert estimator.estimate(astronaut) == [face]


def test_list_of_pictures_gives_a_list_for_each_in_one_batch(estimator, astronaut, monkeypatch):
    sizes = []
    network = estimator.network
    monkeypatch.setitem(
        estimator.__dict__, "network", lambda faces: sizes.append(len(faces)) or network(faces)
    )
    grey = np.full((90, 90, 3), 90, np.uint8)
    twice = np.hstack([astronaut, astronaut])
    found = estimator.estimate([astronaut, grey, twice])
    assert list(map(len, found)) == [1, 0, 2] and sizes == [3]
    (alone,), (among,) = estimator.estimate(astronaut), found[0]
    assert among.box == alone.box and among.age == pytest.approx(alone.age, abs=0.01)
    assert found[2][0].box[0] < found[2][1].box[0]  # from left to right
    assert estimator.estimate([]) == [] and estimator.estimate([grey]) == [[]]


def test_detector_and_network_are_loaded_once_and_when_needed(tiny_weights, astronaut):
    estimator = FaceEstimator(tiny_weights[0])
    assert set(vars(estimator)) == {"recipe"}
    estimator.estimate(astronaut)
    loaded = estimator.network, estimator.finder
    estimator.estimate(astronaut)
    assert (estimator.network, estimator.finder) == loaded


def test_cropped_pictures_are_one_face_each(tiny_weights):
    chips = list(np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8))
    found = FaceEstimator(tiny_weights[0], cropped=True).estimate(chips)
    assert [face.box for (face,) in found] == [(0, 0, 40, 40)] * 3
    assert all(face.score is None for (face,) in found)


def test_interval_and_offset(tiny_weights, tmp_path, astronaut):
    with pytest.raises(UserError) as error:
        FaceEstimator(tiny_weights[0], interval=True)
    assert str(error.value) == (
        f"{tiny_weights[0]} has no age intervals: evaluate.py --keep_interval adds them, measured "
        "on labelled faces that these weights were not trained on"
    )
    path = tmp_path / "weights.hdf5"
    path.write_bytes(tiny_weights[0].read_bytes())
    weights.keep_interval(path, 0.9, RULE)
    (face,) = FaceEstimator(path).estimate(astronaut)
    low, high = face.interval
    assert low < face.age < high
    (younger,) = FaceEstimator(path, interval=False, age_offset=-2).estimate(astronaut)
    assert younger.interval is None and younger.age == pytest.approx(face.age - 2)


def test_margin_changes_the_cut(tiny_weights, estimator, astronaut):
    (other,) = FaceEstimator(tiny_weights[0], 0.2).estimate(astronaut)
    (face,) = estimator.estimate(astronaut)
    assert other.box == face.box and other.age != face.age


@pytest.mark.parametrize(
    "content, problem",
    [
        (None, "No such file or directory"),
        (b"", "it is empty"),
        (b"text", "it is damaged or not a picture"),
    ],
)
def test_picture_that_cannot_be_read_is_named(estimator, tmp_path, content, problem):
    path = tmp_path / "party.jpg"
    if content is not None:
        path.write_bytes(content)
    for pictures in (path, [path]):
        with pytest.raises(UnreadablePicture) as error:
            estimator.estimate(pictures)
        assert str(error.value) == f"{path}: {problem}"
    assert issubclass(UnreadablePicture, UserError)


@pytest.mark.parametrize(
    "array, received",
    [
        (np.zeros((9, 9), np.uint8), "(9, 9) uint8"),
        (np.zeros((9, 9, 3), np.float32), "(9, 9, 3) float32"),
        (np.zeros((0, 9, 3), np.uint8), "(0, 9, 3) uint8"),
        (np.zeros((2, 9, 9, 3), np.uint8), "(2, 9, 9, 3) uint8"),
    ],
)
def test_array_of_another_kind_is_an_error(estimator, array, received):
    with pytest.raises(UnreadablePicture) as error:
        estimator.estimate(array)
    assert str(error.value) == (
        f"a picture must be an (H, W, 3) uint8 BGR array. Received: {received}"
    )


def test_missing_weights_are_an_error_at_once(tmp_path):
    with pytest.raises(UserError, match="none.hdf5 does not exist: give a file, one of the"):
        FaceEstimator(tmp_path / "none.hdf5")


def test_shipped_weights_estimate_a_woman_with_an_interval(astronaut):
    (face,) = age_gender.estimate(astronaut)
    assert isinstance(face, EstimatedFace) and face.gender == "F"
    low, high = face.interval
    assert 20 < low < face.age < high < 50
    assert age_gender.estimate([astronaut]) == [[face]]


def test_import_loads_nothing_and_names_are_there_with_few_packages():
    code = (
        "import sys, age_gender; "
        "assert not {'numpy', 'cv2', 'dlib', 'tensorflow'} & sys.modules.keys(); "
        "from age_gender import estimate, FaceEstimator; "
        "assert 'cv2' in sys.modules and 'ai_edge_litert' not in sys.modules; "
        "print([face.gender for face in estimate('tools/pictures/astronaut.jpg')]); "
        "age_gender.nothing"
    )
    how = {"capture_output": True, "text": True, "env": os.environ | LIGHT}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, **how)
    assert done.stdout == "['F']\n"
    assert done.stderr.splitlines()[-1] == (
        "AttributeError: module 'age_gender' has no attribute 'nothing'"
    )
