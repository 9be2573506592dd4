import json
import math
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


def choose(engine="auto", precision="float32", network=NETWORK, make=make_model, steps=40):
    return autotune.choose(engine, precision, network, 8, make, [BATCH] * steps)


def never(way):
    raise AssertionError


class Untrained:
    """In place of a model where time is not measured."""

    def __init__(self, way):
        self.way = way

    def train_on_batch(self, faces, targets):
        pass


@pytest.fixture
def timed(monkeypatch):
    """The function lets rounds measure these seconds a step: of each configuration, in each."""

    def timed(*rounds):
        monkeypatch.setattr(autotune, "FEWEST_ROUNDS", len(rounds))
        monkeypatch.setattr(autotune, "MOST_ROUNDS", len(rounds))
        measured = (float(seconds) for each in rounds for seconds in each)
        monkeypatch.setattr(autotune, "_step_seconds", lambda model, batch: next(measured))

    monkeypatch.setattr(autotune, "_matrix_rate", lambda: 1e9)
    return timed


def test_configurations_are_timed_once_and_the_choice_is_cached(cache, capsys):
    first = choose()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == (
        "timing 2 configurations (engine, precision), once for this machine, network and batch size"
    )
    assert re.fullmatch(
        rf"engine and precision: {first} \(pictures a second, median of [3-7] alternating rounds: "
        r"plain float32 [\d.]+, xla float32 [\d.]+\); \d+ GFLOP/s, \d+ percent of the speed of "
        "float32 matrix products",
        said[1],
    )
    assert cache.is_file()
    assert choose(make=never) == first
    assert len(capsys.readouterr().err.splitlines()) == 1
    for other in ({"network": WideResNet(32, 10, 2)}, {"precision": "bfloat16"}):
        with pytest.raises(AssertionError):
            choose(**other, make=never)


def test_rounds_alternate_between_models_that_are_built_once(monkeypatch, timed, capsys):
    built, stepped = [], []

    def make(way):
        built.append(way)
        return Untrained(way)

    def seconds(model, batch):
        stepped.append(model.way)
        return 0.1

    monkeypatch.setattr(autotune, "_computes_bfloat16", lambda: True)
    monkeypatch.setattr(autotune, "_step_seconds", seconds)
    for budget, rounds in ((0, 3), (1000, 7)):
        monkeypatch.setattr(autotune, "SECONDS", budget)
        choose(precision="auto", make=make, network=WideResNet(32, 10, rounds))
        assert list(map(str, built)) == (
            ["plain float32", "xla float32", "plain bfloat16", "xla bfloat16"]
        )
        assert stepped == built * rounds
        assert f"median of {rounds} alternating rounds" in capsys.readouterr().err
        built.clear()
        stepped.clear()


def test_a_round_of_long_steps_has_one_of_them(monkeypatch):
    calls = []

    class Model:
        def train_on_batch(self, faces, targets):
            calls.append(clock)
            clock.now += clock.step

    class Clock:
        now = 0.0

        def __init__(self, step):
            self.step = step

        def perf_counter(self):
            return self.now

    for step, count in ((0.5, 1), (0.0625, 4)):
        clock = Clock(step)
        monkeypatch.setattr(autotune, "time", clock)
        assert autotune._step_seconds(Model(), BATCH) == step
        assert calls.count(clock) == count


@pytest.mark.parametrize(
    "rounds, best",
    [
        ([(1, 0.97)] * 3, "plain float32"),  # XLA is hardly faster
        ([(1, 0.9)] * 3, "xla float32"),
        ([(1, 1.5)] * 3, "plain float32"),
        ([(1, 0.9), (9, 8), (1, 3)], "xla float32"),  # the machine was busy in two rounds
        ([(1, 1, 0.9, 0.9)] * 3, "plain float32"),  # bfloat16 is not clearly faster
        ([(1, 0.9, 0.8, 0.9)] * 3, "xla float32"),  # nor than XLA
        ([(1, 0.96, 0.85, 0.9)] * 3, "plain float32"),  # nor than XLA, which hardly gains itself
        ([(1, 0.9, 0.7, 0.9)] * 3, "plain bfloat16"),
        ([(1, 0.9, 0.7, 0.6)] * 3, "xla bfloat16"),
        ([(2, 2, 1.1, 3), (1, 1, 1.1, 3), (1, 1, 1.1, 3)], "plain float32"),  # once by chance
    ],
)
def test_only_a_clear_gain_is_chosen(monkeypatch, timed, capsys, rounds, best):
    monkeypatch.setattr(autotune, "_computes_bfloat16", lambda: len(rounds[0]) == 4)
    timed(*rounds)
    for _ in range(2):  # timed, and from the cache
        chosen = choose(precision="auto", make=Untrained)
        assert f"{chosen.engine} {chosen.precision}" == best
        said = capsys.readouterr().err
        assert f"engine and precision: {best} (" in said
        assert "median of 3 alternating rounds" in said
        assert ("bfloat16 rounds more coarsely; the precision float32 avoids that" in said) == (
            "bfloat16" in best
        )


@pytest.mark.parametrize("seconds, best", [((1, 0.9), "xla"), ((1, 0.97), "plain")])
def test_precision_that_is_given_is_kept_and_its_engine_timed(timed, seconds, best):
    timed(*[seconds] * 3)
    chosen = choose(precision="bfloat16", make=Untrained)
    assert (chosen.engine, chosen.precision) == (best, "bfloat16")


@pytest.mark.parametrize(
    "seconds, epoch, steps",
    [(0.001, 40, 32), (0.02, 40, 10), (10, 40, 1), (0.001, 3, 3), (0.001, 1, 1)],
)
def test_steps_per_execution_are_a_fifth_of_a_second_and_no_more_than_an_epoch(
    timed, seconds, epoch, steps
):
    timed(*[(seconds, seconds)] * 3)
    assert choose(make=Untrained, steps=epoch).steps_per_execution == steps


def test_configuration_that_is_given_is_not_timed(cache):
    assert choose("plain", "bfloat16", make=None) == autotune.Way("plain", "bfloat16", 1)
    assert not cache.exists()


def _damaged(whole):
    """Contents of the cache that cannot be used, made from one that can."""
    (key,) = json.loads(whole)["timings"]

    def content(value, *place):
        """The whole content, but with another value at a place in it."""
        changed = json.loads(whole)
        inner = changed
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value
        return json.dumps(changed)

    entry = ("timings", key)
    seconds = (*entry, "seconds a step")
    yield from ("", "{", "[]", "3", "null", "\0", "[" * 100_000)
    yield json.dumps({key: {"plain float32": 9.0, "xla float32": 1.0, "GFLOP": 1.0}})  # version 1
    yield from (content(value, "version") for value in (None, 1, "2"))
    yield from (content(value, "timings") for value in ([], None, "text"))
    yield from (content(value, *entry) for value in ([], {}, "text", None))
    yield from (content(value, *seconds) for value in ([], {}, "text", None))
    for value in (None, "text", [], [0.1], [0.1] * 4, "0.1", {"0.1": 0.1}, 0.1):
        yield content(value, *seconds, "xla float32")
    for value in (None, "0.1", [0.1], 1, True, 0.0, -0.1, 1e-320, math.nan, math.inf, 10**400):
        yield content([0.1, 0.1, value], *seconds, "xla float32")
        yield content(value, *entry, "GFLOP/s of matrices")


def test_damaged_cache_is_made_anew(cache, timed, capsys):
    def chosen():
        timed(*[(0.5, 0.25)] * 3)
        return choose(make=Untrained).engine, "timing 2" in capsys.readouterr().err

    assert chosen() == ("xla", True)
    whole = cache.read_text()
    assert chosen() == ("xla", False)
    for content in _damaged(whole):
        cache.write_text(content)
        assert chosen() == ("xla", True), content[:1000]
        assert cache.read_text() == whole


def test_cache_that_cannot_be_written_is_no_obstacle(timed, monkeypatch, capsys):
    timed(*[(0.1, 0.1)] * 3)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert choose(make=Untrained).engine == "plain"
    assert "could not cache the choice of engine and precision: " in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_suites_switch_for_bfloat16_reaches_child_processes(answer):
    code = "from age_gender import autotune; print(autotune._computes_bfloat16())"
    path = os.pathsep.join(map(str, (ROOT / "tests" / "forced", ROOT)))
    environment = os.environ | {"COMPUTES_BFLOAT16": answer, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"{answer == 'yes'}\n", "")
