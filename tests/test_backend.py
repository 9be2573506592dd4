import importlib
import os
import sys

import pytest

from age_gender.backend import quiet_start


@pytest.mark.parametrize("backend, hidden", [("tensorflow", "jax"), ("jax", "matplotlib")])
def test_what_tensorflow_imports_needlessly_is_hidden_while_it_starts(monkeypatch, backend, hidden):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    names = ("jax", "matplotlib")
    before = {name: sys.modules.pop(name, None) for name in names}
    with quiet_start():
        seen = {name for name in names if name in sys.modules}
        with pytest.raises(ImportError):
            importlib.import_module(hidden)
    assert seen == {"jax", "matplotlib"} - {backend}
    assert not sys.modules.keys() & set(names)
    sys.modules.update({name: module for name, module in before.items() if module})


@pytest.mark.parametrize("flags", [{}, {"XLA_FLAGS": "--a"}, {"TF_XLA_FLAGS": "--a"}])
def test_talk_is_hidden_but_with_flags_whose_mistakes_end_the_process(monkeypatch, capfd, flags):
    for name in ("XLA_FLAGS", "TF_XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in flags.items():
        monkeypatch.setenv(name, value)
    with quiet_start():
        os.write(2, b"talk")
    assert capfd.readouterr().err == ("talk" if flags else "")


def test_talk_before_an_error_is_shown(capfd):
    with pytest.raises(ImportError), quiet_start():
        os.write(2, b"talk")
        raise ImportError
    assert capfd.readouterr().err == "talk"
