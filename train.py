"""Train the network on labelled faces.

    python3 train.py --input data/imdb_db.mat

Writes checkpoints/weights.NN-L.LL.hdf5 each time the validation loss falls, and the history
checkpoints/history_DEPTH_WIDTH.h5, which plot_history.py draws.
"""

from age_gender.start import run

import contextlib
import sys

from age_gender import installation, memory
from age_gender.command_line import UserError, log, option, quiet_start
from age_gender.files import shown
from age_gender.genders import UNKNOWN
from age_gender.training import devices
from age_gender.training.options import PRESET, get_args, network_of
from wide_resnet import two_heads

# These options do not change what is learned, so that a resumed run may have others.
NOT_COMPARED = (
    "input",
    "embeddings",
    "teacher",  # its numbers are compared
    "teacher_weight",
    "teacher_cache",
    "output_path",
    "overwrite",
    "resume",
    "workers",
    "tensorboard",
    "devices",
    "hosts",
    "host_number",
)


def prepare(args, faces, teachers):
    """The rows for training and for validation, and the `WideResNet`.

    Raises `UserError` if there are too few faces, or they do not fit the network or a teacher.
    """
    from age_gender.data.labelled import check_teacher  # it loads OpenCV, and --help needs none

    training, validation, test = faces.split(
        args.validation_split, args.test_split, args.split_seed, args.fold
    )
    names = " ".join(map(str, args.input))
    if len(training) < args.batch_size or not len(validation):
        raise UserError(
            f"{names} gives {len(training)} pictures for training and {len(validation)} for "
            f"validation: too few for --batch_size {args.batch_size}"
        )
    try:
        network = network_of(args, args.img_size or faces.img_size)
    except ValueError as error:
        raise UserError(f"{names} does not fit the network: {error}") from error
    if network.image_size > faces.img_size:
        raise UserError(
            f"--img_size: {names} has faces of {faces.img_size} px, smaller than "
            f"{network.image_size}: make a larger database"
        )
    for name, (description, _) in zip(args.teacher, teachers):
        with option("--teacher"):
            check_teacher(name, description, faces, names, [*validation, *test])
    return training, validation, network


def batches_of(args, faces, training, validation, group, on_device):
    """Batches of the two parts: the one shuffled and augmented, the other as it is.

    Several devices get equal shares: up to as many pictures, less one, are not validated.
    Embeddings are learnt but not validated: the validation loss is that of the labels.
    """
    # here, because the generator imports Keras, which has to wait for `devices.join`
    import numpy as np

    from age_gender.training.augmentation import Augmentation
    from age_gender.training.embeddings import standardised
    from generator import FaceBatches

    embeddings = unknown = None
    if args.embeddings:
        with option("--embeddings"):
            embeddings = standardised(args.embeddings, faces.digests())
        unknown = np.broadcast_to(np.float32(0), embeddings.shape)
    fields = Augmentation.__dataclass_fields__
    changes = (PRESET if args.aug else {}) | {k: v for k, v in vars(args).items() if k in fields}
    batches = FaceBatches(
        faces,
        training,
        args.batch_size,
        training=True,
        augmentation=Augmentation(**changes),
        smoothing=args.label_smoothing_years,
        balance=args.balance_ages,
        embeddings=embeddings,
        seed=args.seed,
        on_device=on_device,
        workers=args.workers,
        share=group.share,
    )
    validated = validation[: group.whole(len(validation))]
    return batches, FaceBatches(
        faces, validated, group.whole(256), share=group.share, embeddings=unknown
    )


@devices.exit_together
def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = get_args(argv)
    memory.apply_option(args)
    from age_gender.training.folder import held

    folder = installation.folder() / args.output_path
    first = not args.host_number  # the host that writes the files
    with held(folder) if first else contextlib.nullcontext():
        train(args, argv, folder, first)


def train(args, argv, folder, first):
    """Train as the options say.

    Args:
        args, argv: the options, and as they were given.
        folder: for the files.
        first: this is the host that writes them.
    """
    from age_gender import weights
    from age_gender.data import appa_real
    from age_gender.data.labelled import cut_of, open_faces, warn_of_cut
    from age_gender.training.folder import clear, is_resumed

    name = f"{args.depth}_{args.width}"
    state_path = folder / f"state_{name}.npz" if first else None
    resumed = args.resume
    if first:
        resumed = is_resumed(folder, state_path, args.resume, args.overwrite)
    with option("--weight_file"):
        start = weights.read(weights.find(args.weight_file)) if args.weight_file else None
    with option("--ignore_list"):
        ignored = appa_real.read_names(args.ignore_list) if args.ignore_list else ()
    with option("--teacher"):
        teachers = [weights.read(weights.find(name)) for name in args.teacher]
    with option("--input"):
        size = max([args.img_size or 0, *(each.image_size for each, _ in teachers)])
        kept = memory.for_faces()
        faces = open_faces(args.input, folder, size, args.age_label, ignored, kept)
    training, validation, network = prepare(args, faces, teachers)

    with option("--hosts" if args.hosts else "--devices"):
        group = devices.join(args.devices, args.hosts, args.host_number, args.batch_size)
    with quiet_start():  # Keras computes on the devices that it is imported after
        import keras
    from age_gender.training import callbacks, compilation, teacher
    from age_gender.training.fitting import choose_way, compiled, fit, place
    from age_gender.training.record import Record, best_weights, describe
    from age_gender.training.state import State, read_state

    compilation.keep()
    content = state_path.read_bytes() if resumed and first else b""
    content = devices.broadcast(content, group)
    saved = read_state(state_path, content) if resumed else None
    before = saved and saved[0]["settings"]
    on_device = place(args.augment_on, before) == "device"
    batches, validation_batches = batches_of(args, faces, training, validation, group, on_device)
    asked = () if args.teacher_cache else teachers  # in every step
    way = choose_way(args, network, batches, before, group, asked)
    if args.teacher_cache:
        with option("--teacher_cache"):
            heads = teacher.cached(
                args.teacher_cache, teachers, faces, training, way, args.batch_size, group
            )
        batches.answers = teacher.Answers(heads, training, args.teacher_weight)
    with quiet_start():  # on JAX, this alone would import TensorFlow
        keras.utils.set_random_seed(args.seed)
    model = compiled(args, network, len(batches), way, faces.img_size, asked)
    log(
        f"{model.count_params():,} parameters, {len(training)} pictures for training, "
        f"{len(validation)} for validation"
    )
    if start:
        warn_of_cut(" ".join(map(str, args.input)), cut_of(faces), start[0])
        with option("--weight_file"):
            log(weights.load_into(two_heads(model), *start, network))
    options = vars(args) | vars(way)
    settings = {key: str(value) for key, value in options.items() if key not in NOT_COMPARED}
    settings["pictures"] = len(training)
    settings["digest of pictures and labels"] = faces.digest()
    if teachers:
        settings |= teacher.settings(args, teachers)
    devices.agree(settings, group)
    description = describe(args, argv, faces, network, way, [each for each, _ in teachers])
    watch = callbacks.Watch(begun=start is not None)
    history = callbacks.History(folder / f"history_{name}.h5" if first else None)
    checkpoints = callbacks.Checkpoints(folder if first else None, description)
    record = Record(folder / f"run_{name}.json", settings, argv, args.batch_size)
    state = State(state_path, settings, checkpoints, history, watch)
    if saved:
        with option("--resume"):
            batches.epoch = state.restore(model, *saved)
        log(f"resuming after epoch {batches.epoch} of {args.nb_epochs}")
    elif first and args.overwrite:
        clear(folder, kept=map(weights.find, [args.weight_file, *args.teacher]))
    others = [watch, history, checkpoints, *([record] if first else [])]
    if first and args.tensorboard:
        with option("--tensorboard"):
            others.append(callbacks.tensorboard(folder / f"logs_{name}"))
    with option("--lr"):
        fit(model, batches, validation_batches, args.nb_epochs, others, state)
    devices.agree_on_weights(model, group)
    if not first:
        return
    state_path.unlink()
    log(record.summary())
    if checkpoints.path:
        known = faces.genders[validation] != UNKNOWN
        print(best_weights(checkpoints.path, with_gender=known.any()))
    print(f"history {shown(history.path)}")


if __name__ == "__main__":
    run(main, keep_memory=True)
