"""Training on several devices of a machine, or on several machines, as if it were one device.

Each device takes an equal part of every batch; gradients, losses and the statistics of batch
normalisation are those of the whole batch. Devices of one machine are joined by TensorFlow's
MirroredStrategy; several machines by Keras's own `keras.distribution` on JAX, which needs
``pip install jax`` (for GPUs ``jax[cuda12]``). Why: benchmarks/README.md.
"""

import atexit
import ctypes
import dataclasses
import functools
import hashlib
import importlib.util
import json
import os
import sys

from age_gender import system
from age_gender.command_line import UserError, log, quiet_start

HEARTBEAT = 20  # seconds after which a silent host counts as lost
START = 300  # seconds in which all hosts must have started
SIGNS = ("Gloo", "NCCL", "coordination service", "heartbeat")  # in errors that say so
LOST = "another host has ended or cannot be reached; start all of them again, with --resume"


@dataclasses.dataclass(frozen=True)
class Devices:
    """What the devices are that train together.

    Attributes:
        count: devices in all.
        host, hosts: number of this machine, from 0, and how many there are.
    """

    count: int = 1
    host: int = 0
    hosts: int = 1

    @property
    def first(self):
        """Whether this machine is the one that writes files."""
        return self.host == 0

    @property
    def share(self):
        """(number, count): which part of every batch this machine makes."""
        return self.host, self.hosts

    def engine(self, asked):
        """The engine, "xla" or "plain", that these devices allow.

        Raises `UserError` where the other was asked.
        """
        import keras

        only = "xla" if keras.backend.backend() == "jax" else "plain"
        if asked not in ("auto", only):
            raise UserError(f"--engine {asked} does not run on these devices, only {only} does")
        if only == "plain":
            log("XLA is off: TensorFlow does not run it on several devices")
        return only

    def whole(self, number):
        """The largest multiple of the devices that is not above ``number``."""
        return number - number % self.count


def join(devices, hosts, number, batch_size):
    """Let everything that Keras builds from here on be on the devices; before Keras is imported.

    Args:
        devices: how many of each machine, or "all". Where there is no GPU, the processor counts
            as so many.
        hosts: tuple of "name:port", the same on all; () for this machine alone.
        number: place of this machine in ``hosts``, from 0.
        batch_size: pictures in a step, over all devices.

    Returns:
        `Devices`. Raises `UserError` where they are not there, or cannot share the batch.
    """
    if devices != "all":
        _shared(batch_size, devices * max(len(hosts), 1))
    if hosts:
        _meet(devices, hosts, number)
    if hosts or os.environ.get("KERAS_BACKEND") == "jax":
        count = _join_jax(devices, hosts)
    else:
        count = _join_tensorflow(devices)
    _shared(batch_size, count)
    if count > 1:
        log(f"training on {count} devices" + (f" of {len(hosts)} hosts" if hosts else ""))
    return Devices(count, number or 0, max(len(hosts), 1))


def _shared(batch_size, count):
    if batch_size % count:
        raise UserError(f"--batch_size {batch_size} cannot be shared equally by {count} devices")


def _chosen(devices, there):
    """How many of the devices that are ``there``."""
    if devices != "all" and devices > there:
        raise UserError(f"--devices {devices}: this machine has {there}")
    return there if devices == "all" else devices


def _join_tensorflow(devices):
    if devices == 1:
        return 1
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [f"/gpu:{i}" for i in range(_chosen(devices, len(gpus)))]
    else:
        names = [f"/cpu:{i}" for i in range(1 if devices == "all" else devices)]
        parts = [tf.config.LogicalDeviceConfiguration() for _ in names]
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    if len(names) > 1:
        tf.distribute.experimental_set_strategy(tf.distribute.MirroredStrategy(names))
    return len(names)


def mirrored():
    """Whether models are built for several devices of TensorFlow."""
    tensorflow = sys.modules.get("tensorflow")
    return bool(tensorflow) and tensorflow.distribute.has_strategy()


def _join_jax(devices, hosts):
    if devices == 1 and not hosts:
        return 1
    with quiet_start():
        import jax
        import keras

    if hosts:
        chosen = jax.devices()
    else:
        _divide_processor(devices)
        chosen = jax.devices()[: _chosen(devices, jax.device_count())]
    names = [f"{device.platform}:{device.id}" for device in chosen]
    # Every host makes its own share of a batch, so Keras has none to take.
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
    )
    return len(names)


def _divide_processor(devices):
    import jax

    jax.config.update("jax_num_cpu_devices", 1 if devices == "all" else devices)


def _meet(devices, hosts, number):
    """Connect with the other machines. Raises `UserError` where they do not come."""
    if importlib.util.find_spec("jax") is None:
        raise UserError("--hosts needs JAX: pip install jax")
    os.environ["KERAS_BACKEND"] = "jax"
    import jax

    _divide_processor(devices)
    jax.config.update("jax_enable_preemption_service", False)  # it swallows SIGTERM
    system.on_abort(_ABORTED)
    apart = f"--hosts: not all have met at {hosts[0]}"
    _abort["why"] = f"{apart} in {START} seconds"
    log(f"host {number} of {len(hosts)}: waiting for all to meet at {hosts[0]}")
    try:
        jax.distributed.initialize(
            hosts[0],
            len(hosts),
            number,
            local_device_ids=None if devices == "all" else list(range(devices)),
            heartbeat_timeout_seconds=HEARTBEAT,
            initialization_timeout=START,
        )
    except RuntimeError as error:
        raise UserError(f"{apart}: {str(error).splitlines()[0]}") from error
    _abort["why"] = LOST


def _take_stderr():
    """Turn what else writes to stderr away, so that our line is the last; returns a new number."""
    own = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return own


def _end_in_one_line(_):
    name = os.path.basename(sys.argv[0])
    os.write(_take_stderr(), f"{name}: error: {_abort['why']}\n".encode())
    os._exit(2)


_abort = {"why": LOST}
# JAX ends a process whose partner is lost by abort(), which Python's own handlers do not hear.
_ABORTED = ctypes.CFUNCTYPE(None, ctypes.c_int)(_end_in_one_line)


def broadcast(content, place):
    """The bytes that the first host gives; what the others give is ignored. All must call it."""
    if place.hosts == 1:
        return content
    import numpy as np
    from jax.experimental.multihost_utils import broadcast_one_to_all

    size = int(broadcast_one_to_all(np.int32(len(content))))
    padded = np.zeros(size, np.uint8)
    if place.first:
        padded[:] = np.frombuffer(content, np.uint8)
    return np.asarray(broadcast_one_to_all(padded)).tobytes()


def agree(settings, place):
    """Raises `UserError` where this host's settings, a dict, are not those of the first."""
    theirs = json.loads(broadcast(json.dumps(settings).encode(), place))
    differing = [f"{k} is {theirs.get(k)} there" for k, v in settings.items() if theirs.get(k) != v]
    if differing:
        raise UserError(f"the first host does not agree: {', '.join(differing)}")


def agree_on_weights(model, place):
    """Raises `UserError` where this host's weights are not, bit for bit, those of the first."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights()))
    agree({"SHA-256 of the weights": digest.hexdigest()}, place)


def exit_together(main):
    """Decorate a command: where it fails or another host is lost, it ends at once, in one line.

    JAX would wait at the end for hosts that have gone.
    """

    @functools.wraps(main)
    def whole(*args, **kwargs):
        try:
            return main(*args, **kwargs)
        except BaseException as error:
            if "jax" not in sys.modules or not sys.modules["jax"].distributed.is_initialized():
                raise
            lost = isinstance(error, Exception) and any(sign in str(error) for sign in SIGNS)
            code = system.STOPPED if isinstance(error, KeyboardInterrupt) else 2
            atexit.register(_leave, code)  # called before JAX's, which waits
            # JAX's threads go on logging
            sys.stderr = os.fdopen(_take_stderr(), "w", encoding="utf-8")
            if lost:
                raise UserError(LOST) from error
            raise

    return whole


def _leave(code):
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
