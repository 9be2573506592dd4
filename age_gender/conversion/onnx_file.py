"""Converted networks as ONNX graphs: .onnx files.

The graph is made of the Keras layers, one by one. Keras's own export goes through tf2onnx, which
makes the 101 years a second input that callers have to fill, and stays at an old opset.
"""

import json

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from wide_resnet import AGE_CLASSES, GENDER_CLASSES

OPSET = 26  # the newest of onnxruntime-web 1.30; onnxruntime 1.32 and OpenCV 4.14 read it too
BATCH = "batch"  # name of the dimension that is free


class Graph:
    """The nodes and numbers of a graph while it is made.

    Args:
        half: store the weights in half precision; they are cast back when the file is loaded.
    """

    def __init__(self, half):
        self.half = half
        self.nodes = []
        self.initializers = []

    def add(self, kind, name, *inputs, **attributes):
        """Add a node with one output of the same name, which is returned."""
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name, array, half=None):
        """Add numbers: an array as float32, or in half precision with a cast; returns the name."""
        array = np.asarray(array)
        if array.dtype.kind == "f":
            half = self.half if half is None else half
            array = array.astype(np.float16 if half else np.float32)
        stored = f"{name}.half" if array.dtype == np.float16 else name
        self.initializers.append(numpy_helper.from_array(array, stored))
        if stored != name:
            self.add("Cast", name, stored, to=TensorProto.FLOAT)
        return name


def _convolution(graph, layer, name, x):
    (size, _), (stride, _) = layer.kernel_size, layer.strides
    side = layer.input.shape[1]
    total = max((-(-side // stride) - 1) * stride + size - side, 0)  # as TensorFlow's "same"
    before, after = total // 2, total - total // 2
    kernel = layer.get_weights()[0].transpose(3, 2, 0, 1)
    return graph.add(
        "Conv",
        name,
        x,
        graph.constant(f"{name}.kernel", kernel),
        kernel_shape=[size, size],
        strides=[stride, stride],
        pads=[before, before, after, after],
    )


def _normalisation(graph, layer, name, x):
    names = ("scale", "offset", "mean", "variance")
    arrays = [
        graph.constant(f"{name}.{each}", array) for each, array in zip(names, layer.get_weights())
    ]
    return graph.add("BatchNormalization", name, x, *arrays, epsilon=layer.epsilon)


def _global_pooling(graph, layer, name, x):
    return graph.add("Flatten", name, graph.add("GlobalAveragePool", f"{name}.pool", x))


def _pooling(graph, layer, name, x):
    (size, _), (stride, _) = layer.pool_size, layer.strides
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2  # stride 1, "same"
    return graph.add(
        "AveragePool",
        name,
        x,
        kernel_shape=[size, size],
        strides=[stride, stride],
        pads=[before, before, after, after],
    )


def _flatten(graph, layer, name, x):
    last = graph.add("Transpose", f"{name}.channels_last", x, perm=[0, 2, 3, 1])
    return graph.add("Flatten", name, last)


def _head(graph, layer, name, x):
    kernel = graph.constant(f"{name}.kernel", layer.get_weights()[0])
    return graph.add("MatMul", f"{name}.logits", x, kernel)


def _activation(graph, layer, name, x):
    return graph.add("Relu", name, x)


def _sum(graph, layer, name, *inputs):
    return graph.add("Add", name, *inputs)


NODES = {  # of each layer of `wide_resnet`
    "Conv2D": _convolution,
    "BatchNormalization": _normalisation,
    "Activation": _activation,
    "Add": _sum,
    "GlobalAveragePooling2D": _global_pooling,
    "AveragePooling2D": _pooling,
    "Flatten": _flatten,
    "Dense": _head,
}


def write(path, model, half, metadata):
    """Write an .onnx file that `onnx.checker` has checked.

    Args:
        path: the file.
        model: a Keras model of `wide_resnet.WideResNet`.
        half: store the weights in half precision; the arithmetic stays float32.
        metadata: dict for JSON.
    """
    graph = Graph(half)
    _add_network(graph, model)
    made = helper.make_model(
        _graph_proto(graph, model.input.shape[1]),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="age-gender-estimation",
    )
    made.ir_version = helper.find_min_ir_version_for(made.opset_import)
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    helper.set_model_props(made, texts)
    onnx.checker.check_model(made, full_check=True)
    path.write_bytes(made.SerializeToString())


def _add_network(graph, model):
    """Add the nodes from ``faces`` to the three outputs."""
    first, *layers = model.layers
    pixels = graph.add("Cast", "pixels", "faces", to=TensorProto.FLOAT)
    start = graph.add("Transpose", "channels_first", pixels, perm=[0, 3, 1, 2])
    values = {first.output.name: start}
    for layer in layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        taken = [values[each.name] for each in inputs]
        values[layer.output.name] = NODES[type(layer).__name__](graph, layer, layer.name, *taken)
    gender, age = (values[output.name] for output in model.outputs)
    graph.add("Softmax", "gender_probabilities", gender, axis=1)
    graph.add("Softmax", "age_probabilities", age, axis=1)
    years = graph.constant("years", np.arange(AGE_CLASSES, dtype=np.float32)[:, None], half=False)
    column = graph.add("MatMul", "age.column", "age_probabilities", years)
    graph.add("Squeeze", "age", column, graph.constant("axis", np.array([1], np.int64)))


def _graph_proto(graph, side):
    faces = helper.make_tensor_value_info("faces", TensorProto.UINT8, [BATCH, side, side, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape])
        for name, shape in (
            ("age", ()),
            ("age_probabilities", (AGE_CLASSES,)),
            ("gender_probabilities", (GENDER_CLASSES,)),
        )
    ]
    return helper.make_graph(
        graph.nodes, "age and gender of faces", [faces], outputs, graph.initializers
    )


def load(path, threads=0):
    """The function in an .onnx file: faces (N, S, S, 3) uint8 to a dict of arrays."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda faces: dict(zip(names, session.run(names, {"faces": faces})))


def metadata(path):
    """What `write` was told about the network."""
    texts = {each.key: each.value for each in onnx.load(path).metadata_props}
    return {key: _value(text) for key, text in texts.items()}


def _value(text):
    try:
        return json.loads(text)
    except ValueError:
        return text
