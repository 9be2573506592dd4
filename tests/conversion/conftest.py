import functools

import keras
import numpy as np
import pytest

from age_gender.conversion import converter, parity
from age_gender.weights import Description
from wide_resnet import WideResNet

NETWORKS = {  # every layer that there is
    "local": WideResNet(32, 10, 1),
    "global": WideResNet(48, 10, 2, 2, "global"),
}


@pytest.fixture(scope="session")
def network():
    """Function of a name that makes that random network, once.

    It returns (model, faces of its size, uint8 BGR, and its `parity.outputs` of them).
    """

    @functools.cache
    def make(name):
        keras.utils.set_random_seed(1)
        recipe = NETWORKS[name]
        arrays = recipe().get_weights()
        arrays[0] /= 100  # untrained, its output is so large that the heads are sure of one answer
        rng = np.random.default_rng(0)
        for array in arrays:
            if array.ndim == 1:  # of a normalisation that does nothing yet
                array += rng.uniform(0, 0.2, array.shape).astype(np.float32)
        model = converter.network(Description(recipe), arrays)
        faces = rng.integers(0, 256, (3, recipe.image_size, recipe.image_size, 3), np.uint8)
        return model, faces, parity.outputs(model, faces)

    return make
