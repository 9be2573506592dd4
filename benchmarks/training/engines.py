"""How fast training steps are, each way that there is, against Keras's plain ``fit``.

    python3 benchmarks/training/engines.py --depth 16 --width 1
    python3 benchmarks/training/engines.py --depth 16 --width 1 --parts

Every measurement is a process of its own, in turn, medians; a step is timed inside ``fit``, on
batches with all augmentation. With ``--parts`` the network is timed without some of its layers,
which says where the time of a step goes. Predictions: evaluation/prediction_engines.py.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender import autotune, system
from age_gender.command_line import Parser, UserError, number_between, progress, quiet_start, run
from age_gender.training import options

PARTS = ("everything", "no batch normalisation", "no ReLU", "neither")


def get_args(argv=None):
    parser = Parser(description="Time training steps, each way that this machine has.")
    whole = number_between(1, 10000, int)
    parser.add_argument("--depth", type=whole, default=16)
    parser.add_argument("--width", type=whole, default=1)
    parser.add_argument("--stem", type=int, choices=(1, 2), default=1)
    parser.add_argument("--pool", choices=("local", "global"), default="local")
    parser.add_argument("--batch_size", type=whole, default=64)
    steps = number_between(3, 1000, int)
    parser.add_argument("--steps", type=steps, default=8, help="in a measurement")
    parser.add_argument("--rounds", type=whole, default=3)
    parser.add_argument(
        "--bfloat16", action="store_true", help="also where the machine does not compute with it"
    )
    parser.add_argument("--parts", action="store_true", help="time the network without some layers")
    parser.add_argument("--measure", help="WAY PRECISION PART, of one measurement (internal)")
    return parser.parse_args(argv)


def batches_of(args):
    """Batches of noise, made as in training with all augmentation."""
    import types

    import numpy as np

    from age_gender.training.augmentation import Augmentation
    from generator import FaceBatches

    count = args.batch_size * (args.steps + 2)
    rng = np.random.default_rng(0)
    faces = types.SimpleNamespace(
        images=rng.integers(0, 256, (count, 64, 64, 3), np.uint8),
        genders=rng.integers(0, 2, count),
        ages=rng.integers(0, 101, count),
    )
    changes = Augmentation(0.06, 10, 0.1, True, 0.1, 0.2, 0.25, 0.2, 0.2)
    return FaceBatches(
        faces, np.arange(count), args.batch_size, training=True, augmentation=changes
    )


def without(part):
    """Make Keras's layers that are left out do nothing."""
    from keras import layers

    class Nothing(layers.Identity):
        def __init__(self, *args, **kwargs):
            super().__init__()

    if part in ("no batch normalisation", "neither"):
        layers.BatchNormalization = Nothing
    if part in ("no ReLU", "neither"):
        layers.Activation = Nothing


def measure(args):
    """One measurement in this process: prints JSON."""
    way, precision, part = args.measure.split("/")
    with quiet_start():
        import keras
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    from age_gender.training.fitting import compiled

    without(part)
    network = options.network_of(args, 64)
    settings = options.get_args(["-i", "none", "--batch_size", str(args.batch_size)])
    model = compiled(settings, network, 100, autotune.Way(way, precision))
    ends, faults = [], []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            float(logs["loss"])  # waits until the step is done
            ends.append(time.perf_counter())
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

    batches = batches_of(args)
    model.fit(batches, shuffle=False, verbose=0, callbacks=[Clock()])
    step = statistics.median(b - a for a, b in zip(ends[1:], ends[2:]))
    waits = []
    iterator = iter(PyDatasetAdapter(batches, shuffle=False).get_tf_dataset())
    for _ in range(min(args.steps, len(batches))):
        start = time.perf_counter()
        faces, targets = next(iterator)
        waits.append(time.perf_counter() - start)
        model.train_on_batch(faces, targets)
    print(
        json.dumps(
            {
                "speed": args.batch_size / step,
                "faults": statistics.median(b - a for a, b in zip(faults[1:], faults[2:])),
                "waiting": statistics.median(waits[2:]) / step,
            }
        )
    )


def measured(args, way, precision, part, keep):
    """A measurement in a process of its own, with glibc's memory kept or as it is."""
    environment = {k: v for k, v in os.environ.items() if k not in system.MALLOC}
    environment |= system.MALLOC if keep else {}
    own = [f"--{name}={value}" for name, value in vars(args).items() if name in OPTIONS]
    command = [sys.executable, __file__, *own, f"--measure={way}/{precision}/{part}"]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise UserError(f"{way} {precision}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


OPTIONS = ("depth", "width", "stem", "pool", "batch_size", "steps")


def medians(args, cases):
    """Medians over the rounds of what `measured` gives, for each case (way, ..., keep)."""
    found = {case: [] for case in cases}
    work = [case for _ in range(args.rounds) for case in cases]
    for case in progress(work, len(work), "measurements"):
        found[case].append(measured(args, *case))
    return {
        case: {name: statistics.median(each[name] for each in results) for name in results[0]}
        for case, results in found.items()
    }


def main(argv=None):
    args = get_args(argv)
    if args.measure:
        measure(args)
        return
    with quiet_start():
        import keras  # noqa: F401

    network = options.network_of(args, 64)
    low = args.bfloat16 or autotune._computes_bfloat16()
    precisions = autotune.PRECISIONS if low else autotune.PRECISIONS[:1]
    rate = autotune._matrix_rate() / 1e9
    print(f"{network}, batches of {args.batch_size}; products of matrices {rate:.0f} GFLOP/s")
    if args.parts:
        cases = [("xla", "float32", part, True) for part in PARTS]
    else:
        cases = [
            (way, precision, "everything", keep)
            for precision in precisions
            for way in ("plain", "xla")
            for keep in (False, True)
        ]
    found = medians(args, cases)
    for case, figures in found.items():
        what = case[2] if args.parts else f"{case[0]} {case[1]}{', memory kept' if case[3] else ''}"
        print(f"{what}: {show(figures, found[cases[0]], network, rate)}")


def show(figures, baseline, network, rate):
    share = figures["speed"] * network.training_flops() / 1e9 / rate
    return (
        f"{figures['speed']:.1f} pictures/s, {figures['speed'] / baseline['speed']:.2f} times, "
        f"{100 * share:.0f} percent of matrices, {figures['faults']:,.0f} page faults a step, "
        f"{100 * figures['waiting']:.1f} percent of it waiting for data"
    )


if __name__ == "__main__":
    run(main)
