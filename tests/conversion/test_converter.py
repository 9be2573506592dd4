import h5py
import numpy as np
import pytest

from age_gender import weights
from age_gender.command_line import UserError
from age_gender.conversion import converter, formats, parity
from age_gender.estimator import Estimator

FILE_AND_FOLDER = [".onnx", ""]


@pytest.fixture(autouse=True)
def faces(monkeypatch):
    """Noise instead of portraits, which need no detector: (5, 32, 32, 3) uint8 BGR."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    monkeypatch.setattr(parity, "reference_faces", lambda cut: (noise, "noise"))
    return noise


def changed(path, target, gender_order=None, factor=1):
    """A copy of a weight file with another order of genders, or a last layer times a factor."""
    target.write_bytes(path.read_bytes())
    with h5py.File(target, "r+") as file:
        file.attrs["gender_order"] = gender_order or file.attrs["gender_order"]
        for name in file["pred_age"].attrs["weight_names"]:
            file["pred_age"][name][...] *= factor
    return target


@pytest.mark.parametrize(
    "suffix, order, colour, half",
    [
        (".tflite", "male,female", "rgb", False),
        (".onnx", "female,male", "bgr", False),
        (".onnx", "male,female", "rgb", True),
        ("", "male,female", "rgb", True),
    ],
)
def test_numbers_are_those_of_the_estimator(
    tmp_path, tiny_weights, faces, suffix, order, colour, half
):
    source = changed(tiny_weights[0], tmp_path / "w.hdf5", order)
    output = tmp_path / "new folder" / f"a{suffix}"
    kind = formats.of(output)
    difference, said = converter.convert(weights.load(source), output, kind, colour, half)
    assert said == "noise" and difference.probability < parity.TOLERANCE[half]
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    expected = Estimator(source)(faces)
    implementation = kind.implementation()
    found = implementation.load(output)(faces if colour == "bgr" else faces[..., ::-1])
    accuracy = 0.1 if half else 1e-3
    np.testing.assert_allclose(found["age"], expected.ages, atol=accuracy)
    np.testing.assert_allclose(
        found["gender_probabilities"][:, 1], expected.males, atol=accuracy / 10
    )
    about = implementation.metadata(output)
    assert (about["colour_order"], about["gender_order"]) == (colour, "female,male")
    assert about["source"] == "w.hdf5"
    assert converter.size(output) < (1.2e6 if half else 2.2e6)


@pytest.mark.parametrize("suffix", FILE_AND_FOLDER)
def test_other_numbers_are_refused_and_what_was_there_stays(
    tmp_path, tiny_weights, monkeypatch, suffix
):
    output = tmp_path / f"a{suffix}"
    monkeypatch.setattr(parity, "TOLERANCE", {False: -1.0})
    if suffix:
        output.write_text("old")
    else:
        (output / "variables").mkdir(parents=True)
    with pytest.raises(UserError) as error:
        converter.convert(weights.load(tiny_weights[0]), output, formats.of(output, True))
    said = str(error.value)
    assert said.startswith(f"{output} was not kept: it differs from Keras by ")
    assert said.endswith(" years, more than -1 in a probability")
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
    assert output.is_dir() and [*output.iterdir()] or output.read_text() == "old"


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_numbers_beyond_half_precision_are_refused(tmp_path, tiny_weights):
    source = weights.load(changed(tiny_weights[0], tmp_path / "w.hdf5", factor=1e7))
    output = tmp_path / "a.onnx"
    with pytest.raises(UserError, match=", more than 0.01 in a probability: leave --float16 out$"):
        converter.convert(source, output, formats.of(output), half=True)
    assert [path.name for path in tmp_path.iterdir()] == ["w.hdf5"]


@pytest.mark.parametrize("suffix", FILE_AND_FOLDER)
def test_output_is_replaced_as_a_whole(tmp_path, tiny_weights, suffix):
    output = tmp_path / f"a{suffix}"
    if suffix:
        output.write_text("old")
    else:
        (output / "assets").mkdir(parents=True)
        (output / "assets" / "old").touch()
    kind = formats.of(output, overwrite=True)
    converter.convert(weights.load(tiny_weights[0]), output, kind)
    assert kind.implementation().metadata(output)["image_size"] == 32
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
    assert not (output / "assets" / "old").exists()
