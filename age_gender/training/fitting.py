"""The compiled model, the configuration of its steps, and its training."""

import contextlib
import dataclasses
import sys

import keras

from age_gender import autotune, interrupts
from age_gender.command_line import option
from age_gender.training import devices
from age_gender.training.callbacks import Callbacks, ValidateAverage
from age_gender.training.embeddings import LENGTH
from age_gender.training.losses import AgeError, AgeLoss, EmbeddingLoss, GenderAccuracy
from age_gender.training.on_device import Augmenting
from age_gender.training.schedule import LearningRate
from age_gender.training.teacher import Student, Teachers, of_larger
from wide_resnet import with_embeddings


def compiled(args, network, epoch_steps, way, size=None, teachers=()):
    """A new model of the network with optimizer, losses and metrics.

    Args:
        args: the options of train.py.
        network: `WideResNet`.
        epoch_steps: steps in an epoch.
        way: `autotune.Way`.
        size: side of the pictures in pixels, where it is larger than the network's.
        teachers: list of what `weights.read` returned, whose answers to each batch are learnt.
    """
    rate = LearningRate(args.lr, args.nb_epochs, epoch_steps, args.schedule, args.warmup)
    average = {"use_ema": True, "ema_momentum": args.ema} if args.ema else {}
    if args.opt == "adam":
        optimizer = keras.optimizers.Adam(rate, **average)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **average)
    model = network.in_precision(way.precision, synchronized=devices.mirrored())
    if args.heads_only:
        for layer in model.layers:  # those of normalisation use their averages then
            layer.trainable = isinstance(layer, keras.layers.Dense)
    losses = ["categorical_crossentropy", AgeLoss(args.age_error)]
    metrics = [[GenderAccuracy()], ["accuracy", AgeError()]]
    if args.embeddings:
        model = with_embeddings(model, LENGTH)
        losses.append(EmbeddingLoss(args.embedding_weight))
        metrics.append([])
    if size not in (None, network.image_size):
        model = of_larger(model, size)
    if teachers:
        model = Student(model, Teachers(teachers, way.precision), args.teacher_weight)
    elif way.augment_on == "device":
        model = Augmenting(model)
    model.compile(
        optimizer,
        loss=losses,
        metrics=metrics,
        jit_compile=way.engine == "xla",
        steps_per_execution=way.steps_per_execution,
    )
    if way.augment_on == "device":
        model.build_losses()
    return model


def place(requested, settings):
    """Where pictures are augmented, "device" or "host".

    Args:
        requested: one of these, or "auto" for the device where it is an accelerator.
        settings: those of the run that is resumed, whose place is kept; None for a new run.
    """
    if settings:
        return settings["augment_on"]
    if requested == "auto":
        return "device" if autotune.accelerators() else "host"
    return requested


def choose_way(args, network, batches, settings, group, teachers=()):
    """The `autotune.Way` of the training steps.

    On several devices nothing is timed, because hosts could choose differently. Pictures are
    augmented where the batches say so.

    Args:
        args: the options of train.py.
        network: `WideResNet`.
        batches: `generator.FaceBatches` for training.
        settings: those of the run that is resumed, whose way is kept; None for a new run.
        group: `devices.Devices`.
        teachers: as in `compiled`.
    """
    where = "device" if batches.on_device else "host"
    if group.count > 1:
        with option("--engine"):
            engine = group.engine(args.engine)
        precision = args.precision.replace("auto", "float32")
        return autotune.Way(engine, precision, args.steps_per_execution or 1, where)
    if settings:
        steps = int(settings["steps_per_execution"])
        return autotune.Way(settings["engine"], settings["precision"], steps, where)

    def model_of(way):
        way = dataclasses.replace(way, augment_on=where)
        return compiled(args, network, len(batches), way, batches.database.img_size, teachers)

    way = autotune.choose(
        args.engine,
        args.precision,
        network,
        args.batch_size,
        model_of,
        batches,
        tuple(description.network for description, _ in teachers),
    )
    steps = args.steps_per_execution or way.steps_per_execution
    return dataclasses.replace(way, steps_per_execution=steps, augment_on=where)


def fit(model, batches, validation, epochs, others, state):
    """Train from epoch ``batches.epoch`` on.

    Args:
        model: what `compiled` returned.
        batches, validation: `generator.FaceBatches` of the two parts.
        epochs: of the whole run.
        others: callbacks; after them the ``state``, a `State`, is written at an epoch's end.

    The line after Ctrl-C says what was kept.
    """

    def next_epoch(epoch, logs):
        batches.epoch = epoch + 1

    def reason():
        stopped = f"stopped in epoch {batches.epoch + 1} of {epochs}"
        if state.path is None:
            return stopped
        how = "with --resume resumes" if state.path.exists() else "starts afresh"
        return f"{stopped}: files so far are in {state.path.parent}; the same command {how}"

    next_batches = keras.callbacks.LambdaCallback(on_epoch_end=next_epoch)
    verbose = "auto" if sys.stderr.isatty() else 2
    callbacks = Callbacks(
        [ValidateAverage(), *others, next_batches, state],
        add_progbar=True,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=len(batches),
    )
    with interrupts.explained(reason), contextlib.redirect_stdout(sys.stderr):
        model.fit(
            batches,
            validation_data=validation,
            epochs=epochs,
            initial_epoch=batches.epoch,
            shuffle=False,
            verbose=verbose,
            callbacks=callbacks,
        )
