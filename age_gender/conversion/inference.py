"""Networks as models for LiteRT, made from the numbers of a weight file, without TensorFlow."""

import numpy as np

from age_gender.conversion.flat_model import Model

EPSILON = 0.001  # of the normalisations in `wide_resnet`
POOL = 8  # side of the squares whose means "local" heads see


def model(network, arrays):
    """The content of a LiteRT model of a network, for one face.

    It takes (1, S, S, 3) float32 and gives the probabilities of the genders (1, 2) and of the
    ages (1, 101).

    Args:
        network: `wide_resnet.WideResNet`.
        arrays: its numbers, as `weights.read` returns them.
    """
    arrays = iter(arrays)
    graph = Model((1, network.image_size, network.image_size, 3))

    def normalisation():
        gamma, beta, mean, variance = (np.float64(next(arrays)) for _ in range(4))
        factor = gamma / np.sqrt(variance + EPSILON)
        return np.float32(factor), np.float32(beta - mean * factor)

    def convolution(x, stride=1):
        kernel = next(arrays)
        return graph.convolution(x, kernel, np.zeros(kernel.shape[3], np.float32), stride)

    x = convolution(graph.input, network.stem)
    for stride in (1, 2, 2):
        for number in range((network.depth - 4) // 6):
            stride = stride if number == 0 else 1
            activated = graph.scaled(x, *normalisation())
            kernel, (factor, offset) = next(arrays), normalisation()
            y = graph.convolution(activated, kernel * factor, offset, stride, relu=True)
            y = convolution(y)
            if graph.shape(x) != graph.shape(y):
                x = convolution(activated, stride)
            x = graph.sum(y, x)
    x = graph.scaled(x, *normalisation())
    local = network.pool == "local"
    seen = graph.flattened(graph.average_pool(x, POOL)) if local else graph.mean(x)
    heads = [graph.softmax_of(seen, kernel) for kernel in arrays]
    return graph.content(heads)
