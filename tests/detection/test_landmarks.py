import os
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from age_gender.detection import landmarks
from age_gender.errors import UserError
from age_gender.faces import Cut, Embedder, FaceFinder

FACE, PATCH = dlib.rectangle(175, 76, 265, 166), dlib.rectangle(126, 335, 215, 425)
MODEL = Path(landmarks.model_file(landmarks.MODEL))  # of the package that is installed
REINSTALL = "pip install --force-reinstall --no-deps face-recognition-models"


@pytest.fixture
def rgb(astronaut):
    """The astronaut, (512, 512, 3) uint8 RGB, with FACE and a PATCH that the detector reports."""
    return np.ascontiguousarray(astronaut[:, :, ::-1])


@pytest.fixture
def unloaded():
    """Before and after the test, no predictor is loaded."""
    landmarks.predictor.cache_clear()
    yield
    landmarks.predictor.cache_clear()


@pytest.fixture
def models(tmp_path, monkeypatch, unloaded):
    """The folder of the models of a package face_recognition_models that has none."""
    folder = tmp_path / os.fsdecode(b"caf\xe9") / "face_recognition_models" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(folder.parents[1])
    return folder


def points(rgb, box):
    """The five points in a picture, (5, 2) pixels."""
    return np.array([(point.x, point.y) for point in landmarks.predictor()(rgb, box).parts()])


def test_landmarks_stay_on_the_face_and_drift_on_the_patch(rgb):
    assert landmarks.drift(rgb, FACE) < 0.01
    assert landmarks.drift(rgb, PATCH) > landmarks.STEADY


@pytest.mark.parametrize("angle", [-30, 0, 30])
@pytest.mark.parametrize("factor", [0.4, 1, 3])
def test_points_come_to_lie_where_utkfaces_do(rgb, angle, factor):
    matrix = cv2.getRotationMatrix2D((220, 121), angle, factor)
    turned = cv2.warpAffine(rgb, matrix, (512, 512), flags=cv2.INTER_AREA)
    half = round(45 * factor)
    chip = landmarks.chip(turned, dlib.rectangle(220 - half, 121 - half, 220 + half, 121 + half))
    assert chip.shape == (200, 200, 3) and chip.dtype == np.uint8
    found = points(chip, dlib.rectangle(40, 40, 160, 160)) / 200
    np.testing.assert_allclose(found, landmarks.POINTS, atol=0.06)


def test_side_of_the_chip_changes_nothing_else(rgb):
    small = landmarks.chip(rgb, FACE, 100).astype(int)
    large = cv2.resize(landmarks.chip(rgb, FACE), (100, 100), interpolation=cv2.INTER_AREA)
    assert np.abs(small - large).mean() < 4  # of 255


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (480, 640)])
@pytest.mark.parametrize("box", [(0, 0, 0, 0), (-50, -50, 9, 9), (-500, -500, -400, -400)])
def test_chip_is_cut_where_no_face_is(shape, box):
    chip = landmarks.chip(np.full((*shape, 3), 128, np.uint8), dlib.rectangle(*box))
    assert chip.shape == (200, 200, 3)


def test_chip_is_black_beyond_the_picture(rgb):
    chip = landmarks.chip(rgb[:, 175:].copy(), dlib.rectangle(0, 76, 90, 166))
    assert not chip[100, :10].any() and chip[100, 60:].all(1).any()


def test_cuts_with_a_margin_load_no_predictor(astronaut, unloaded):
    finder, head = FaceFinder(), astronaut[20:240, 110:330]  # whose score leaves no doubt
    found, _ = Cut("margin", 0.4, 64, "linear").examine(head, finder)
    assert len(found) == 1 and not landmarks.predictor.cache_info().currsize
    Cut("aligned", None, 64, "linear").faces(finder, head, found)
    assert landmarks.predictor.cache_info().currsize == 1


@pytest.mark.parametrize("needs_them", [FaceFinder, landmarks.predictor, Embedder])
def test_missing_package_is_one_line(monkeypatch, unloaded, needs_them):
    monkeypatch.setattr(landmarks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as error:
        needs_them()
    assert str(error.value) == (
        "face_recognition_models is not installed: pip install -r requirements.txt"
    )


@pytest.mark.parametrize("needs_it", [FaceFinder, landmarks.predictor, Embedder])
def test_missing_model_is_one_line(models, needs_it):
    with pytest.raises(UserError) as error:
        needs_it()
    assert str(error.value) == f"{models / landmarks.MODEL} is missing: {REINSTALL}"


@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_damaged_model_is_one_line(models, size):
    (models / landmarks.MODEL).write_bytes(MODEL.read_bytes()[:size])
    with pytest.raises(UserError) as error:
        landmarks.predictor()
    assert str(error.value) == f"{models / landmarks.MODEL} cannot be read: {REINSTALL}"


def test_damaged_network_of_embeddings_is_one_line(models):
    (models / landmarks.MODEL).symlink_to(MODEL)
    network = models / "dlib_face_recognition_resnet_model_v1.dat"
    network.write_bytes(b"no model")
    with pytest.raises(UserError) as error:
        Embedder()
    assert str(error.value) == f"{network} cannot be read: {REINSTALL}"


def test_model_is_loaded_from_a_path_that_is_not_utf8(models, rgb):
    (models / landmarks.MODEL).symlink_to(MODEL)
    assert points(rgb, FACE).shape == (5, 2)
