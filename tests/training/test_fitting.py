import types

import keras
import pytest

from age_gender import autotune
from age_gender.autotune import Way
from age_gender.training import fitting
from age_gender.training.options import get_args
from wide_resnet import WideResNet

ALONE = types.SimpleNamespace(count=1)
HOST, DEVICE = (types.SimpleNamespace(on_device=where) for where in (False, True))


def options(*more):
    return get_args(["-i", "faces.mat", *more])


@pytest.fixture
def timed(monkeypatch):
    """What timing finds out."""
    way = Way("xla", "bfloat16", 7)
    monkeypatch.setattr(autotune, "choose", lambda *arguments: way)
    return way


def test_way_is_timed_but_for_the_steps_that_are_asked_for(timed):
    assert fitting.choose_way(options(), None, HOST, None, ALONE) == timed
    args = options("--steps_per_execution", "3")
    found = fitting.choose_way(args, None, DEVICE, None, ALONE)
    assert found == Way("xla", "bfloat16", 3, "device")


def test_resumed_run_keeps_its_way(timed):
    settings = {"engine": "plain", "precision": "float32", "steps_per_execution": "2"}
    assert fitting.choose_way(options(), None, HOST, settings, ALONE) == Way("plain", "float32", 2)


@pytest.mark.parametrize("accelerators, auto", [([], "host"), (["GPU"], "device")])
def test_pictures_are_augmented_on_an_accelerator(monkeypatch, accelerators, auto):
    monkeypatch.setattr(autotune, "accelerators", lambda: accelerators)
    assert [fitting.place(each, None) for each in ("auto", "host", "device")] == (
        [auto, "host", "device"]
    )
    assert fitting.place("auto", {"augment_on": "device"}) == "device"  # of a run that is resumed


def test_on_several_devices_nothing_is_timed(timed):
    group = types.SimpleNamespace(count=2, engine=lambda engine: f"{engine} of the group")
    args = options("--steps_per_execution", "4")
    found = fitting.choose_way(args, None, HOST, None, group)
    assert found == Way("auto of the group", "float32", 4)
    args = options("--precision", "bfloat16", "--engine", "plain")
    found = fitting.choose_way(args, None, HOST, None, group)
    assert found == Way("plain of the group", "bfloat16", 1)


def test_model_has_the_optimizer_and_the_losses_of_the_options():
    network, way = WideResNet(32, 10, 1), Way("plain", "float32", 5)
    sgd = fitting.compiled(options("--lr", "0.5", "--nb_epochs", "4"), network, 10, way)
    assert (
        isinstance(sgd.optimizer, keras.optimizers.SGD)
        and sgd.optimizer.nesterov
        and not sgd.optimizer.use_ema
    )
    assert sgd.steps_per_execution == 5 and not sgd.jit_compile and len(sgd.outputs) == 2
    heads = fitting.compiled(options("--weight_file", "w", "--heads_only"), network, 10, way)
    assert [weight.path for weight in heads.trainable_weights] == [
        "pred_gender/kernel",
        "pred_age/kernel",
    ]
    args = options("--opt", "adam", "--ema", "0.9", "--embeddings", "file")
    adam = fitting.compiled(args, network, 10, way)
    assert isinstance(adam.optimizer, keras.optimizers.Adam) and adam.optimizer.ema_momentum == 0.9
    assert len(adam.outputs) == 3
