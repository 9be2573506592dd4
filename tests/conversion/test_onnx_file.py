import itertools

import cv2
import numpy as np
import pytest

from age_gender.conversion import parity

pytest.importorskip("onnxruntime", reason="onnx and onnxruntime are not installed")
import onnx  # noqa: E402

from age_gender.conversion import onnx_file  # noqa: E402

NAMES = ["age", "age_probabilities", "gender_probabilities"]


@pytest.fixture(scope="module", params=itertools.product(["local", "global"], [False, True]))
def written(request, network, tmp_path_factory):
    """(path of a file, its network's faces, the network's outputs, whether in half precision)."""
    name, half = request.param
    model, faces, outputs = network(name)
    path = tmp_path_factory.mktemp("onnx") / "a.onnx"
    onnx_file.write(path, model, half, {"image_size": 32, "crop": "margin"})
    return path, faces, outputs, half


@pytest.mark.parametrize("count", [1, 3])
def test_onnxruntime_says_the_same_whatever_the_number_of_faces(written, count):
    path, faces, outputs, half = written
    found = onnx_file.load(path)(faces[:count])
    assert list(found) == NAMES
    assert [value.shape for value in found.values()] == [(count,), (count, 101), (count, 2)]
    ours = {name: value[:count] for name, value in outputs.items()}
    difference = parity.difference(ours, found)
    assert difference.probability < parity.TOLERANCE[half]
    assert difference.years < (0.1 if half else 1e-3)


@pytest.mark.parametrize("count", [3, 1])
def test_opencv_says_the_same_of_uint8_faces(written, count):
    path, faces, outputs, half = written
    net = cv2.dnn.readNetFromONNX(str(path))
    for some in (faces[:count], faces[:1]):
        net.setInput(some)
        for name, value in zip(NAMES, net.forward(NAMES)):
            ours = outputs[name][: len(some)]
            np.testing.assert_allclose(value.reshape(ours.shape), ours, atol=0.1 if half else 1e-3)


def test_graph_is_checked_named_and_of_the_opset(written):
    made = onnx.load(written[0])
    onnx.checker.check_model(made, full_check=True)
    assert [(each.domain, each.version) for each in made.opset_import] == [("", onnx_file.OPSET)]
    (faces,) = made.graph.input
    side = written[1].shape[1]
    assert faces.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sizes = [each.dim_param or each.dim_value for each in faces.type.tensor_type.shape.dim]
    assert (faces.name, sizes) == ("faces", ["batch", side, side, 3])
    assert [each.name for each in made.graph.output] == NAMES
    assert onnx_file.metadata(written[0]) == {"image_size": 32, "crop": "margin"}


def test_half_precision_is_of_the_weights_alone(written):
    path, _, _, half = written
    stored = {each.name: each.data_type for each in onnx.load(path).graph.initializer if each.dims}
    assert stored.pop("years") == onnx.TensorProto.FLOAT
    assert stored.pop("axis") == onnx.TensorProto.INT64
    kind = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    assert set(stored.values()) == {kind}
