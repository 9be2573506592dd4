import importlib.util
import os
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import train
from age_gender import weights
from age_gender.command_line import UserError
from age_gender.training import devices
from age_gender.training.augmentation import Augmentation
from age_gender.training.options import get_args
from generator import FaceBatches
from helpers import ROOT
from helpers.pictures import write_chips, write_database
from wide_resnet import WideResNet

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="without JAX")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("database")
    return write_database(folder / "utk.mat", write_chips(folder / "UTKFace", 80))


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A weight file to start from."""
    return write_weights(tmp_path_factory.mktemp("begun") / "begun.hdf5", WideResNet(32, 10, 1))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A weight file to learn from, of half the image size."""
    return write_weights(tmp_path_factory.mktemp("teacher") / "t.hdf5", WideResNet(16, 10, 1))


def write_weights(path, network):
    """A weight file of numbers that do not magnify rounding."""
    rng = np.random.default_rng(network.image_size)
    model = network()
    arrays = [rng.normal(0, 0.1, a.shape) if a.ndim > 1 else a for a in model.get_weights()]
    for place in (0, -2, -1):  # pictures reach to 255, and the heads shall not be sure
        arrays[place] = 0.03 * arrays[place]
    model.set_weights(arrays)
    weights.write(path, model, weights.Description(network))
    return path


def small(weight_file, teacher):
    """Options of a short run."""
    options = ["--depth", "10", "--width", "1", "--batch_size", "16", "--lr", "1e-6"]
    options += ["--validation_split", "0.2", "--aug", "--precision", "float32", "--ema", "0.5"]
    options += ["--warmup", "0"]
    options += ["--nb_epochs", "2", "--weight_file", weight_file, "--teacher", teacher]
    return [*map(str, options)]


@pytest.fixture
def start(database, begun, teacher, tmp_path_factory):
    """Start train.py with a tiny network; all that is started is ended at the end of the test."""
    started = []
    cache = tmp_path_factory.getbasetemp() / "jax"

    def start_one(output, *more):
        command = [sys.executable, ROOT / "train.py", "-i", database, "--output_path", output]
        environment = {
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiles in half the time
        }
        process = subprocess.Popen(
            [*map(str, command), *small(begun, teacher), "--augment_on", "device", *more],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def two_hosts():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    names = ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    for each in sockets:
        each.close()
    return names


def last_weights(folder):
    path = max(folder.glob("weights.*"))
    return path.name[:10], weights.read(path)[1]


def assert_moved_alike(folder, other, begun, tolerance):
    """All arrays have gone the same way from where they started, but for ``tolerance`` of it.

    The rate is low, so that steps do not magnify what was rounded.
    """
    start = weights.read(begun)[1]
    (epoch, arrays), (other_epoch, other_arrays) = last_weights(folder), last_weights(other)
    assert epoch == other_epoch
    for array, expected, before in zip(arrays, other_arrays, start):
        way = np.linalg.norm(expected - before)
        assert np.linalg.norm(array - expected) <= tolerance * way
    assert (
        sum(abs(expected - before).max() > 0 for expected, before in zip(other_arrays, start)) > 25
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--devices", "0"], "argument --devices: must be a whole number from 1 to 1024, "),
        (["--hosts", "a,b:1"], "argument --hosts: must be host1:port,host2:port"),
        (["--hosts", "a:1,b:1"], "argument --host_number: must be the position in --hosts, from 0"),
        (["--host_number", "0"], "argument --host_number: must be the position in --hosts, from 0"),
        (
            ["--hosts", "a:1,b:1", "--host_number", "2"],
            "argument --host_number: must be the position in --hosts, from 0",
        ),
    ],
)
def test_wrong_option_is_one_line_that_names_it(capsys, arguments, message):
    with pytest.raises(SystemExit) as error:
        get_args(["-i", "x.mat", *arguments])
    assert error.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("training", [True, False])
def test_shares_put_together_are_the_batch_and_each_reads_its_own(training):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
    read = []

    class Images:
        def __getitem__(self, row):
            read.append(row)
            return images[row]

    faces = SimpleNamespace(images=Images(), genders=np.arange(50) % 2, ages=np.arange(50))

    def batch(share):
        batches = FaceBatches(
            faces,
            np.arange(50),
            12,
            training=training,
            augmentation=Augmentation(0.1, 10, 0.1, True, 0.1, 0.1, 0.5, 0.2, 0.2),
            share=share,
        )
        return batches[2]

    whole, (whole_genders, whole_ages) = batch((0, 1))
    read.clear()
    parts = [batch((number, 3)) for number in range(3)]
    assert len(read) == 12 * (2 if training else 1)  # mixup reads two pictures for one
    for i, expected in enumerate((whole_genders, whole_ages)):
        together = np.concatenate([targets[i] for _, targets in parts])
        np.testing.assert_array_equal(together, expected)
    np.testing.assert_array_equal(np.concatenate([face for face, _ in parts]), whole)


@pytest.fixture(scope="module")
def one(database, begun, teacher, tmp_path_factory):
    """The folder of a run on one device of TensorFlow, whose pictures the processor makes."""
    folder = tmp_path_factory.mktemp("one")
    where = ["-i", str(database), "--output_path", str(folder)]
    train.main([*where, *small(begun, teacher), "--engine", "plain"])
    return folder


@pytest.mark.long
def test_two_devices_of_a_machine_train_as_one(start, one, begun, tmp_path):
    two = start(tmp_path, "--devices", "2")
    _, said = two.communicate(timeout=200)
    assert two.returncode == 0, said
    assert "training on 2 devices\n" in said
    assert "XLA is off: TensorFlow does not run it on several devices\n" in said
    # TensorFlow's joint variance is a difference of large sums; separate ones are 0.8 apart
    assert_moved_alike(tmp_path, one, begun, 0.1)


@pytest.mark.parametrize("hosts, number, count", [((), None, 3), (("a:1", "b:1"), 0, 6)])
def test_batch_that_cannot_be_shared_is_one_line(hosts, number, count):
    with pytest.raises(UserError) as error:
        devices.join(3, hosts, number, 16)
    assert str(error.value) == f"{count} devices cannot share a batch of 16 pictures equally"


@pytest.mark.long
@needs_jax
def test_two_hosts_of_which_one_is_killed_go_on_to_the_weights_of_one(start, one, begun, tmp_path):
    """On JAX, where one is on TensorFlow."""

    def start_two(*resume):
        hosts = two_hosts()
        return [
            start(tmp_path / f"host{n}", "--hosts", hosts, "--host_number", str(n), *resume)
            for n in range(2)
        ]

    first, second = start_two()
    assert any(line.startswith("Epoch 2/") for line in second.stderr)
    second.kill()
    _, said = first.communicate(timeout=200)
    assert first.returncode == 2
    assert said.splitlines()[-1] == f"train.py: error: {devices.LOST}"
    assert (tmp_path / "host0" / "state_10_1.npz").exists()

    for process in start_two("--resume"):
        _, said = process.communicate(timeout=200)
        assert process.returncode == 0, said
        assert "resuming after epoch 1 of 2" in said
    assert not (tmp_path / "host1").exists()
    assert_moved_alike(tmp_path / "host0", one, begun, 0.01)


HOST = """
import sys, time
sys.path.insert(0, sys.argv[1])
from age_gender import command_line
from age_gender.training import devices

@devices.exit_together
def main():
    place = devices.join(1, tuple(sys.argv[2].split(",")), int(sys.argv[3]), 2)
    devices.agree({"opt": sys.argv[4]}, place)
    command_line.log("agreed")
    while True:
        devices.broadcast(b"text" if place.first else b"", place)
        time.sleep(0.01)

command_line.run(main)
"""


@pytest.fixture
def two_small_hosts(tmp_path):
    """Start two hosts that meet, agree on a text, and talk without end, without a network."""
    (tmp_path / "host.py").write_text(HOST)
    started = []

    def start_two(*texts):
        hosts = two_hosts()
        for number, text in enumerate(texts):
            command = [sys.executable, tmp_path / "host.py", ROOT, hosts, str(number), text]
            started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started

    yield start_two
    for process in started:
        process.kill()
        process.communicate()


@needs_jax
@pytest.mark.parametrize("victim, how", [(0, signal.SIGKILL), (1, signal.SIGTERM)])
def test_host_that_is_ended_ends_the_other(two_small_hosts, victim, how):
    both = two_small_hosts("sgd", "sgd")
    for process in both:
        assert any(line == "agreed\n" for line in process.stderr)
    both[victim].send_signal(how)
    _, said = both[1 - victim].communicate(timeout=200)
    assert both[1 - victim].returncode == 2
    assert said.splitlines()[-1] == f"host.py: error: {devices.LOST}"
    both[victim].communicate(timeout=200)
    assert both[victim].returncode == (130 if how == signal.SIGTERM else -9)


@needs_jax
def test_hosts_with_other_settings_are_one_line(two_small_hosts):
    first, second = two_small_hosts("sgd", "adam")
    _, said = second.communicate(timeout=200)
    assert second.returncode == 2
    assert said.splitlines()[-1] == (
        "host.py: error: the first host has other settings: opt is sgd there"
    )
    _, said = first.communicate(timeout=200)
    assert (first.returncode, said.splitlines()[-1]) == (2, f"host.py: error: {devices.LOST}")
