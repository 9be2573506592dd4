"""Writes models for LiteRT, operator by operator: the FlatBuffers of .tflite files.

Of LiteRT's format (schema.fbs, "TFL3") this is what the networks of `wide_resnet` need, for a
batch of one. Numbers of fields and operators are the schema's.
"""

import collections

import flatbuffers
import numpy as np

Operator = collections.namedtuple("Operator", "code options_type")
ADD = Operator(0, 11)
AVERAGE_POOL = Operator(1, 5)
CONVOLUTION = Operator(3, 1)
FULLY_CONNECTED = Operator(9, 8)
MULTIPLY = Operator(18, 21)
RESHAPE = Operator(22, 17)
SOFTMAX = Operator(25, 9)
MEAN = Operator(40, 27)
SAME, VALID = 0, 1  # padding
TYPES = {"float32": 0, "int32": 2}
NONE = -1  # a tensor that is left out
RELU = 1
ALIGNMENT = 16  # bytes, of the numbers of a tensor
VERSION = 3


class Model:
    """A model with one input, made from there to its outputs.

    Tensors are known by their number. Methods that add an operator return that of its output.

    Args:
        shape: of the input, float32, with the batch of one.
    """

    def __init__(self, shape):
        self._tensors = []  # (shape, type, numbers or None)
        self._operators = []  # (Operator, inputs, output, fields of the options)
        self.input = self._tensor(shape)

    def _tensor(self, shape, type="float32", numbers=None):
        self._tensors.append((tuple(shape), TYPES[type], numbers))
        return len(self._tensors) - 1

    def shape(self, tensor):
        """The shape of a tensor."""
        return self._tensors[tensor][0]

    def _constant(self, array):
        array = np.ascontiguousarray(array)
        return self._tensor(array.shape, array.dtype.name, array)

    def _add(self, operator, inputs, shape, **options):
        """Add an operator; options are named f0, f1, ... by the number of the field."""
        fields = {int(name[1:]): value for name, value in options.items()}
        output = self._tensor(shape)
        self._operators.append((operator, inputs, output, fields))
        return output

    def convolution(self, x, kernel, bias, stride=1, relu=False):
        """Convolve with "same" padding: kernel (H, W, in, out), bias (out,)."""
        _, height, width, _ = self.shape(x)
        shape = (1, -(-height // stride), -(-width // stride), kernel.shape[3])
        inputs = [x, self._constant(kernel.transpose(3, 0, 1, 2)), self._constant(bias)]
        options = {"f0": _byte(SAME), "f1": _int(stride), "f2": _int(stride)}
        return self._add(CONVOLUTION, inputs, shape, **options, f3=_byte(RELU * relu))

    def scaled(self, x, factor, offset):
        """``relu(x * factor + offset)``, both (channels,)."""
        shape = self.shape(x)
        product = self._add(MULTIPLY, [x, self._constant(factor)], shape, f0=_byte(0))
        return self._add(ADD, [product, self._constant(offset)], shape, f0=_byte(RELU))

    def sum(self, x, y):
        """The sum of two tensors of one shape."""
        return self._add(ADD, [x, y], self.shape(x), f0=_byte(0))

    def mean(self, x):
        """The means over height and width: (1, channels)."""
        axes = self._constant(np.array([1, 2], np.int32))
        return self._add(MEAN, [x, axes], (1, self.shape(x)[3]), f0=_byte(0))

    def average_pool(self, x, side):
        """Means over squares around each place, "same" padding."""
        steps = {"f1": _int(1), "f2": _int(1), "f3": _int(side), "f4": _int(side)}
        return self._add(AVERAGE_POOL, [x], self.shape(x), f0=_byte(SAME), **steps)

    def flattened(self, x):
        """All numbers in a row: (1, count)."""
        shape = (1, int(np.prod(self.shape(x))))
        return self._add(RESHAPE, [x, self._constant(np.array(shape, np.int32))], shape)

    def softmax_of(self, x, kernel):
        """The softmax of a product with a kernel (features, classes): (1, classes)."""
        shape = (1, kernel.shape[1])
        logits = self._add(FULLY_CONNECTED, [x, self._constant(kernel.T), NONE], shape)
        return self._add(SOFTMAX, [logits], shape, f0=_float(1.0))

    def content(self, outputs):
        """The bytes of the model, which gives some tensors as its outputs, in this order."""
        numbers = [array for _, _, array in self._tensors if array is not None]
        builder = flatbuffers.Builder(sum(array.nbytes for array in numbers) + 2**16)
        buffers = [_table(builder, {}), *(_buffer(builder, array) for array in numbers)]
        tensors, buffer = [], 0
        for shape, type, array in self._tensors:
            buffer += array is not None
            fields = {0: _vector(builder, shape), 1: _byte(type)}
            tensors.append(_table(builder, fields | {2: _unsigned(buffer * (array is not None))}))
        kinds = list(dict.fromkeys(operator for operator, *_ in self._operators))
        operators = []
        for operator, inputs, output, fields in self._operators:
            options = _table(builder, fields)
            each = {0: _unsigned(kinds.index(operator)), 4: _offset(options)}
            each |= {1: _vector(builder, inputs), 2: _vector(builder, [output])}
            operators.append(_table(builder, each | {3: _byte(operator.options_type)}))
        codes = [
            _table(builder, {0: _byte(kind.code), 2: _int(1), 3: _int(kind.code)}) for kind in kinds
        ]
        graph = {0: _offsets(builder, tensors), 3: _offsets(builder, operators)}
        graph |= {1: _vector(builder, [self.input]), 2: _vector(builder, outputs)}
        graphs = [_table(builder, graph)]
        model = {1: _offsets(builder, codes), 2: _offsets(builder, graphs)}
        model |= {0: _unsigned(VERSION), 4: _offsets(builder, buffers)}
        builder.Finish(_table(builder, model), b"TFL3")
        return bytes(builder.Output())


# What a field of a table holds: the name of the builder's method that adds it, and the value.
def _byte(value):
    return "PrependInt8Slot", value


def _int(value):
    return "PrependInt32Slot", value


def _unsigned(value):
    return "PrependUint32Slot", value


def _float(value):
    return "PrependFloat32Slot", value


def _offset(value):
    return "PrependUOffsetTRelativeSlot", value


def _table(builder, fields):
    """Write a table with its fields by number; returns its offset."""
    builder.StartObject(max(fields, default=0) + 1)
    for number, (method, value) in fields.items():
        getattr(builder, method)(number, value, 0)
    return builder.EndObject()


def _vector(builder, numbers):
    """A field of int32 numbers."""
    return _offset(builder.CreateNumpyVector(np.array(numbers, np.int32)))


def _offsets(builder, tables):
    """A field of tables."""
    builder.StartVector(4, len(tables), 4)
    for each in reversed(tables):
        builder.PrependUOffsetTRelative(each)
    return _offset(builder.EndVector())


def _buffer(builder, array):
    """Write the buffer with an array's bytes; returns its offset."""
    content = array.view(np.uint8).reshape(-1)
    builder.StartVector(1, len(content), ALIGNMENT)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content.data
    return _table(builder, {0: _offset(builder.EndVector())})
