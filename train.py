"""Train the network on labelled faces.

    python3 train.py --input data/imdb_db.mat

Writes checkpoints/weights.NN-L.LL.hdf5 each time the validation loss falls, and the history
checkpoints/history_DEPTH_WIDTH.h5, which plot_history.py draws.
"""

import contextlib
import dataclasses
import os
import shlex
import sys

from age_gender import autotune, installation
from age_gender.command_line import UserError, log, option, quiet_start, run
from age_gender.training import devices
from age_gender.training.options import PRESET, get_args, network_of
from wide_resnet import two_heads, with_embeddings

# what changes nothing that is learned, and may be another when a run is gone on with
PLACES = (
    "input",
    "descriptors",
    "output_path",
    "resume",
    "workers",
    "tensorboard",
    "devices",
    "hosts",
    "host_number",
)


def describe(args, argv, faces, network):
    """Metadata for the weight files, without the validation figures."""
    import keras

    from age_gender.weights import Description

    return Description(
        network,
        crop=faces.crop,
        margin=faces.margin,
        resize=faces.resize,
        data=faces.data,
        terms=faces.terms,
        split_seed=args.split_seed,
        validation_split=args.validation_split,
        test_split=args.test_split,
        fold="{}/{}".format(*args.fold) if args.fold else None,
        training=shlex.join(["train.py", *map(_without_folder, argv)]),
        engine=f"Keras {keras.version()}, {keras.backend.backend()}, {args.engine}",
        precision=args.precision,
    )


def _without_folder(argument):
    return os.path.basename(argument.rstrip("/")) if os.path.isabs(argument) else argument


def prepare(args, faces):
    """The rows for training and for validation, and the network (not built yet).

    Raises `UserError` where there are too few faces, or they do not fit the network.
    """
    training, validation, _ = faces.split(
        args.validation_split, args.test_split, args.split_seed, args.fold
    )
    names = " ".join(map(str, args.input))
    if len(training) < args.batch_size or not len(validation):
        raise UserError(
            f"{names} gives {len(training)} pictures for training and {len(validation)} for "
            f"validation: too few for --batch_size {args.batch_size}"
        )
    try:
        network = network_of(args, faces.img_size)
    except ValueError as error:
        raise UserError(f"{names} does not fit the network: {error}") from error
    return training, validation, network


def batches_of(args, faces, training, validation, place):
    """Batches of the two parts: the one shuffled and changed at random, the other as it is.

    Several devices get equal shares: up to as many pictures, less one, are not validated.
    Descriptors are learnt from, but not validated: the validation loss is that of the labels.
    """
    import numpy as np

    from age_gender.training import embeddings as descriptors
    from age_gender.training.augmentation import Augmentation
    from generator import FaceBatches

    described = unknown = None
    if args.descriptors:
        described = descriptors.standardised(args.descriptors, faces.digests())
        unknown = np.broadcast_to(np.float32(0), described.shape)
    fields = Augmentation.__dataclass_fields__
    chosen = (PRESET if args.aug else {}) | {k: v for k, v in vars(args).items() if k in fields}
    batches = FaceBatches(
        faces,
        training,
        args.batch_size,
        training=True,
        augmentation=Augmentation(**chosen),
        smoothing=args.label_smoothing_years,
        embeddings=described,
        seed=args.seed,
        workers=args.workers,
        share=place.share,
    )
    held = validation[: place.whole(len(validation))]
    return batches, FaceBatches(
        faces, held, place.whole(256), share=place.share, embeddings=unknown
    )


def compiled(args, network, epoch_steps, way):
    """A new model of the network with its optimizer, losses and the figures that people read.

    Args:
        args: the options.
        network: `WideResNet`.
        epoch_steps: steps in an epoch.
        way: `autotune.Way`.
    """
    import keras

    from age_gender.training.callbacks import LearningRate
    from age_gender.training.embeddings import LENGTH
    from age_gender.training.losses import AgeError, AgeLoss, DescriptorLoss, GenderAccuracy

    rate = LearningRate(args.lr, args.nb_epochs, epoch_steps, args.schedule, args.warmup)
    average = {"use_ema": True, "ema_momentum": args.ema} if args.ema else {}
    if args.opt == "adam":
        optimizer = keras.optimizers.Adam(rate, **average)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **average)
    model = network.in_precision(way.precision, synchronized=devices.mirrored())
    losses = ["categorical_crossentropy", AgeLoss(args.age_error)]
    metrics = [[GenderAccuracy()], ["accuracy", AgeError()]]
    if args.descriptors:
        model = with_embeddings(model, LENGTH)
        losses.append(DescriptorLoss(args.descriptor_weight))
        metrics.append([])
    model.compile(
        optimizer,
        loss=losses,
        metrics=metrics,
        jit_compile=way.engine == "xla",
        steps_per_execution=way.steps_per_execution,
    )
    return model


def choose_way(args, network, batches, found, place):
    """Set the options on speed to what they come to; a resumed run keeps those that it had.

    On several devices nothing is timed: hosts might come to differ.
    """
    if place.count > 1:
        way = autotune.Way(
            place.engine(args.engine),
            args.precision.replace("auto", "float32"),
            args.steps_per_execution or 1,
        )
    elif found:
        had = found[0]["settings"]
        way = autotune.Way(had["engine"], had["precision"], int(had["steps_per_execution"]))
    else:
        way = autotune.choose(
            args.engine,
            args.precision,
            network,
            args.batch_size,
            lambda way: compiled(args, network, len(batches), way),
            batches,
        )
        if args.steps_per_execution:
            way = dataclasses.replace(way, steps_per_execution=args.steps_per_execution)
    for name, value in vars(way).items():
        setattr(args, name, value)
    return way


def unfinished(path, resume):
    """Whether to go on with the run whose state is at ``path``; `UserError` where it is unclear."""
    if path is None:
        return resume
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

    from age_gender.training.callbacks import ValidateAverage

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
        where = f"stopped in epoch {batches.epoch + 1} of {epochs}"
        if state.path is None:
            raise KeyboardInterrupt(where) from None
        how = "with --resume goes on" if state.path.exists() else "starts afresh"
        raise KeyboardInterrupt(
            f"{where}: what there is lies in {state.path.parent}; the same command {how}"
        ) from None


@devices.exit_together
def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = get_args(argv)
    from age_gender import weights
    from age_gender.data import appa_real
    from age_gender.data.labelled import open_faces

    folder = installation.folder() / args.output_path
    name = f"{args.depth}_{args.width}"
    first = not args.host_number  # the host that writes the files
    state_path = folder / f"state_{name}.npz" if first else None
    resume = unfinished(state_path, args.resume)
    start = weights.read(weights.find(args.weight_file)) if args.weight_file else None
    with option("--ignore_list"):
        ignored = appa_real.read_names(args.ignore_list) if args.ignore_list else ()
    faces = open_faces(args.input, folder, args.img_size, args.age_label, ignored)
    training, validation, network = prepare(args, faces)
    folder.mkdir(parents=True, exist_ok=True)

    place = devices.join(args.devices, args.hosts, args.host_number, args.batch_size)
    with quiet_start():
        import keras
    from age_gender.training import callbacks

    content = state_path.read_bytes() if resume and first else b""
    content = devices.broadcast(content, place)
    found = callbacks.read_state(state_path, content) if resume else None
    batches, held = batches_of(args, faces, training, validation, place)
    way = choose_way(args, network, batches, found, place)
    with quiet_start():  # on JAX, this alone would import TensorFlow
        keras.utils.set_random_seed(args.seed)
    model = compiled(args, network, len(batches), way)
    log(
        f"{model.count_params():,} parameters, {len(training)} pictures for training, "
        f"{len(validation)} for validation"
    )
    if start:
        log(weights.load_into(two_heads(model), *start, network))
    watch = callbacks.Watch(begun=start is not None)
    history = callbacks.History(folder / f"history_{name}.h5" if first else None)
    kept = callbacks.Checkpoints(folder if first else None, describe(args, argv, faces, network))
    settings = {k: str(v) for k, v in vars(args).items() if k not in PLACES}
    settings["pictures"] = len(training)
    devices.agree(settings, place)
    record = callbacks.Record(folder / f"run_{name}.json", settings, argv, args.batch_size)
    state = callbacks.State(state_path, settings, kept, history, watch)
    if found:
        batches.epoch = state.restore(model, *found)
        log(f"going on after epoch {batches.epoch} of {args.nb_epochs}")
    logs = [callbacks.tensorboard(folder / f"logs_{name}")] if args.tensorboard else []
    followers = [watch, history, kept, *([record, *logs] if first else [])]
    fit(model, batches, held, args.nb_epochs, followers, state)
    devices.agree_on_weights(model, place)
    if not first:
        return
    state_path.unlink()
    log(record.summary())
    print(f"history {os.path.relpath(history.path)}")


if __name__ == "__main__":
    run(main, keep_memory=True)
