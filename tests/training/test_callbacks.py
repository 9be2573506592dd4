import json

import h5py
import numpy as np
import pandas
import pytest

from age_gender.command_line import UserError
from age_gender.training import callbacks
from helpers.tiny_model import fit, make_model


@pytest.fixture
def model():
    return make_model()


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


class Loss:
    """A figure that tells when it is read."""

    def __init__(self, value, read, step):
        self.value, self.read, self.step = value, read, step

    def __float__(self):
        self.read.append(self.step)
        return self.value


@pytest.mark.parametrize(
    "seconds, read", [(0.01, [0, 0, 16, 32, 48, 64, 80]), (0.4, range(0, 99, 3))]
)
def test_divergence_is_noticed_soon_though_few_figures_are_read(model, monkeypatch, seconds, read):
    """With steps of so many seconds; the steps that are read at once, or 16 later."""
    now, found = [0.0], []
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    watch = callbacks.Watch()
    several = callbacks.Callbacks([watch], model=model, steps=1000)
    several.on_epoch_begin(0)
    with pytest.raises(UserError, match="the loss became NaN or infinite"):
        for step in range(1000):
            loss = Loss(float("nan") if step >= 70 else 1.0, found, step)
            several.on_train_batch_end(step, {"loss": loss})
            now[0] += seconds
    assert step <= 70 + 2 * several.STEPS
    assert found == [*read][: len(found)] and found[-1] >= 70


def test_figures_of_the_last_step_of_an_epoch_are_read(model, monkeypatch):
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: 0.0)
    read = []
    several = callbacks.Callbacks([callbacks.Watch()], model=model, steps=5)
    for step in [*range(5)] * 2:
        several.on_train_batch_end(step, {"loss": Loss(1.0, read, step)})
    assert read == [0, 4, 4]


def test_watch_ends_a_run_whose_loss_is_no_number(model):
    watch = callbacks.Watch()
    watch.set_model(model)
    watch.on_epoch_begin(2)
    watch.on_train_batch_end(0, {"loss": 3.0})
    with pytest.raises(UserError) as error:
        watch.on_train_batch_end(1, {"loss": float("nan")})
    assert str(error.value) == (
        "the loss became NaN or infinite, in epoch 3 at the learning rate 0.0025: try a tenth of "
        "it, or a longer warm-up"
    )


@pytest.mark.parametrize("losses", [[4.6] * 4, [4, 4.5, 4.2, 4.1]])
def test_watch_ends_a_run_that_is_stuck(model, losses):
    watch = callbacks.Watch()
    watch.set_model(model)
    with pytest.raises(UserError, match="the age loss has not fallen in 4 epochs"):
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
