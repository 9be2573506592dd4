"""Train the network on a face database.

    python3 train.py --input data/imdb_db.mat

Writes checkpoints/weights.NN-L.LL.hdf5 each time the validation loss falls, and the history
checkpoints/history_DEPTH_WIDTH.h5, which plot_history.py draws.
"""

import argparse
import contextlib
import math
import os
import shlex
import sys
from pathlib import Path

from command_line import Parser, UserError, number_between, quiet_start, run, say, whole_file
from wide_resnet import DEPTH, WIDTH, WideResNet

PRESET = {"shift": 0.1, "flip": True, "erase": 0.5, "mixup": 0.2}  # --aug


def get_args(argv=None):
    parser = Parser(
        description="Train the age and gender network on a face database.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--input", "-i", type=Path, required=True, help="database (.mat)")
    parser.add_argument(
        "--output_path",
        type=Path,
        default="checkpoints",
        help="folder for weights and history, relative to this script",
    )
    network = parser.add_argument_group("network")
    network.add_argument(
        "--depth", type=number_between(10, 1000, int), default=DEPTH, help="10, 16, 22, 28, ..."
    )
    network.add_argument(
        "--width", type=number_between(1, 64, int), default=WIDTH, help="factor on the channels"
    )
    training = parser.add_argument_group("training")
    inf = float("inf")
    training.add_argument(
        "--batch_size", type=number_between(1, 65536, int), default=32, help="pictures in a step"
    )
    training.add_argument(
        "--nb_epochs", type=number_between(1, 9999, int), default=30, help="passes over the data"
    )
    training.add_argument("--lr", type=number_between(1e-9, inf), default=0.1, help="learning rate")
    training.add_argument("--opt", choices=("sgd", "adam"), default="sgd", help="optimizer")
    training.add_argument(
        "--schedule",
        choices=("step", "cosine"),
        default="step",
        help="learning rate: a fifth in each quarter of the epochs, or a cosine to zero",
    )
    training.add_argument(
        "--warmup",
        type=number_between(0, inf),
        default=0.0,
        help="epochs in which the learning rate rises from zero",
    )
    training.add_argument(
        "--label_smoothing_years",
        type=number_between(0, 50),
        default=0.0,
        help="standard deviation of a Gaussian around the age as its target; 0 for one-hot",
    )
    training.add_argument("--seed", type=number_between(0, 2**31, int), default=0, help="of draws")
    part = parser.add_argument_group("split (the same seed gives the same parts anywhere)")
    for name, default, text in (
        ("validation_split", 0.1, "part of the pictures that is kept for validation"),
        ("test_split", 0.0, "part of the pictures that is kept for a later test"),
    ):
        part.add_argument(f"--{name}", type=number_between(0, 0.9), default=default, help=text)
    part.add_argument("--split_seed", type=number_between(0, 2**31, int), default=0, help="of it")
    change = parser.add_argument_group("augmentation")
    change.add_argument(
        "--aug",
        action="store_true",
        help="shift 0.1, flip, erase 0.5 and mixup 0.2, where the options below do not say else",
    )
    for name, high, text in (
        ("shift", 0.5, "largest shift, in parts of the size"),
        ("rotate", 180, "largest rotation in degrees"),
        ("zoom", 0.9, "largest change of size, in parts of it"),
        ("brightness", 1, "largest change of brightness, in parts of the whole range"),
        ("contrast", 1, "largest change of contrast, in parts of it"),
        ("erase", 1, "probability of random erasing"),
        ("erase_area", 0.9, "largest part of the picture that is erased"),
        ("mixup", inf, "alpha of mixup's Beta(alpha, alpha); 0 for none"),
    ):
        change.add_argument(
            f"--{name}", type=number_between(0, high), default=argparse.SUPPRESS, help=text
        )
    change.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        default=argparse.SUPPRESS,
        help="mirror half of the pictures",
    )
    args = parser.parse_args(argv)
    if (args.depth - 4) % 6:
        parser.error(f"argument --depth: must be 10, 16, 22, 28, ... (6 n + 4): {args.depth}")
    if args.validation_split + args.test_split >= 1:
        parser.error("--validation_split and --test_split leave no picture for training")
    if args.validation_split == 0:
        parser.error("argument --validation_split: must be above 0")
    return args


def learning_rate(step, steps, epoch_steps, lr, schedule, warmup):
    """The learning rate of a step.

    Args:
        step, steps: number of the step, from 0, and of all steps.
        epoch_steps: steps in an epoch.
        lr: the full rate.
        schedule: "step" (the original's: 1, 0.2, 0.04, 0.008 in the quarters of the epochs)
            or "cosine".
        warmup: epochs over which the rate rises from zero.
    """
    if step < warmup * epoch_steps:
        return lr * (step + 1) / (warmup * epoch_steps)
    if schedule == "cosine":
        begin = warmup * epoch_steps
        return lr * 0.5 * (1 + math.cos(math.pi * (step - begin) / max(steps - begin, 1)))
    epochs, epoch = steps // epoch_steps, step // epoch_steps
    return lr * 0.2 ** min(int(4 * epoch / epochs), 3)


def compiled(model, args, steps, epoch_steps):
    """Give the model its optimizer, losses and the figures that people read."""
    import keras

    class Schedule(keras.callbacks.Callback):
        seen = 0

        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = learning_rate(
                self.seen, steps, epoch_steps, args.lr, args.schedule, args.warmup
            )
            self.seen += 1

        def on_epoch_end(self, epoch, logs=None):
            logs["lr"] = float(self.model.optimizer.learning_rate)

    class Mae(keras.metrics.Mean):
        """Mean absolute error of the expected age, in years."""

        def update_state(self, y_true, y_pred, sample_weight=None):
            years = keras.ops.arange(y_pred.shape[-1], dtype="float32")
            error = keras.ops.sum((y_true - y_pred) * years, axis=-1)
            super().update_state(keras.ops.abs(error))

    optimizer = (
        keras.optimizers.SGD(args.lr, momentum=0.9, nesterov=True)
        if args.opt == "sgd"
        else keras.optimizers.Adam(args.lr)
    )
    model.compile(
        optimizer,
        loss=("categorical_crossentropy", "categorical_crossentropy"),
        metrics=(["accuracy"], ["accuracy", Mae(name="mae")]),
    )
    return Schedule()


def checkpoints(output_path, description):
    """A callback that keeps the weights each time ``val_loss`` is the lowest so far."""
    import dataclasses

    import keras

    import weights

    class Checkpoints(keras.callbacks.Callback):
        best = float("inf")

        def on_epoch_end(self, epoch, logs=None):
            if not logs["val_loss"] < self.best:
                return
            self.best = logs["val_loss"]
            path = output_path / f"weights.{epoch + 1:02d}-{self.best:.2f}.hdf5"
            known = dataclasses.replace(
                description,
                epoch=epoch + 1,
                val_loss=self.best,
                val_age_mae=logs["val_pred_age_mae"],
                val_gender_accuracy=logs["val_pred_gender_accuracy"],
            )
            weights.write(path, self.model, known)

    return Checkpoints()


def describe(args, argv, database):
    """What the weights will say of themselves."""
    import keras

    from weights import Description

    terms = {
        "utk": ("UTKFace", "non-commercial research only"),
        "imdb": ("IMDB-WIKI (imdb)", "academic research only"),
        "wiki": ("IMDB-WIKI (wiki)", "academic research only"),
    }
    data, data_terms = terms.get(database.db, (database.db, "unknown"))
    return Description(
        depth=args.depth,
        width=args.width,
        image_size=database.img_size,
        crop=database.crop,
        margin=database.margin,
        resize=database.resize,
        data=data,
        terms=data_terms,
        split_seed=args.split_seed,
        validation_split=args.validation_split,
        test_split=args.test_split,
        training=shlex.join(["train.py", *argv]),
        engine=f"Keras {keras.version()}, {keras.backend.backend()}",
        precision="float32",
    )


def write_history(path, rows):
    """Keep the history as a pandas HDF file with the key ``history``."""
    import pandas

    with whole_file(path) as partial:
        pandas.DataFrame(rows).to_hdf(partial, key="history", mode="w")


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = get_args(argv)
    from face_database import FaceDatabase

    database = FaceDatabase(args.input)
    training, validation, _ = database.split(
        args.validation_split, args.test_split, args.split_seed
    )
    if len(training) < args.batch_size or not len(validation):
        raise UserError(
            f"{args.input} gives {len(training)} pictures for training and {len(validation)} for "
            f"validation: too few for --batch_size {args.batch_size}"
        )
    try:
        network = WideResNet(database.img_size, args.depth, args.width)
    except ValueError as error:
        raise UserError(f"{args.input} does not fit the network: {error}") from error
    output_path = Path(__file__).resolve().parent / args.output_path
    history_path = output_path / f"history_{args.depth}_{args.width}.h5"
    output_path.mkdir(parents=True, exist_ok=True)

    with quiet_start():
        import keras

        keras.utils.set_random_seed(args.seed)
    from generator import Augmentation, FaceBatches

    fields = Augmentation.__dataclass_fields__
    chosen = (PRESET if args.aug else {}) | {k: v for k, v in vars(args).items() if k in fields}
    batches = FaceBatches(
        database,
        training,
        args.batch_size,
        training=True,
        augmentation=Augmentation(**chosen),
        smoothing=args.label_smoothing_years,
        seed=args.seed,
    )
    held = FaceBatches(database, validation, 256)
    model = network()
    schedule = compiled(model, args, len(batches) * args.nb_epochs, len(batches))
    say(
        f"{model.count_params():,} parameters, {len(training)} pictures for training, "
        f"{len(validation)} for validation"
    )

    kept = checkpoints(output_path, describe(args, argv, database))
    history = []

    def next_epoch(epoch, logs):
        batches.epoch = epoch + 1
        history.append(dict(logs))
        write_history(history_path, history)

    try:
        with contextlib.redirect_stdout(sys.stderr):
            model.fit(
                batches,
                validation_data=held,
                epochs=args.nb_epochs,
                shuffle=False,
                verbose="auto" if sys.stderr.isatty() else 2,
                callbacks=[
                    schedule,
                    kept,
                    keras.callbacks.LambdaCallback(on_epoch_end=next_epoch),
                ],
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped in epoch {len(history) + 1} of {args.nb_epochs}: the weights and the history "
            f"so far are in {output_path}"
        ) from None
    if kept.best == float("inf"):
        raise UserError("no weights were written: the loss was never a number; try a lower --lr")
    print(f"history {os.path.relpath(history_path)}")


if __name__ == "__main__":
    run(main)
