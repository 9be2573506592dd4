"""Train the network on a face database.

    python3 train.py --input data/imdb_db.mat

Writes checkpoints/weights.NN-L.LL.hdf5 each time the validation loss falls, and the history
checkpoints/history_DEPTH_WIDTH.h5, which plot_history.py draws.
"""

import argparse
import contextlib
import os
import shlex
import sys
from pathlib import Path

from command_line import Parser, UserError, number_between, quiet_start, run, say
from wide_resnet import DEPTH, POOLS, WIDTH, WideResNet

PRESET = {"shift": 0.1, "flip": True, "erase": 0.5, "mixup": 0.2}  # --aug
PLACES = ("input", "output_path", "resume", "workers")  # change nothing that is learned


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
    network.add_argument(
        "--stem", type=int, choices=(1, 2), default=1, help="stride of the first convolution"
    )
    network.add_argument(
        "--pool", choices=POOLS, default="local", help="averages that the heads see"
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
        default=1.0,
        help="epochs in which the learning rate rises from zero; the original has 0",
    )
    training.add_argument(
        "--label_smoothing_years",
        type=number_between(0, 50),
        default=0.0,
        help="standard deviation of a Gaussian around the age as its target; 0 for one-hot",
    )
    training.add_argument(
        "--age_error",
        type=number_between(0, 100),
        default=0.0,
        help="add so many times the error of the expected age, in years, to the loss",
    )
    training.add_argument(
        "--ema",
        type=number_between(0, 0.99999),
        default=0.0,
        help="validate and keep a running average of the weights with this momentum, say 0.999",
    )
    training.add_argument(
        "--resume", action="store_true", help="go on with the run that was stopped in this folder"
    )
    training.add_argument(
        "--engine",
        choices=("auto", "xla", "plain"),
        default="auto",
        help="compile the steps with XLA, or not; auto times both, once for each network and batch",
    )
    training.add_argument(
        "--workers", type=number_between(1, 64, int), default=1, help="threads that make batches"
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
        stem=args.stem,
        pool=args.pool,
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
        engine=f"Keras {keras.version()}, {keras.backend.backend()}, {args.engine}",
        precision="float32",
    )


def prepare(args, database):
    """The rows for training and for validation, and the network (not built yet).

    Raises `UserError` where the database is too small, or its faces do not fit the network.
    """
    training, validation, _ = database.split(
        args.validation_split, args.test_split, args.split_seed
    )
    if len(training) < args.batch_size or not len(validation):
        raise UserError(
            f"{args.input} gives {len(training)} pictures for training and {len(validation)} for "
            f"validation: too few for --batch_size {args.batch_size}"
        )
    try:
        network = WideResNet(database.img_size, args.depth, args.width, args.stem, args.pool)
    except ValueError as error:
        raise UserError(f"{args.input} does not fit the network: {error}") from error
    return training, validation, network


def batches_of(args, database, training, validation):
    """Batches of the two parts: the one shuffled and changed at random, the other as it is."""
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
        workers=args.workers,
    )
    return batches, FaceBatches(database, validation, 256)


def compiled(args, network, epoch_steps, jit_compile):
    """A new model of the network with its optimizer, losses and the figures that people read."""
    import keras

    from callbacks import LearningRate
    from losses import AgeError, AgeLoss, GenderAccuracy

    rate = LearningRate(args.lr, args.nb_epochs, epoch_steps, args.schedule, args.warmup)
    average = {"use_ema": True, "ema_momentum": args.ema} if args.ema else {}
    if args.opt == "adam":
        optimizer = keras.optimizers.Adam(rate, **average)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **average)
    model = network()
    model.compile(
        optimizer,
        loss=("categorical_crossentropy", AgeLoss(args.age_error)),
        metrics=([GenderAccuracy()], ["accuracy", AgeError()]),
        jit_compile=jit_compile,
    )
    return model


def unfinished(path, resume):
    """Whether to go on with the run whose state is at ``path``; `UserError` where it is unclear."""
    if resume and not path.is_file():
        raise UserError(f"--resume: there is no unfinished run ({path} does not exist)")
    if path.is_file() and not resume:
        raise UserError(
            f"{path} is an unfinished run: add --resume to go on with it, or remove it to start "
            "afresh"
        )
    return resume


def fit(model, batches, held, epochs, followers, state):
    """Train from ``batches.epoch`` on; the state is kept after all that others do with an epoch."""
    import keras

    from callbacks import ValidateAverage

    def next_epoch(epoch, logs):
        batches.epoch = epoch + 1

    next_batches = keras.callbacks.LambdaCallback(on_epoch_end=next_epoch)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            model.fit(
                batches,
                validation_data=held,
                epochs=epochs,
                initial_epoch=batches.epoch,
                shuffle=False,
                verbose="auto" if sys.stderr.isatty() else 2,
                callbacks=[ValidateAverage(), *followers, next_batches, state],
            )
    except KeyboardInterrupt:
        how = "with --resume goes on" if state.path.exists() else "starts afresh"
        raise KeyboardInterrupt(
            f"stopped in epoch {batches.epoch + 1} of {epochs}: what there is lies in "
            f"{state.path.parent}; the same command {how}"
        ) from None


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = get_args(argv)
    from face_database import FaceDatabase

    folder = Path(__file__).resolve().parent / args.output_path
    name = f"{args.depth}_{args.width}"
    state_path = folder / f"state_{name}.npz"
    resume = unfinished(state_path, args.resume)
    database = FaceDatabase(args.input)
    training, validation, network = prepare(args, database)
    folder.mkdir(parents=True, exist_ok=True)

    with quiet_start():
        import keras
    import callbacks
    import engine

    found = callbacks.read_state(state_path) if resume else None
    batches, held = batches_of(args, database, training, validation)
    args.engine = engine.choose(
        found[0]["settings"].get("engine", "xla") if found else args.engine,
        f"{network}, {args.batch_size} faces",
        lambda jit_compile: compiled(args, network, len(batches), jit_compile),
        batches,
    )
    keras.utils.set_random_seed(args.seed)
    model = compiled(args, network, len(batches), engine.WAYS[args.engine])
    say(
        f"{model.count_params():,} parameters, {len(training)} pictures for training, "
        f"{len(validation)} for validation"
    )
    watch = callbacks.Watch()
    history = callbacks.History(folder / f"history_{name}.h5")
    kept = callbacks.Checkpoints(folder, describe(args, argv, database))
    settings = {k: str(v) for k, v in vars(args).items() if k not in PLACES}
    settings["pictures"] = len(training)
    state = callbacks.State(state_path, settings, kept, history, watch)
    if found:
        batches.epoch = state.restore(model, *found)
        say(f"going on after epoch {batches.epoch} of {args.nb_epochs}")
    fit(model, batches, held, args.nb_epochs, [watch, history, kept], state)
    state_path.unlink()
    print(f"history {os.path.relpath(history.path)}")


if __name__ == "__main__":
    import engine

    engine.keep_memory()
    run(main)
