"""How long a prediction takes with each engine and precision, for one face and for 64.

    python3 benchmarks/evaluation/prediction_engines.py

All are in one process, by turns, so that other work on the machine slows all of them alike; the
medians are over the rounds, and so is that of plain float32's time in the same round to each one's.
"""

import itertools
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender import autotune, system
from age_gender.command_line import Parser, number_between, quiet_start, run


def get_args(argv=None):
    parser = Parser(description="Time predictions with each engine and precision, by turns.")
    parser.add_argument("--weight_file", help="by default the weights that ship")
    whole = number_between(1, 10000, int)
    parser.add_argument("--rounds", type=whole, default=15, help="of 64 faces, and of five times 1")
    return parser.parse_args(argv)


def seconds(predict, faces):
    start = time.perf_counter()
    predict(faces)[0].numpy()
    return time.perf_counter() - start


def main(argv=None):
    args = get_args(argv)
    with quiet_start():
        import numpy as np
        import tensorflow as tf

    from age_gender import weights

    description, arrays = weights.read(weights.find(args.weight_file))
    network = description.network
    predicts = {}
    for precision, engine in itertools.product(autotune.PRECISIONS, autotune.ENGINES):
        model = network.in_precision(precision)
        model.set_weights(arrays)
        predicts[f"{engine} {precision}"] = tf.function(
            lambda faces, model=model: model(tf.cast(faces, tf.float32), training=False),
            jit_compile=engine == "xla",
        )
    print(f"{network}; the machine computes with bfloat16: {autotune._computes_bfloat16()}")
    side = network.image_size
    for count, repeats in ((1, 5), (64, 1)):
        faces = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
        compiling = {name: seconds(predict, faces) for name, predict in predicts.items()}
        times = {name: [] for name in predicts}
        for _ in range(args.rounds + 1):
            for name, predict in predicts.items():
                times[name].append(
                    statistics.median(seconds(predict, faces) for _ in range(repeats))
                )
        plain = times["plain float32"][1:]
        for name, each in times.items():
            rounds = each[1:]
            gain = statistics.median(a / b for a, b in zip(plain, rounds))
            print(
                f"{count} faces, {name}: {1000 * statistics.median(rounds):.1f} ms, {gain:.2f} "
                f"times, {compiling[name]:.1f} s to compile"
            )


if __name__ == "__main__":
    system.keep_memory()
    run(main)
