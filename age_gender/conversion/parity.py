"""Whether a converted network gives Keras's numbers, on real faces and on noise."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np

from age_gender.command_line import UserError
from age_gender.faces import FaceFinder
from age_gender.pictures import read_picture
from wide_resnet import AGE_CLASSES

PORTRAITS = {  # pictures of one face that come with packages: (package, file in it)
    "Grace Hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "Eileen Collins": ("skimage", "data/astronaut.png"),
}
NOISE = 10  # faces of noise, from dark to bright
TOLERANCE = {False: 1e-4, True: 1e-2}  # of a probability, by whether weights are in half precision


@dataclasses.dataclass(frozen=True)
class Difference:
    """The largest differences over all faces, in a probability and in years."""

    probability: float
    years: float

    def __str__(self):
        return f"{self.probability:.1e} in a probability, {self.years:.1e} years"


def reference_faces(cut):
    """Faces to compare on: portraits of the installed packages, cut for the network, and noise.

    Args:
        cut: `faces.Cut`.

    Returns:
        (faces (N, S, S, 3) uint8 BGR, text that says which).

    Raises `UserError` where no package has a portrait.
    """
    paths = {name: path for name, place in PORTRAITS.items() if (path := _file(*place))}
    if not paths:
        raise UserError(
            "there is no face to compare on: matplotlib has one, pip install -r requirements.txt"
        )
    finder = FaceFinder()
    cuts = np.concatenate(
        [cut.examine(read_picture(path), finder)[1][:1] for path in paths.values()]
    )
    real = np.concatenate([cuts, cuts[:, :, ::-1], cuts // 2])
    bright = np.linspace(30, 255, NOISE)[:, None, None, None]
    noise = np.random.default_rng(0).uniform(0, bright, (NOISE, *cuts.shape[1:]))
    said = f"{len(real)} faces ({', '.join(paths)}; mirrored, darkened) and {NOISE} of noise"
    return np.concatenate([real, noise.astype(np.uint8)]), said


def _file(package, name):
    """Path of a file in an installed package, which is not imported; None if it is not there."""
    found = importlib.util.find_spec(package)
    path = found and Path(found.submodule_search_locations[0], name)
    return path if path and path.is_file() else None


def outputs(model, faces):
    """What a Keras model says of faces (N, S, S, 3) uint8 BGR, as converted networks do."""
    import tensorflow as tf

    with tf.device("CPU:0"):  # GPUs round more coarsely
        gender, age = (np.asarray(each) for each in model(faces.astype(np.float32)))
    years = age.astype(np.float64) @ np.arange(AGE_CLASSES)
    return {"age": years, "age_probabilities": age, "gender_probabilities": gender}


def difference(ours, theirs):
    """The `Difference` between two dicts of outputs."""
    largest = {name: float(abs(ours[name] - theirs[name]).max()) for name in ours}
    years = largest.pop("age")
    return Difference(float(np.max(list(largest.values()))), years)
