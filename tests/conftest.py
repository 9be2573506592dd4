"""What several tests need: tiny pictures, a tiny network, the shared data where it is."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FACE_TEST_DATA", ROOT.parent / "shared" / "data"))

sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def shared():
    """Folder of the real test data, which is not part of the repository."""
    if not DATA.is_dir():
        pytest.skip(f"the real data is not at {DATA}")
    return DATA


@pytest.fixture(scope="session")
def astronaut():
    """A real photograph with one face, (512, 512, 3) uint8 BGR (NASA, public domain)."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory):
    """A weight file of a random WideResNet 10-1 for 32 px faces, and the model it holds."""
    import keras

    import weights
    from wide_resnet import WideResNet

    keras.utils.set_random_seed(1)
    model = WideResNet(32, 10, 1)()
    first = model.layers[
        1
    ]  # untrained, its output is so large that the heads are sure of one answer
    first.set_weights([first.get_weights()[0] / 100])
    path = tmp_path_factory.mktemp("weights") / "tiny.hdf5"
    weights.write(path, model, weights.Description(10, 1, 32, crop="aligned", margin=None))
    return path, model


@pytest.fixture
def command(tmp_path):
    """Run a script as a user does, in an empty folder with an empty HOME."""

    def run(script, *arguments, **options):
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), **options.pop("env", {})}
        return subprocess.run(
            [sys.executable, str(ROOT / script), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=options.pop("cwd", tmp_path),
            env=environment,
            timeout=200,
            **options,
        )

    return run


def write_chips(folder, count=40, size=48, seed=0):
    """UTKFace-like chips: noise pictures whose brightness tells the age, under UTKFace's names."""
    import cv2

    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        age, sex = int(rng.integers(1, 90)), int(rng.integers(2))
        picture = np.clip(rng.normal(60 + 1.5 * age, 20, (size, size, 3)), 0, 255).astype(np.uint8)
        name = f"{age}_{sex}_0_{20170100000000000 + number}.jpg.chip.jpg"
        cv2.imwrite(str(folder / name), picture)
    return folder
