"""The fastest way to train on this machine, found by timing it: no setting wins on every processor.

What holds a small network back on a processor is memory: glibc hands the megabytes of an activation
back to the system after every operation, and the system clears each page anew for the next one.
`keep_memory` stops that. Which of XLA and TensorFlow's own kernels is faster differs from one
processor to the next, and so does what bfloat16 gives; so each way that the machine has is timed.
"""

import dataclasses
import itertools
import json
import os
import platform
import re
import sys
import time

from age_gender import installation
from age_gender.command_line import UserError, log
from age_gender.files import atomic_write

ENGINES = ("xla", "plain")
PRECISIONS = ("float32", "bfloat16")
STEPS, SECONDS = 5, 20  # a way is timed over so many steps, or so long
EXECUTION = 0.2  # seconds of steps that TensorFlow does in one go,
MOST_STEPS = 32  # but no more of them
MATRIX = 2048  # side of the matrices whose product tells what the machine can do
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def keep_memory():
    """Start this process again with glibc told to keep what it has, in huge pages.

    glibc reads these settings when a process starts, and only then. Those that the user has set are
    left alone; where any is set, nothing is done.
    """
    if platform.libc_ver()[0] == "glibc" and not MALLOC.keys() & os.environ.keys():
        os.execve(sys.executable, sys.orig_argv, os.environ | MALLOC)


@dataclasses.dataclass(frozen=True)
class Way:
    """How training steps are done."""

    engine: str = "xla"  # "xla", or "plain" for TensorFlow's own kernels
    precision: str = "float32"  # of the activations; weights and outputs are float32 always
    steps_per_execution: int = 1

    def __str__(self):
        return f"{self.engine} {self.precision}"


def choose(engine, precision, network, batch_size, make_model, batches):
    """The fastest `Way` to train.

    Args:
        engine: one of ENGINES, or "auto" to time them, unless that was done before.
        precision: one of PRECISIONS, or "auto" for both where the machine computes with bfloat16.
        network: `wide_resnet.WideResNet`, and batch_size, pictures in a step; what was found is
            remembered for them and for the machine.
        make_model: function of a `Way` that returns a compiled model.
        batches: sequence whose first, (faces, targets), it is trained on.
    """
    import keras

    tensorflow = keras.backend.backend() == "tensorflow"
    engines = ENGINES if engine == "auto" else (engine,)
    if not tensorflow:
        engines = ("xla",)  # JAX has no other
    if precision == "auto":
        precisions = PRECISIONS if _computes_bfloat16() else ("float32",)
    else:
        precisions = (precision,)
    ways = {str(way): way for way in itertools.starmap(Way, itertools.product(engines, precisions))}
    if len(ways) == 1:
        return next(iter(ways.values()))
    key = f"{_machine()}, {network}, {batch_size} faces"
    known = _remembered()
    speeds = known.get(key, {})
    missing = [name for name in ways if name not in speeds]
    if missing:
        log(f"timing {len(missing)} ways to train, once for this machine, network and batch")
        for name in missing:
            speeds[name] = _speed(make_model(ways[name]), batches[0])
        speeds["GFLOP"] = network.training_flops() / 1e9
        speeds["GFLOP/s of matrices"] = _matrix_rate() / 1e9
        _remember(known | {key: speeds})
    best = max(ways, key=speeds.get)
    rate, most = speeds[best] * speeds["GFLOP"], speeds["GFLOP/s of matrices"]
    figures = ", ".join(f"{name} {speeds[name]:.1f}" for name in ways)
    log(
        f"engine {best}, the fastest here (pictures a second: {figures}); these are {rate:.0f} "
        f"GFLOP/s, {100 * rate / most:.0f} percent of what products of float32 matrices reach"
    )
    if "bfloat16" in best:
        log("bfloat16 rounds more coarsely; --precision float32 does without")
    steps = round(EXECUTION * speeds[best] / batch_size)
    return dataclasses.replace(ways[best], steps_per_execution=min(max(steps, 1), MOST_STEPS))


def _computes_bfloat16():
    """Whether the machine has instructions for products of bfloat16 numbers."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return True
    else:
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            return True
    return bool({"amx_bf16", "avx512_bf16"} & set(_processor().get("flags", "").split()))


def _matrix_rate():
    """Operations a second in products of float32 matrices, the most of a few tries."""
    import numpy as np
    from keras import ops

    matrix = ops.convert_to_tensor(np.random.default_rng(0).random((MATRIX, MATRIX), np.float32))
    best = 0.0
    for _ in range(6):
        start = time.perf_counter()
        ops.convert_to_numpy(ops.matmul(matrix, matrix)[0, 0])
        best = max(best, 2 * MATRIX**3 / (time.perf_counter() - start))
    return best


def _speed(model, batch):
    """Pictures a second in the steps of ``fit`` after the first two."""
    import keras
    import numpy as np

    ends = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            float(logs["loss"])  # waits until the step is done
            ends.append(time.perf_counter())
            if len(ends) > 3 and ends[-1] - ends[0] > SECONDS:
                self.model.stop_training = True

    faces, targets = batch
    count = STEPS + 2
    repeated = tuple(np.concatenate([target] * count) for target in targets)
    model.fit(
        np.concatenate([faces] * count),
        repeated,
        batch_size=len(faces),
        shuffle=False,
        verbose=0,
        callbacks=[Clock()],
    )
    return len(faces) / float(np.median(np.diff(ends)[1:]))


def _processor():
    """What Linux says of the first processor, as a dict; empty elsewhere."""
    try:
        with open("/proc/cpuinfo") as file:
            first = file.read().split("\n\n", 1)[0]
    except OSError:
        return {}
    return dict(
        re.split(r"\s*:\s*", line, maxsplit=1) for line in first.splitlines() if ":" in line
    )


def _machine():
    import keras

    facts = _processor()
    flags = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"} & set(facts.get("flags", "").split())
    processor = " ".join([facts.get("model name", "unknown processor"), *sorted(flags)])
    return f"{processor}, {len(os.sched_getaffinity(0))} cores, Keras {keras.version()}"


def _memory():
    return installation.cache() / "engines.json"


def _remembered():
    try:
        return json.loads(_memory().read_text())
    except (OSError, ValueError, UserError):
        return {}


def _remember(known):
    try:
        _memory().parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(_memory()) as partial:
            partial.write_text(json.dumps(known, indent=1))
    except (OSError, UserError) as error:
        log(f"the choice cannot be remembered: {error}")
