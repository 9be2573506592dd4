import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import ROOT

import engine


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "age-gender-estimation" / "engines.json"


def make_model(jit_compile):
    inputs = keras.Input((4,))
    outputs = [keras.layers.Dense(2)(inputs), keras.layers.Dense(3)(inputs)]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", loss=("mse", "mse"), jit_compile=jit_compile)
    return model


BATCH = (np.zeros((8, 4), np.float32), (np.zeros((8, 2), np.float32), np.zeros((8, 3), np.float32)))


def test_both_ways_are_timed_once_and_the_faster_is_remembered(cache, capsys):
    first = engine.choose("auto", "a network", make_model, [BATCH])
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "timing two ways to train, once for this machine, network and batch"
    assert said[1].startswith(f"engine {first}, the fastest here (pictures a second: xla ")
    assert cache.is_file()

    def not_again(jit_compile):
        raise AssertionError

    assert engine.choose("auto", "a network", not_again, [BATCH]) == first
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(AssertionError):
        engine.choose("auto", "another network", not_again, [BATCH])


@pytest.mark.parametrize("speeds, best", [((2, 1), "xla"), ((1, 2), "plain")])
def test_faster_way_is_chosen(monkeypatch, speeds, best):
    measured = iter(speeds)
    monkeypatch.setattr(engine, "_speed", lambda model, batch: next(measured))
    assert engine.choose("auto", "a network", make_model, [BATCH]) == best


def test_way_that_is_asked_for_is_not_timed(cache):
    assert engine.choose("plain", "a network", None, None) == "plain"
    assert not cache.exists()


def test_damaged_or_unwritable_memory_is_no_obstacle(cache, monkeypatch, capsys):
    monkeypatch.setattr(engine, "_speed", lambda model, batch: 1.0)
    cache.parent.mkdir()
    cache.write_text("{")
    assert engine.choose("auto", "a network", make_model, [BATCH]) in engine.WAYS
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert engine.choose("auto", "a network", make_model, [BATCH]) in engine.WAYS
    assert "the choice cannot be remembered" in capsys.readouterr().err


def test_process_starts_again_once_with_its_arguments_and_memory_kept():
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); import engine; engine.keep_memory()\n"
        "print(sys.argv[2], os.environ['MALLOC_ARENA_MAX'], os.environ.get('GLIBC_TUNABLES'))"
    )
    for more, expected in (
        ({}, "two words 1 glibc.malloc.hugetlb=1\n"),
        ({"MALLOC_ARENA_MAX": "7"}, "two words 7 None\n"),
    ):
        environment = {k: v for k, v in os.environ.items() if k not in engine.MALLOC} | more
        done = subprocess.run(
            [sys.executable, "-c", code, ROOT, "two words"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, expected)
