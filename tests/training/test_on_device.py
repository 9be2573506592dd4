"""On the backend that is loaded, and by one process more on JAX."""

import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from age_gender.training import on_device, teacher
from age_gender.training.augmentation import Augmentation, blend, draw
from age_gender.training.augmentation import augment as augment_on_host
from generator import FaceBatches
from helpers import ROOT
from mixup_generator import MixupGenerator

EVERYTHING = {
    "shift": 0.2,
    "rotate": 30,
    "zoom": 0.3,
    "flip": True,
    "brightness": 0.3,
    "contrast": 0.5,
    "erase": 0.5,
    "mixup": 0.5,
}
NONE = {}
PRESET = {name: EVERYTHING[name] for name in ("shift", "flip", "erase", "mixup")}
FARTHEST = {"shift": 0.5, "rotate": 180, "zoom": 0.9, "flip": True}
ROUNDING = 0.001  # grey levels


def in_one_graph(function):
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


@pytest.mark.parametrize(
    "settings",
    [NONE, EVERYTHING, PRESET, FARTHEST, *({name: EVERYTHING[name]} for name in EVERYTHING)],
    ids=lambda settings: "+".join(settings) or "nothing",
)
def test_pictures_are_those_that_the_processor_makes(settings):
    """Each operation alone and together."""
    pictures, others = np.random.default_rng(0).integers(0, 256, (2, 12, 20, 20, 3), np.uint8)
    draws = draw(Augmentation(**settings), 20, np.random.default_rng(1), 12)
    blended = blend(pictures, others, draws["weight"]) if "mixup" in settings else pictures
    expected = augment_on_host(blended, draws)
    batch = {"faces": pictures, "others": others} | draws
    ours = keras.ops.convert_to_numpy(in_one_graph(on_device.augmented)(batch))
    assert (expected != pictures).any() == bool(settings)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, rtol=0, atol=ROUNDING)


@pytest.fixture
def faces():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    return SimpleNamespace(
        images=images, genders=np.arange(40) % 2, ages=np.arange(40), img_size=16
    )


def test_batch_is_bytes_and_draws_with_the_labels_of_the_processors_batch(faces):
    options = {"training": True, "augmentation": Augmentation(**EVERYTHING), "seed": 3}
    there, here = (FaceBatches(faces, np.arange(40), 8, on_device=d, **options) for d in (1, 0))
    there.epoch = here.epoch = 2
    (batch, ours), (pictures, targets) = there[1], here[1]
    assert batch["faces"].dtype == batch["others"].dtype == np.uint8
    assert {len(each) for each in batch.values()} == {8}
    made = keras.ops.convert_to_numpy(in_one_graph(on_device.augmented)(batch))
    np.testing.assert_allclose(made, pictures, rtol=0, atol=ROUNDING)
    for one, other in zip(ours, targets):
        np.testing.assert_array_equal(one, other)


class Judge:
    """In place of `Teachers`: its answers are in the pictures that it sees."""

    variables = ()

    def __call__(self, pictures):
        rows = keras.ops.mean(pictures, (2, 3))
        return [keras.ops.softmax(rows[:, :2] / 20), keras.ops.softmax(rows[:, :5] / 20)]


def make_student():
    inputs = keras.Input((16, 16, 3))
    features = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    heads = [keras.layers.Dense(classes, activation="softmax") for classes in (2, 5)]
    model = keras.Model(inputs, [head(features) for head in heads])
    student = teacher.Student(model, Judge(), 0.7)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, use_ema=True, ema_momentum=0.9)
    student.compile(optimizer, ["categorical_crossentropy"] * 2, metrics=[["accuracy"], []])
    rng = np.random.default_rng(0)
    student.set_weights([rng.normal(0, 0.05, each.shape) for each in student.get_weights()])
    return student


def test_steps_on_the_device_learn_what_those_on_the_processor_do(monkeypatch):
    """From a teacher too, which sees the same batch; the step is traced once in two epochs."""
    traced = []

    def augmented(batch, made=on_device.augmented):
        traced.append(batch)
        return made(batch)

    monkeypatch.setattr(on_device, "augmented", augmented)
    pictures = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    targets = [np.eye(classes, dtype=np.float32)[np.arange(40) % classes] for classes in (2, 5)]
    changes = Augmentation(**EVERYTHING)
    learnt, histories = [], []
    for on in (False, True):
        student = make_student()
        before = student.get_weights()
        batches = MixupGenerator(pictures, targets, 8, 0.2, datagen=changes, on_device=on)
        if on:
            student.build_losses()
        found = student.fit(batches, epochs=2, verbose=0, shuffle=False)
        learnt.append(student.get_weights())
        histories.append(found.history["loss"])
    for start, one, other in zip(before, *learnt):
        assert abs(one - start).max() > 0 and np.allclose(one, other, rtol=0, atol=1e-5)
    np.testing.assert_allclose(*histories, rtol=1e-4)
    assert len(traced) == 1


@pytest.mark.long
@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None or keras.backend.backend() == "jax",
    reason="without JAX, or on it already",
)
def test_all_this_holds_on_jax():
    tests = [__file__, os.path.join(os.path.dirname(__file__), "test_compilation.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *tests],
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        | {"KERAS_BACKEND": "jax"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
