import importlib.util
import shutil
import sys

import h5py
import keras
import numpy as np
import pytest

from age_gender import autotune, weights
from age_gender.command_line import UserError
from age_gender.conversion import inference
from age_gender.estimator import RUNTIMES, Estimator
from wide_resnet import WideResNet


@pytest.fixture(scope="module", params=RUNTIMES)
def estimator(request, tiny_weights):
    return Estimator(tiny_weights[0], runtime=request.param)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_original_weights_give_the_original_estimates(shared, runtime):
    expected = np.load(shared / "original/original_10_1_32_expected.npz")
    path = shared / "original/original_10_1_32_full_model.hdf5"
    estimates = Estimator(path, runtime=runtime)(expected["images"])
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


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_any_number_of_faces_compiles_one_graph_and_is_silent(tiny_weights, runtime, capfd):
    estimator = Estimator(tiny_weights[0], runtime=runtime)
    for count in (*range(1, 20), 64, 65, 200):
        estimator(np.zeros((count, 32, 32, 3), np.uint8))
    if runtime == "keras":
        assert estimator.predict.graph.experimental_get_tracing_count() == 1
    assert capfd.readouterr() == ("", "")


def test_both_runtimes_give_the_same_numbers_with_the_shipped_weights():
    faces = np.random.default_rng(0).integers(0, 256, (5, 96, 96, 3), dtype=np.uint8)
    faces[1:] //= np.array([2, 4, 16, 255], np.uint8).reshape(4, 1, 1, 1)
    ours, theirs = (Estimator(runtime=runtime)(faces) for runtime in RUNTIMES)
    np.testing.assert_allclose(ours.males, theirs.males, atol=1e-5)
    np.testing.assert_allclose(ours.age_probabilities, theirs.age_probabilities, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [WideResNet(32, 10, 1), WideResNet(24, 16, 2, 2), WideResNet(32, 10, 3, 1, "global")],
)
def test_every_network_gives_the_same_numbers_on_both_runtimes(tmp_path, network):
    rng = np.random.default_rng(0)
    model = network()
    arrays = [
        rng.uniform(0.5, 1.5, shape) if len(shape) == 1 else rng.normal(0, 0.02, shape)
        for shape in network.shapes()
    ]
    model.set_weights(arrays)
    weights.write(tmp_path / "w.hdf5", model, weights.Description(network))
    faces = rng.integers(0, 256, (3, *[network.image_size] * 2, 3), np.uint8)
    estimates = Estimator(tmp_path / "w.hdf5")(faces)
    gender, age = model(faces.astype(np.float32), training=False)
    np.testing.assert_allclose(estimates.males, gender[:, 1], atol=1e-5)
    np.testing.assert_allclose(estimates.age_probabilities, age, atol=1e-5)


@pytest.mark.parametrize(
    "content, error",
    [
        (None, "import of ai_edge_litert.interpreter halted; None in sys.modules"),
        (b"none", "The model is not a valid Flatbuffer buffer"),
    ],
)
def test_where_litert_fails_tensorflow_is_used_and_a_line_says_so(
    tiny_weights, monkeypatch, capfd, content, error
):
    if content is None:
        monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    else:
        monkeypatch.setattr(inference, "model", lambda *_: content)
    estimator = Estimator(tiny_weights[0])
    assert estimator.runtime == "keras" and len(estimator(np.zeros((2, 32, 32, 3)))) == 2
    line = f"LiteRT cannot be used, TensorFlow takes longer to start: {error}\n"
    assert capfd.readouterr() == ("", line)


def test_where_litert_fails_and_there_is_no_tensorflow_its_error_is_raised(
    tiny_weights, monkeypatch
):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="ai_edge_litert"):
        Estimator(tiny_weights[0])


def test_gender_order_of_the_weights_decides(tmp_path, tiny_weights, estimator):
    swapped = tmp_path / "swapped.hdf5"
    shutil.copy(tiny_weights[0], swapped)
    with h5py.File(swapped, "r+") as file:
        file.attrs["gender_order"] = "male,female"
    faces = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    males = Estimator(swapped, runtime=estimator.runtime)(faces).males
    np.testing.assert_allclose(males, 1 - estimator(faces).males, 1e-4)


@pytest.mark.parametrize("hardware", [False, True])
def test_prediction_is_float32_and_silent_on_every_processor(
    tiny_weights, tmp_path, monkeypatch, capfd, hardware
):
    monkeypatch.setattr(autotune, "_computes_bfloat16", lambda: hardware)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        estimator = Estimator(tiny_weights[0], runtime="keras")
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
