import shutil

import h5py
import keras
import numpy as np
import pytest

from age_gender import autotune
from age_gender.command_line import UserError
from age_gender.estimator import Estimator


@pytest.fixture(scope="module")
def estimator(tiny_weights):
    return Estimator(tiny_weights[0])


def test_original_weights_give_the_original_estimates(shared):
    expected = np.load(shared / "original/original_10_1_32_expected.npz")
    estimates = Estimator(shared / "original/original_10_1_32_full_model.hdf5")(expected["images"])
    np.testing.assert_allclose(estimates.males, expected["gender"][:, 1], atol=1e-5)
    np.testing.assert_allclose(estimates.age_probabilities, expected["age"], atol=1e-5)
    np.testing.assert_allclose(estimates.ages, expected["age"] @ np.arange(101), atol=1e-3)


@pytest.mark.parametrize("count", [1, 3, 70, 130])
def test_any_number_of_faces_has_the_networks_estimates(estimator, tiny_weights, count):
    faces = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    estimates = estimator(faces)
    gender, age = tiny_weights[1].predict(faces.astype(np.float32), verbose=0)
    np.testing.assert_allclose(estimates.males, gender[:, 1], atol=1e-5)
    np.testing.assert_allclose(estimates.ages, age @ np.arange(101), atol=1e-3)


def test_no_faces_give_no_estimates(estimator):
    assert len(estimator(np.empty((0, 32, 32, 3), np.uint8))) == 0


def test_any_number_of_faces_compiles_one_graph_and_is_silent(tiny_weights, capfd):
    estimator = Estimator(tiny_weights[0])
    for count in (*range(1, 20), 64, 65, 200):
        estimator(np.zeros((count, 32, 32, 3), np.uint8))
    assert estimator.traces == 1
    assert capfd.readouterr() == ("", "")


def test_gender_order_of_the_weights_decides(tmp_path, tiny_weights, estimator):
    swapped = tmp_path / "swapped.hdf5"
    shutil.copy(tiny_weights[0], swapped)
    with h5py.File(swapped, "r+") as file:
        file.attrs["gender_order"] = "male,female"
    faces = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(Estimator(swapped)(faces).males, 1 - estimator(faces).males, 1e-4)


@pytest.mark.parametrize("hardware", [False, True])
def test_prediction_is_float32_and_silent_on_every_processor(
    tiny_weights, tmp_path, monkeypatch, capfd, hardware
):
    monkeypatch.setattr(autotune, "_computes_bfloat16", lambda: hardware)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        estimator = Estimator(tiny_weights[0])
    finally:
        keras.config.set_dtype_policy(before)
    faces = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    for some in (faces[:1], faces):
        expected = tiny_weights[1].predict(some.astype(np.float32), verbose=0)[1]
        np.testing.assert_allclose(estimator(some).age_probabilities, expected, atol=1e-6)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_other_depth_than_the_files_is_one_line(tiny_weights):
    with pytest.raises(UserError) as error:
        Estimator(tiny_weights[0], depth=16)
    assert str(error.value) == (
        f"{tiny_weights[0]} holds a WideResNet 10-1 for 32 px faces, but depth 16 is required: "
        "give another file, or leave the requirement out"
    )
