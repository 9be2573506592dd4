import numpy as np
import pytest

from wide_resnet import WideResNet


def test_default_network_has_the_original_number_of_parameters():
    assert WideResNet()().count_params() == 24_463_856


def test_outputs_are_probabilities_under_the_original_names():
    model = WideResNet(32, 10, 1)()
    assert [layer.name for layer in model.layers[-2:]] == ["pred_gender", "pred_age"]
    gender, age = model(np.zeros((3, 32, 32, 3), np.float32))
    assert gender.shape == (3, 2) and age.shape == (3, 101)
    np.testing.assert_allclose(np.sum(age, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("stem, pool, features", [(2, "local", 8 * 8), (2, "global", 1)])
def test_other_stem_and_pool(stem, pool, features):
    model = WideResNet(64, 10, 1, stem, pool)()
    assert model.layers[1].output.shape == (None, 32, 32, 32)
    assert model.get_layer("pred_age").kernel.shape == (64 * features, 101)


@pytest.mark.parametrize("network", [(64, 16, 2), (32, 10, 1), (64, 22, 3, 2, "global")])
def test_operations_are_those_of_the_layers(network):
    recipe = WideResNet(*network)
    products = 0
    for layer in recipe().layers:
        if type(layer).__name__ in ("Conv2D", "Dense"):
            places = np.prod(layer.output.shape[1:-1]) if layer.output.ndim == 4 else 1
            products += int(places) * int(np.prod(layer.kernel.shape))
    assert recipe.training_flops() == 6 * products


def test_every_kernel_is_regularised():
    kernels = [
        layer
        for layer in WideResNet(32, 10, 1)().layers
        if type(layer).__name__ in ("Conv2D", "Dense")
    ]
    assert len(kernels) == 11
    assert all(abs(layer.kernel_regularizer.l2 - 0.0005) < 1e-9 for layer in kernels)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((64, 12, 8), "depth must be 10, 16, 22, 28, ... (6 n + 4). Received: 12"),
        ((64, 16, 0), "width must be at least 1. Received: 0"),
        ((30, 16, 8), "image size must be a multiple of 4 from 8 up. Received: 30"),
        ((36, 16, 8, 2), "image size must be a multiple of 8 from 16 up. Received: 36"),
        ((64, 16, 8, 4), "stem must be 1 or 2. Received: 4"),
        ((64, 16, 8, 1, "max"), "pool must be one of local, global. Received: max"),
    ],
)
def test_impossible_network_is_refused(arguments, message):
    with pytest.raises(ValueError) as error:
        WideResNet(*arguments)
    assert str(error.value) == message
