"""What augmentation on the device, and figures that are not read after each step, make of training.

    python3 benchmarks/training/device_augmentation.py
    KERAS_BACKEND=jax python3 benchmarks/training/device_augmentation.py --widths 3 8 --rounds 5

First the making of batches alone, in one thread, with all augmentation, from a database of noise in
a temporary folder; then training with ``fit``, in turn, medians: as it was ("host, each step
read"), with figures read now and then ("host"), and augmented within the steps ("device"). The
rate of matrix products is that of the precision of the steps. On JAX nothing needs TensorFlow.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender import autotune
from age_gender.command_line import Parser, log, number_between, quiet_start, run
from age_gender.training import options

KINDS = ("host, each step read", "host", "device")


def get_args(argv=None):
    parser = Parser(description="Time training with augmentation on the host and on the device.")
    whole = number_between(1, 10000, int)
    parser.add_argument("--depth", type=whole, default=16)
    parser.add_argument("--widths", type=whole, nargs="*", default=[3, 8], help="of networks")
    parser.add_argument("--stem", type=int, choices=(1, 2), default=1)
    parser.add_argument("--pool", choices=("local", "global"), default="local")
    parser.add_argument("--img_size", type=number_between(8, 1024, int), default=64)
    parser.add_argument("--batch_size", type=whole, default=128)
    parser.add_argument("--steps", type=number_between(2, 10000, int), default=100)
    parser.add_argument("--rounds", type=whole, default=3)
    parser.add_argument("--workers", type=whole, default=1)
    parser.add_argument("--engine", choices=autotune.ENGINES, default="xla")
    parser.add_argument(
        "--precision",
        choices=autotune.PRECISIONS,
        help="default: bfloat16 on an accelerator, else float32",
    )
    parser.add_argument("--preset", action="store_true", help="what --aug does, not everything")
    return parser.parse_args(argv)


def write(path, size, count):
    """A database of faces of noise."""
    import numpy as np

    from age_gender.data import database

    rng = np.random.default_rng(0)
    rows = np.arange(count)
    with database.create(path, size, "utk", -1, "aligned", expected=count) as writer:
        writer.append(
            rng.integers(0, 256, (count, size, size, 3), np.uint8),
            rows % 2,
            rows % 101,
            rows,
            rng.integers(0, 256, (count, 32), np.uint8),
            [f"{row}.jpg" for row in rows],
        )


def batches_of(args, path, memory, on_device):
    """An epoch of training batches of a database, of which so many bytes are kept in memory."""
    import numpy as np

    from age_gender.data.database import FaceDatabase
    from age_gender.data.labelled import LabelledFaces
    from age_gender.training.augmentation import Augmentation
    from generator import FaceBatches

    everything = Augmentation(0.06, 10, 0.1, True, 0.1, 0.2, 0.25, 0.2, 0.2)
    faces = LabelledFaces([FaceDatabase(path, memory)])
    return FaceBatches(
        faces,
        np.resize(np.arange(len(faces)), args.steps * args.batch_size),
        args.batch_size,
        training=True,
        augmentation=Augmentation(**options.PRESET) if args.preset else everything,
        on_device=on_device,
        workers=args.workers,
    )


def making(args, path):
    """Print microseconds a picture to make batches: medians."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    ways = [(memory, on_device) for on_device in (False, True) for memory in (0, 2**40)]
    times = {way: [] for way in ways}
    batches = {way: batches_of(args, path, *way) for way in ways}
    for index in range(min(15, args.steps)):
        for way in ways:
            start = time.process_time()
            batches[way][index]
            times[way].append(time.process_time() - start)
    for memory, on_device in ways:
        each = 1e6 * statistics.median(times[memory, on_device]) / args.batch_size
        print(
            f"batches for the {'device' if on_device else 'host'}, faces "
            f"{'in memory' if memory else 'read from the file'}: {each:.0f} us of the processor a "
            f"picture, {1e6 / each:,.0f} pictures/s in one thread"
        )
    cv2.setNumThreads(threads)


def matrix_rate(precision, side):
    """Operations a second in products of matrices of a precision, the best of a few tries."""
    from keras import ops

    matrix = ops.ones((side, side), precision) / side
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        product = matrix
        for _ in range(4):
            product = ops.matmul(product, matrix)
        float(ops.convert_to_numpy(ops.cast(product[0, 0], "float32")))
        best = max(best, 4 * 2 * side**3 / (time.perf_counter() - start))
    return best


def training(args, path, width, precision):
    """Pictures a second of each of KINDS, a list of those of the rounds."""
    import keras

    from age_gender.training.callbacks import Callbacks
    from age_gender.training.fitting import compiled

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.begun = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            pass  # because of which Keras reads the figures after each step

        def on_epoch_end(self, epoch, logs=None):  # they are there: the last step is done
            self.seconds = time.perf_counter() - self.begun

    args.width = width
    network = options.network_of(args, args.img_size)
    settings = options.get_args(["-i", "none", "--batch_size", str(args.batch_size)])
    models, batches = {}, {}
    for where in ("host", "device"):
        way = autotune.Way(args.engine, precision, augment_on=where)
        models[where] = compiled(settings, network, args.steps, way)
        batches[where] = batches_of(args, path, 2**40, where == "device")
    speeds = {kind: [] for kind in KINDS}
    for number in range(args.rounds + 1):
        for kind in KINDS:
            where, clock = kind.partition(",")[0], Clock()
            model = models[where]
            several = Callbacks([clock], model=model, steps=args.steps, verbose=0, epochs=1)
            callbacks = [clock] if kind == KINDS[0] else several
            model.fit(batches[where], shuffle=False, verbose=0, callbacks=callbacks)
            if number:
                speeds[kind].append(args.steps * args.batch_size / clock.seconds)
            elif kind != "host":  # whose graph is compiled already
                log(f"{network}, {where}: first epoch {clock.seconds:.1f} s")
    return network, speeds


def main(argv=None):
    args = get_args(argv)
    with quiet_start():
        import keras
    from age_gender.training import compilation

    compilation.keep()
    accelerators = autotune.accelerators()
    precision = args.precision or ("bfloat16" if accelerators else "float32")
    rate = matrix_rate(precision, 8192 if accelerators else 2048)
    print(
        f"{keras.backend.backend()} on {', '.join(accelerators) or 'the processor'}, batches of "
        f"{args.batch_size} pictures of {args.img_size} px; products of {precision} matrices "
        f"{rate / 1e12:.2f} TFLOP/s",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "faces.mat")
        write(path, args.img_size, 2048)
        making(args, path)
        for width in args.widths:
            network, speeds = training(args, path, width, precision)
            before = speeds[KINDS[0]]
            for kind, found in speeds.items():
                gain = statistics.median(b / a for a, b in zip(before, found))
                share = statistics.median(found) * network.training_flops() / rate
                print(
                    f"{network}, {kind}: {statistics.median(found):,.1f} pictures/s, {gain:.2f} "
                    f"times, {100 * share:.0f} percent of matrices",
                    flush=True,
                )


if __name__ == "__main__":
    run(main, keep_memory=True)
