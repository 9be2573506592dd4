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

from age_gender import interrupts, system
from age_gender.command_line import UserError, log, quiet_start

HEARTBEAT = 20  # seconds after which a silent host counts as lost
START = 300  # seconds in which all hosts must have started
SIGNS = ("Gloo", "NCCL", "coordination service", "heartbeat")  # in the errors of a lost host
LOST = "another host has ended or cannot be reached: resume the run on all hosts"


@dataclasses.dataclass(frozen=True)
class Devices:
    """The devices that train together.

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

    def engine(self, requested):
        """The engine, "xla" or "plain", that several devices allow.

        Raises `UserError` if the other one was requested.
        """
        import keras

        only = "xla" if keras.backend.backend() == "jax" else "plain"
        if requested not in ("auto", only):
            raise UserError(f"{requested} does not run on several devices, only {only} does")
        if only == "plain":
            log("XLA is off: TensorFlow does not run it on several devices")
        return only

    def whole(self, number):
        """The largest multiple of the devices that is not above ``number``."""
        return number - number % self.count


def join(devices, hosts, number, batch_size):
    """Place everything that Keras builds on the devices; to be called before Keras is imported.

    Args:
        devices: how many of each machine, or "all". Without a GPU, the processor is divided into
            so many.
        hosts: tuple of "name:port", the same on all; () for this machine alone.
        number: position of this machine in ``hosts``, from 0.
        batch_size: pictures in a step, over all devices.

    Returns:
        `Devices`. Raises `UserError` if they are missing, or cannot share the batch.
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
        raise UserError(f"{count} devices cannot share a batch of {batch_size} pictures equally")


def _number(devices, available):
    """How many of the available devices are used."""
    if devices != "all" and devices > available:
        raise UserError(f"{devices} devices are too many: this machine has {available}")
    return available if devices == "all" else devices


def _join_tensorflow(devices):
    if devices == 1:
        return 1
    with quiet_start():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [f"/gpu:{i}" for i in range(_number(devices, len(gpus)))]
    else:
        names = [f"/cpu:{i}" for i in range(1 if devices == "all" else devices)]
        parts = [tf.config.LogicalDeviceConfiguration() for _ in names]
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    if len(names) > 1:
        with quiet_start():  # it starts the devices
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

        if not hosts:
            _divide_processor(devices)
        available = jax.devices()  # it starts them
    chosen = available if hosts else available[: _number(devices, len(available))]
    names = [f"{device.platform}:{device.id}" for device in chosen]
    # Every host makes its own share of a batch: Keras must not divide it again.
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
    )
    return len(names)


def _divide_processor(devices):
    import jax

    jax.config.update("jax_num_cpu_devices", 1 if devices == "all" else devices)


def _meet(devices, hosts, number):
    """Connect to the other machines. Raises `UserError` if not all of them answer."""
    if importlib.util.find_spec("jax") is None:
        raise UserError("several hosts need JAX: pip install jax")
    os.environ["KERAS_BACKEND"] = "jax"
    with quiet_start():
        import jax

    _divide_processor(devices)
    jax.config.update("jax_enable_preemption_service", False)  # it swallows SIGTERM
    system.on_abort(_ABORTED)
    apart = f"not all hosts have connected to {hosts[0]}"
    _abort["why"] = f"{apart} in {START} seconds"
    log(f"host {number} of {len(hosts)}: waiting for all to connect to {hosts[0]}")
    try:
        with interrupts.at_once():
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
    """Silence stderr for everything else, so that our line is the last; return a descriptor."""
    own = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return own


def _end_in_one_line(_):
    name = os.path.basename(sys.argv[0])
    os.write(_take_stderr(), f"{name}: error: {_abort['why']}\n".encode())
    os._exit(2)


_abort = {"why": LOST}
# JAX ends a process whose peer is lost by abort(), which Python's own handlers do not see.
_ABORTED = ctypes.CFUNCTYPE(None, ctypes.c_int)(_end_in_one_line)


def broadcast(content, group):
    """The first host's bytes, on all hosts. All must call it; the others' content is ignored.

    Args:
        content: bytes.
        group: `Devices`.
    """
    if group.hosts == 1:
        return content
    import numpy as np
    from jax.experimental.multihost_utils import broadcast_one_to_all

    size = int(broadcast_one_to_all(np.int32(len(content))))
    padded = np.zeros(size, np.uint8)
    if group.first:
        padded[:] = np.frombuffer(content, np.uint8)
    return np.asarray(broadcast_one_to_all(padded)).tobytes()


def agree(settings, group):
    """Raise `UserError` if this host's settings, a dict, are not those of the first."""
    theirs = json.loads(broadcast(json.dumps(settings).encode(), group))
    differing = [f"{k} is {theirs.get(k)} there" for k, v in settings.items() if theirs.get(k) != v]
    if differing:
        raise UserError(f"the first host has other settings: {', '.join(differing)}")


def agree_on_weights(model, group):
    """Raise `UserError` if this host's weights are not, bit for bit, those of the first."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights()))
    agree({"SHA-256 of the weights": digest.hexdigest()}, group)


def exit_together(main):
    """Decorate a command: if it fails or another host is lost, it ends at once, in one line.

    JAX would wait at the end for hosts that are gone.
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
