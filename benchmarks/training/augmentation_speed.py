"""Making training batches: the suite's way against the original's, in one process and one thread.

    python3 benchmarks/training/augmentation_speed.py

The original's way: mixup by NumPy, then Keras's ``ImageDataGenerator.random_transform`` and random
erasing, picture by picture. Both do what ``--aug`` does. In turn, medians.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.command_line import Parser, number_between, quiet_start, run


def get_args(argv=None):
    parser = Parser(description="Time the making of training batches.")
    parser.add_argument("--rounds", type=number_between(1, 1000, int), default=15)
    parser.add_argument("--batch_size", type=number_between(1, 4096, int), default=64)
    parser.add_argument("--img_size", type=number_between(8, 1024, int), default=64)
    return parser.parse_args(argv)


def plain(pictures, targets, rng, generator, size):
    """A batch the original's way, from twice as many pictures."""
    import numpy as np

    weight = rng.beta(0.2, 0.2, size)
    tall, flat = weight.reshape(size, 1, 1, 1), weight.reshape(size, 1)
    batch = pictures[:size] * tall + pictures[size:] * (1 - tall)
    for i in range(size):
        batch[i] = generator.random_transform(batch[i])
        batch[i] = generator.standardize(batch[i])
    return np.asarray(batch), [y[:size] * flat + y[size:] * (1 - flat) for y in targets]


def main(argv=None):
    args = get_args(argv)
    with quiet_start():
        import cv2
        import numpy as np
        from keras.src.legacy.preprocessing.image import ImageDataGenerator

        from age_gender.training.augmentation import Augmentation, age_targets, gender_targets
        from age_gender.training.options import PRESET
        from mixup_generator import MixupGenerator
        from random_eraser import get_random_eraser

    cv2.setNumThreads(1)
    size, shape = args.batch_size, (args.img_size, args.img_size, 3)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2 * size, *shape), np.uint8)
    targets = [gender_targets(np.arange(2 * size) % 2), age_targets(np.arange(2 * size) % 101)]
    generator = ImageDataGenerator(
        width_shift_range=PRESET["shift"],
        height_shift_range=PRESET["shift"],
        horizontal_flip=PRESET["flip"],
        preprocessing_function=get_random_eraser(),
    )
    ours = MixupGenerator(pictures, targets, size, PRESET["mixup"], datagen=Augmentation(**PRESET))
    times = {"plain": [], "ours": []}
    for _ in range(args.rounds + 1):
        start = time.perf_counter()
        plain(pictures, targets, rng, generator, size)
        times["plain"].append(time.perf_counter() - start)
        for _ in range(10):
            start = time.perf_counter()
            ours[0]
            times["ours"].append(time.perf_counter() - start)
    slow, fast = (1e6 * float(np.median(each[1:])) / size for each in times.values())
    print(f"batches of {size} pictures of {args.img_size} px, one thread")
    print(f"the original's way: {slow:.0f} us a picture")
    print(f"augmentation.py: {fast:.0f} us a picture, {slow / fast:.1f} times as fast")


if __name__ == "__main__":
    run(main, keep_memory=True)
