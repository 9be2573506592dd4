import dataclasses
import json

import keras
import numpy as np
import pytest

from age_gender import weights
from age_gender.files import shown
from age_gender.training.record import Record, best_weights
from helpers.tiny_model import make_model


@pytest.fixture
def model():
    return make_model()


@pytest.mark.parametrize(
    "steps, epochs, done, steps_per_execution",
    [(1, 1, 0, 1), (4, 1, 0, 8), (1, 3, 0, 1), (5, 2, 0, 3), (4, 3, 2, 8), (4, 3, 1, 1)],
)
def test_record_has_the_speed_of_any_run(
    model, tmp_path, monkeypatch, steps, epochs, done, steps_per_execution
):
    """A clock that only steps move: 100 s for the first call of the graph, 1 s for a later step."""
    now = 0.0
    called = False

    class Clock(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.begun = batch

        def on_train_batch_end(self, batch, logs=None):
            nonlocal now, called
            now += min(batch + 1, steps) - self.begun if called else 100
            called = True

        def on_epoch_end(self, epoch, logs=None):
            nonlocal now
            now += 1000  # validation and files, which are no part of the steps

    model.compile("sgd", "mse", steps_per_execution=steps_per_execution)
    record = Record(tmp_path / "run.json", {}, [], batch_size=8)
    monkeypatch.setattr("age_gender.training.record.time.perf_counter", lambda: now)
    x, y = np.zeros((8 * steps, 3)), np.zeros((8 * steps, 2))
    others = [Clock(), record]
    model.fit(x, y, 8, epochs, initial_epoch=done, verbose=0, callbacks=others)
    several = (epochs - done) * -(-steps // steps_per_execution) > 1
    expected = 8 if several else 8 * steps / 100
    assert json.loads(record.path.read_text())["pictures a second"] == pytest.approx(expected)
    assert record.summary().startswith(f"{expected:.1f} pictures a second in the steps, ")


def test_record_of_a_run_with_no_epoch_left_has_no_speed(model, tmp_path):
    model.compile("sgd", "mse")
    record = Record(tmp_path / "run.json", {}, [], batch_size=8)
    model.fit(np.zeros((8, 3)), np.zeros((8, 2)), epochs=2, initial_epoch=2, callbacks=[record])
    assert json.loads(record.path.read_text())["pictures a second"] is None
    assert record.summary().startswith("peak memory ")


def test_last_line_has_no_gender_accuracy_where_no_gender_is_known(tiny_weights, tmp_path):
    path = tmp_path / "best.hdf5"
    figures = {"val_loss": 3.5, "val_age_mae": 4.75, "val_gender_accuracy": 0.927}
    known, _ = weights.read(tiny_weights[0])
    weights.write(path, tiny_weights[1], dataclasses.replace(known, **figures))
    line = f"weights {shown(path)}  validation loss 3.50, age MAE 4.75 years"
    assert best_weights(path, with_gender=False) == line
    assert best_weights(path, with_gender=True) == f"{line}, gender accuracy 92.7 percent"
