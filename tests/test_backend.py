import importlib
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
