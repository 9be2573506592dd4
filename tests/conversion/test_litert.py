import shutil
import subprocess

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from age_gender.conversion import litert, parity

NAMES = ["age", "age_probabilities", "gender_probabilities"]


@pytest.fixture(scope="module", params=[("local", False), ("global", True)])
def written(request, network, tmp_path_factory):
    """(path of a file, its network's faces, the network's outputs, whether in half precision)."""
    name, half = request.param
    model, faces, outputs = network(name)
    path = tmp_path_factory.mktemp("litert") / "a.tflite"
    litert.write(path, model, half, {"image_size": 32, "crop": "margin"})
    return path, faces, outputs, half


@pytest.mark.parametrize("count", [1, 3])
def test_litert_says_the_same_whatever_the_number_of_faces(written, count):
    path, faces, outputs, half = written
    found = litert.load(path)(faces[:count])
    assert {name: found[name].shape for name in NAMES} == {
        "age": (count,),
        "age_probabilities": (count, 101),
        "gender_probabilities": (count, 2),
    }
    ours = {name: value[:count] for name, value in outputs.items()}
    difference = parity.difference(ours, found)
    assert difference.probability < parity.TOLERANCE[half]
    assert difference.years < (0.1 if half else 1e-3)


def test_callers_by_number_find_the_outputs_in_their_order(written):
    path, faces, outputs, half = written
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (taken,), given = interpreter.get_input_details(), interpreter.get_output_details()
    assert (taken["name"], taken["dtype"]) == ("faces", np.uint8)
    assert list(taken["shape_signature"]) == [-1, *faces.shape[1:]]
    assert [each["name"] for each in given] == NAMES
    interpreter.set_tensor(taken["index"], faces[:1])  # one face without a resize
    interpreter.invoke()
    for name, each in zip(NAMES, given):
        value = interpreter.get_tensor(each["index"])
        np.testing.assert_allclose(value, outputs[name][:1], atol=0.1 if half else 1e-3)


def test_metadata_are_a_zip_archive_behind_the_network(written):
    assert litert.metadata(written[0]) == {"image_size": 32, "crop": "margin"}
    if shutil.which("unzip"):
        done = subprocess.run(
            ["unzip", "-p", written[0], "metadata.json"], capture_output=True, text=True
        )
        assert done.stdout == '{\n "image_size": 32,\n "crop": "margin"\n}\n'


def test_size_is_that_of_the_weights(written):
    path, faces, _, half = written
    numbers = {32: 499_568, 48: 313_824}[faces.shape[1]]
    assert path.stat().st_size == pytest.approx(numbers * (2 if half else 4), rel=0.05)
