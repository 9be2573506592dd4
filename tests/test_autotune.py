import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from age_gender import autotune
from helpers import ROOT
from wide_resnet import WideResNet


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "age-gender-estimation" / "engines.json"


def make_model(way):
    inputs = keras.Input((4,))
    outputs = [keras.layers.Dense(2)(inputs), keras.layers.Dense(3)(inputs)]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", loss=("mse", "mse"), jit_compile=way.engine == "xla")
    return model


BATCH = (np.zeros((8, 4), np.float32), (np.zeros((8, 2), np.float32), np.zeros((8, 3), np.float32)))
NETWORK = WideResNet(32, 10, 1)


def choose(engine_asked="auto", precision="float32", network=NETWORK, make=make_model):
    return autotune.choose(engine_asked, precision, network, 8, make, [BATCH])


def not_again(way):
    raise AssertionError


def test_ways_are_timed_once_and_the_fastest_is_remembered(cache, capsys):
    first = choose()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "timing 2 ways to train, once for this machine, network and batch"
    assert re.fullmatch(
        rf"engine {first}, the fastest here \(pictures a second: xla float32 [\d.]+, plain float32 "
        r"[\d.]+\); these are \d+ GFLOP/s, \d+ percent of what products of float32 matrices reach",
        said[1],
    )
    assert cache.is_file()
    assert choose(make=not_again) == first
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(AssertionError):
        choose(network=WideResNet(32, 10, 2), make=not_again)


@pytest.mark.parametrize(
    "hardware, speeds, best",
    [(False, (2, 1), "xla float32"), (False, (1, 2), "plain float32")]
    + [(True, (1, 2, 3, 4), "plain bfloat16"), (True, (1, 5, 3, 4), "xla bfloat16")],
)
def test_fastest_way_that_the_machine_has_is_chosen(monkeypatch, capsys, hardware, speeds, best):
    measured = iter(speeds)
    monkeypatch.setattr(autotune, "_computes_bfloat16", lambda: hardware)
    monkeypatch.setattr(autotune, "_speed", lambda model, batch: next(measured))
    assert str(choose(precision="auto")) == best
    assert ("--precision float32 does without" in capsys.readouterr().err) == ("bf" in best)


@pytest.mark.parametrize("speed, steps", [(8 * 1000, 32), (8 * 50, 10), (8 / 10, 1)])
def test_short_steps_are_done_several_in_one_go(monkeypatch, speed, steps):
    monkeypatch.setattr(autotune, "_speed", lambda model, batch: speed)
    assert choose().steps_per_execution == steps


def test_way_that_is_asked_for_is_not_timed(cache):
    assert choose("plain", "bfloat16", make=None) == autotune.Way("plain", "bfloat16", 1)
    assert not cache.exists()


def test_damaged_or_unwritable_memory_is_no_obstacle(cache, monkeypatch, capsys):
    monkeypatch.setattr(autotune, "_speed", lambda model, batch: 1.0)
    cache.parent.mkdir()
    cache.write_text("{")
    assert choose().engine in autotune.ENGINES
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert choose().engine in autotune.ENGINES
    assert "the choice cannot be remembered" in capsys.readouterr().err


def test_process_starts_again_once_with_its_arguments_and_memory_kept():
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from age_gender import autotune\nautotune.keep_memory()\n"
        "print(sys.argv[2], os.environ['MALLOC_ARENA_MAX'], os.environ.get('GLIBC_TUNABLES'))"
    )
    for more, expected in (
        ({}, "two words 1 glibc.malloc.hugetlb=1\n"),
        ({"MALLOC_ARENA_MAX": "7"}, "two words 7 None\n"),
    ):
        environment = {k: v for k, v in os.environ.items() if k not in autotune.MALLOC} | more
        done = subprocess.run(
            [sys.executable, "-c", code, ROOT, "two words"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, expected)
