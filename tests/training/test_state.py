from pathlib import Path

import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.training.state import State, read_state
from helpers.tiny_model import fit, make_model


@pytest.fixture
def model():
    return make_model()


class Recorder:
    best = 1.5
    folder = Path("run")
    path = Path("run/weights.01-1.50.hdf5")
    rows = [{"loss": 2.0}]
    losses = [3.0]
    model = None


WAY = {"engine": "xla", "precision": "float32", "steps_per_execution": "1"}


def state(path, settings):
    return State(path, settings | WAY, Recorder(), Recorder(), Recorder())


def test_state_brings_back_every_number_and_ends_with_the_same_weights(model, tmp_path):
    fit(model)
    saved = state(tmp_path / "state.npz", {"lr": "0.1"})
    saved.set_model(model)
    saved.on_epoch_end(0)
    fit(model, 2)
    expected = model.get_weights()

    other = make_model()
    restored = state(tmp_path / "state.npz", {"lr": "0.1"})
    restored.checkpoints.best = restored.checkpoints.path = restored.history.rows = (
        restored.watch.losses
    ) = None
    assert restored.restore(other, *read_state(restored.path)) == 1
    assert read_state(restored.path)[0]["settings"]["augment_on"] == "host"  # as before the choice
    assert (restored.checkpoints.best, restored.watch.losses) == (1.5, [3.0])
    assert restored.checkpoints.path == Path("run/weights.01-1.50.hdf5")
    assert restored.history.rows == [{"loss": 2.0}]
    fit(other, 2)
    for one, two in zip(other.get_weights(), expected):
        np.testing.assert_array_equal(one, two)


def test_state_of_other_settings_or_a_damaged_one_is_one_line(model, tmp_path):
    path = tmp_path / "state.npz"
    saved = state(path, {"lr": "0.1", "depth": "16"})
    saved.set_model(model)
    fit(model)
    saved.on_epoch_end(0)
    with pytest.raises(UserError) as error:
        other = state(path, {"lr": "0.2", "depth": "16"})
        other.restore(model, *read_state(path))
    assert str(error.value) == "the run had other settings: lr was 0.1"
    for content in (path.read_bytes()[:-100], b"", b"other"):
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            read_state(path)
        assert str(error.value) == f"{path} is damaged: remove it and start afresh"
