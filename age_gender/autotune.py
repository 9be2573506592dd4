"""The engine and the precision to train with on this machine, chosen by timing.

Which of XLA and TensorFlow's own kernels is faster differs from one processor to the next, and so
does what bfloat16 gains, so the configurations are timed on real steps.
"""

import dataclasses
import itertools
import json
import re
import statistics
import time

from age_gender import installation, system
from age_gender.command_line import UserError, log
from age_gender.files import atomic_write, read_small

ENGINES = ("plain", "xla")
PRECISIONS = ("float32", "bfloat16")
XLA_GAIN = 1.05  # XLA is chosen from so many times the speed up: it also takes time to compile,
BFLOAT16_GAIN = 1.15  # bfloat16 from so many times that of any float32: it rounds more coarsely
FEWEST_ROUNDS, MOST_ROUNDS = 3, 7
SECONDS = 20  # of timing, after which no further round begins
ROUND = 0.2  # seconds that a model's share of a round takes at least
EXECUTION = 0.2  # seconds of steps that TensorFlow does in one call,
MOST_STEPS = 32  # but no more of them
MATRIX = 2048  # side of the matrices whose product shows what the machine can do
CACHE_VERSION = 2  # of the file's format
CACHE_BYTES = 2**24  # of it, most


@dataclasses.dataclass(frozen=True)
class Way:
    """A configuration of the training steps."""

    engine: str = "xla"  # "xla", or "plain" for TensorFlow's own kernels
    precision: str = "float32"  # of the activations; weights and outputs are float32 always
    steps_per_execution: int = 1
    augment_on: str = "host"  # or "device", within the steps

    def __str__(self):
        return f"{self.engine} {self.precision}"


def choose(engine, precision, network, batch_size, make_model, batches, teachers=()):
    """The `Way` to train: the fastest, except that small gains do not count (see `_best`).

    Args:
        engine: one of ENGINES, or "auto" to time them. Timings are cached for the machine, the
            network and the batch size.
        precision: one of PRECISIONS, or "auto" for both where the machine computes with bfloat16.
        network: `wide_resnet.WideResNet`.
        batch_size: pictures in a step.
        make_model: function of a `Way` that returns a compiled model.
        batches: the batches of an epoch, (faces, targets); models are timed on the first.
        teachers: the networks that judge each batch in a step.
    """
    ways = _possible(engine, precision)
    if len(ways) == 1:
        return ways[0]
    networks = ", ".join(map(str, (network, *teachers)))
    key = f"{_machine()}, {networks}, {batch_size} faces, {', '.join(map(str, ways))}"
    timing = _cached(key, ways)
    if timing is None:
        log(
            f"timing {len(ways)} configurations (engine, precision), once for this machine, "
            "network and batch size"
        )
        seconds = _alternating_rounds({way: make_model(way) for way in ways}, batches[0])
        timing = seconds, _matrix_rate() / 1e9
        _cache(key, *timing)
    seconds, matrices = timing
    best = _best(seconds)
    speeds = {way: batch_size / statistics.median(seconds[way]) for way in ways}
    figures = ", ".join(f"{way} {speed:.1f}" for way, speed in speeds.items())
    flops = network.training_flops() + sum(each.training_flops() / 3 for each in teachers)
    rate = speeds[best] * flops / 1e9
    log(
        f"engine and precision: {best} (pictures a second, median of {len(seconds[best])} "
        f"alternating rounds: {figures}); {rate:.0f} GFLOP/s, {100 * rate / matrices:.0f} percent "
        "of the speed of float32 matrix products"
    )
    if best.precision == "bfloat16":
        log("bfloat16 rounds more coarsely; the precision float32 avoids that")
    steps = round(EXECUTION * speeds[best] / batch_size)
    steps = min(max(steps, 1), MOST_STEPS, len(batches))
    return dataclasses.replace(best, steps_per_execution=steps)


def _possible(engine, precision):
    """The `Way`s that a choice of engine and precision, "auto" or one of them, leaves here."""
    import keras

    engines = ENGINES if engine == "auto" else (engine,)
    if keras.backend.backend() != "tensorflow":
        engines = ("xla",)  # JAX has no other
    precisions = (precision,)
    if precision == "auto":
        precisions = PRECISIONS if _computes_bfloat16() else ("float32",)
    return [Way(engine, precision) for precision, engine in itertools.product(precisions, engines)]


def _best(seconds):
    """The configuration to train with.

    The speeds of two configurations are compared round by round, by the median of the ratios. Of
    two engines that are about as fast it is the plain one, which compiles in less time, and so
    the same one each time. bfloat16 must be clearly faster than each configuration in float32.

    Args:
        seconds: dict of the seconds a step in each round, for each `Way`, plain engines first.
    """

    def gain(way, other):
        return statistics.median(b / a for a, b in zip(seconds[way], seconds[other]))

    best = {}
    for way in seconds:
        if way.precision not in best or gain(way, best[way.precision]) >= XLA_GAIN:
            best[way.precision] = way
    float32 = [way for way in seconds if way.precision == "float32"]
    low = best.get("bfloat16")
    if low and all(gain(low, way) >= BFLOAT16_GAIN for way in float32):
        return low
    return best["float32"]


def _alternating_rounds(models, batch):
    """Time models by turns, so that what else the machine does slows all of them alike.

    Args:
        models: dict of compiled models.
        batch: (faces, targets).

    Returns:
        Dict of the seconds a step in each round, for each key.
    """
    for model in models.values():
        model.train_on_batch(*batch)  # compiles
    seconds = {key: [] for key in models}
    start = time.perf_counter()
    for count in range(MOST_ROUNDS):
        if count >= FEWEST_ROUNDS and time.perf_counter() - start > SECONDS:
            break
        for key, model in models.items():
            seconds[key].append(_step_seconds(model, batch))
    return seconds


def _step_seconds(model, batch):
    """Seconds of a training step, the median of the steps in ROUND seconds, but at least one."""
    times = []
    while sum(times) < ROUND:
        start = time.perf_counter()
        model.train_on_batch(*batch)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def accelerators():
    """Names of the GPUs and TPUs that Keras's backend uses."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    import tensorflow as tf

    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [found.get("device_name", "GPU") for found in details]


def _computes_bfloat16():
    """Whether the machine has instructions for products of bfloat16 numbers."""
    flags = set(processor().get("flags", "").split())
    return bool(accelerators() or {"amx_bf16", "avx512_bf16"} & flags)


def _matrix_rate():
    """Operations a second in products of float32 matrices, the best of a few tries."""
    import numpy as np
    from keras import ops

    matrix = ops.convert_to_tensor(np.random.default_rng(0).random((MATRIX, MATRIX), np.float32))
    best = 0.0
    for _ in range(6):
        start = time.perf_counter()
        ops.convert_to_numpy(ops.matmul(matrix, matrix)[0, 0])
        best = max(best, 2 * MATRIX**3 / (time.perf_counter() - start))
    return best


def processor():
    """What Linux reports about the first processor, as a dict; empty on other systems."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read().split("\n\n", 1)[0]
    except OSError:
        return {}
    return dict(
        re.split(r"\s*:\s*", line, maxsplit=1) for line in first.splitlines() if ":" in line
    )


def _machine():
    import keras

    facts = processor()
    flags = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"} & set(facts.get("flags", "").split())
    kind = " ".join([facts.get("model name", "unknown processor"), *sorted(flags)])
    cores = f"{system.cores()} cores"
    software = f"Keras {keras.version()} on {keras.backend.backend()}"
    return ", ".join([kind, cores, *accelerators(), software])


def _cache_file():
    return installation.cache() / "engines.json"


def _cached_timings():
    """The file's timings by key; none where it is missing, damaged or of another version."""
    try:
        content = json.loads(read_small(_cache_file(), CACHE_BYTES))
    except (OSError, ValueError, RecursionError, UserError):
        return {}
    if not isinstance(content, dict) or content.get("version") != CACHE_VERSION:
        return {}
    timings = content.get("timings")
    return timings if isinstance(timings, dict) else {}


def _cached(key, ways):
    """The timing under a key: (seconds a step in each round, for each way; GFLOP/s of matrices).

    None where there is none, or a damaged one.
    """

    def number(value):
        if not isinstance(value, float) or not 1e-9 < value < 1e9:
            raise ValueError
        return value

    try:
        found = _cached_timings()[key]
        seconds = {way: list(map(number, found["seconds a step"][str(way)])) for way in ways}
        rate = number(found["GFLOP/s of matrices"])
    except (KeyError, TypeError, ValueError):
        return None
    counts = set(map(len, seconds.values()))
    return (seconds, rate) if len(counts) == 1 and min(counts) >= FEWEST_ROUNDS else None


def _cache(key, seconds, rate):
    """Add a timing to the file: see `_cached`."""
    found = {
        "seconds a step": {str(way): each for way, each in seconds.items()},
        "GFLOP/s of matrices": rate,
    }
    content = {"version": CACHE_VERSION, "timings": _cached_timings() | {key: found}}
    try:
        _cache_file().parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(_cache_file()) as partial:
            partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except (OSError, UserError) as error:
        log(f"could not cache the choice of engine and precision: {error}")
