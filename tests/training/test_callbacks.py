import json

import h5py
import keras
import numpy as np
import pandas
import pytest

from age_gender.command_line import UserError
from age_gender.training import callbacks


def rates(epochs, epoch_steps, *more):
    rate = callbacks.LearningRate(0.1, epochs, epoch_steps, *more)
    return [float(rate(step)) for step in range(epochs * epoch_steps)]


def test_step_schedule_is_the_originals():
    factors = [0 if e < 7.5 else 1 if e < 15 else 2 if e < 22.5 else 3 for e in range(30)]
    np.testing.assert_allclose(
        rates(30, 10)[::10], [0.1 * 0.2**factor for factor in factors], rtol=1e-5
    )
    assert rates(30, 10)[79] == rates(30, 10)[0] > rates(30, 10)[80]


def test_cosine_schedule_warms_up_and_ends_at_zero():
    found = rates(10, 10, "cosine", 1)
    assert found[0] == pytest.approx(0.01) and found[10] == pytest.approx(0.1)
    assert max(found) == pytest.approx(0.1) and 0 < found[-1] < 0.0001
    assert found[10:] == sorted(found[10:], reverse=True)


def make_model():
    """A tiny network with a running average of its weights."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    rate = callbacks.LearningRate(0.01, 5, 4, "cosine", 1)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9, use_ema=True, ema_momentum=0.9), "mse")
    return model


@pytest.fixture
def model():
    return make_model()


def fit(model, epochs=1):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 3)), rng.normal(size=(32, 2))
    model.fit(x, y, epochs=epochs, verbose=0, shuffle=False)


def test_average_of_the_weights_is_lent_and_given_back_bit_for_bit(model):
    rng = np.random.default_rng(0)
    kernels = [model.get_weights()[0]]
    for _ in range(3):
        model.train_on_batch(rng.normal(size=(8, 3)), rng.normal(size=(8, 2)))
        kernels.append(model.get_weights()[0])
    expected = 0.9 * (0.9 * kernels[1] + 0.1 * kernels[2]) + 0.1 * kernels[3]
    with callbacks.averaged(model):
        lent = model.get_weights()[0]
    np.testing.assert_allclose(lent, expected, rtol=1e-5)
    np.testing.assert_array_equal(model.get_weights()[0], kernels[3])


class Recorder:
    best = 1.5
    rows = [{"loss": 2.0}]
    losses = [3.0]
    model = None


def state(path, settings):
    return callbacks.State(path, settings, Recorder(), Recorder(), Recorder())


def test_state_brings_back_every_number_and_goes_on_to_the_same_weights(model, tmp_path):
    fit(model)
    saved = state(tmp_path / "state.npz", {"lr": "0.1"})
    saved.set_model(model)
    saved.on_epoch_end(0)
    fit(model, 2)
    expected = model.get_weights()

    other = make_model()
    restored = state(tmp_path / "state.npz", {"lr": "0.1"})
    restored.kept.best = restored.history.rows = restored.watch.losses = None
    assert restored.restore(other, *callbacks.read_state(restored.path)) == 1
    assert (restored.kept.best, restored.watch.losses) == (1.5, [3.0])
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
        other.restore(model, *callbacks.read_state(path))
    assert str(error.value) == "--resume needs the settings of the run: lr was 0.1"
    for content in (path.read_bytes()[:-100], b"", b"other"):
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            callbacks.read_state(path)
        assert str(error.value) == f"{path} is damaged: remove it and start afresh"


def test_history_is_written_with_every_epoch(model, tmp_path):
    history = callbacks.History(tmp_path / "history.h5")
    history.set_model(model)
    fit(model)
    history.on_epoch_end(0, {"loss": np.float32(2)})
    history.on_epoch_end(1, {"loss": 1.0})
    with h5py.File(tmp_path / "history.h5") as file:
        assert "history" in file
    assert pandas.read_hdf(tmp_path / "history.h5", "history")["loss"].tolist() == [2, 1]
    table = (tmp_path / "history.csv").read_text().splitlines()
    assert table[0] == "epoch,loss,lr" and table[2].startswith("2,1.0,0.0")
    assert json.loads(json.dumps(history.rows)) == history.rows


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
    record = callbacks.Record(tmp_path / "run.json", {}, [], batch_size=8)
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: now)
    x, y = np.zeros((8 * steps, 3)), np.zeros((8 * steps, 2))
    followers = [Clock(), record]
    model.fit(x, y, 8, epochs, initial_epoch=done, verbose=0, callbacks=followers)
    several = (epochs - done) * -(-steps // steps_per_execution) > 1
    expected = 8 if several else 8 * steps / 100
    assert json.loads(record.path.read_text())["pictures a second"] == pytest.approx(expected)
    assert record.summary().startswith(f"{expected:.1f} pictures a second in the steps, ")


def test_record_of_a_run_with_no_epoch_left_has_no_speed(model, tmp_path):
    model.compile("sgd", "mse")
    record = callbacks.Record(tmp_path / "run.json", {}, [], batch_size=8)
    model.fit(np.zeros((8, 3)), np.zeros((8, 2)), epochs=2, initial_epoch=2, callbacks=[record])
    assert json.loads(record.path.read_text())["pictures a second"] is None
    assert record.summary().endswith(" MB of memory at most")


def test_watch_ends_a_run_whose_loss_is_no_number(model):
    watch = callbacks.Watch()
    watch.set_model(model)
    watch.on_epoch_begin(2)
    watch.on_train_batch_end(0, {"loss": 3.0})
    with pytest.raises(UserError) as error:
        watch.on_train_batch_end(1, {"loss": float("nan")})
    assert str(error.value) == (
        "the loss is no longer a number, in epoch 3 at the learning rate 0.0025: try a tenth of it "
        "(--lr) or a longer --warmup"
    )


@pytest.mark.parametrize("losses", [[4.6] * 4, [4, 4.5, 4.2, 4.1]])
def test_watch_ends_a_run_that_is_stuck(model, losses):
    watch = callbacks.Watch()
    watch.set_model(model)
    with pytest.raises(UserError, match="the loss of the ages has not fallen in 4 epochs"):
        for epoch, loss in enumerate(losses):
            watch.on_epoch_begin(epoch)
            watch.on_epoch_end(epoch, {"pred_age_loss": loss})


@pytest.mark.parametrize("begun, second", [(False, 4.59), (True, 5.5)])
def test_watch_lets_a_run_go_on(model, begun, second):
    """Whose loss falls a little, or which starts from trained weights."""
    watch = callbacks.Watch(begun)
    watch.set_model(model)
    for epoch, loss in enumerate([4.6, 4.7, second, 4.65, 4.9, 5.0]):
        watch.on_epoch_begin(epoch)
        watch.on_epoch_end(epoch, {"pred_age_loss": loss})
    assert len(watch.losses) == 6
