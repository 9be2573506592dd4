"""The options of train.py."""

import argparse
import re
from pathlib import Path

from age_gender import memory
from age_gender.command_line import Parser, number_between
from wide_resnet import DEPTH, POOLS, WIDTH, WideResNet

PRESET = {"shift": 0.1, "flip": True, "erase": 0.5, "mixup": 0.2}  # --aug
OLD_NAMES = {"--embeddings": "--descriptors", "--embedding_weight": "--descriptor_weight"}


def _fold(text):
    """(K, N) of a text like "2/5"."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]) <= 100 or int(match[2]) < 2:
        raise argparse.ArgumentTypeError(f"must be like 2/5, received {text!r}")
    return int(match[1]), int(match[2])


def network_of(args, image_size):
    """The `WideResNet` of the options; raises ValueError if there is no such network."""
    return WideResNet(image_size, args.depth, args.width, args.stem, args.pool)


def get_args(argv=None):
    parser = Parser(
        description="Train the age and gender network on labelled faces.",
        trains=lambda args: True,
    )
    parser.add_argument(
        "--input",
        "-i",
        type=Path,
        nargs="+",
        required=True,
        help="one or several: databases (.mat), folders of UTKFace's chips, APPA-REAL's folder",
    )
    parser.add_argument(
        "--output_path",
        type=Path,
        default="checkpoints",
        help="folder for weights and history, relative to this script (installed: to this folder)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier training in that folder"
    )
    parser.add_argument(
        "--weight_file", help="weights to start from, as far as they fit, instead of random numbers"
    )
    folders = parser.add_argument_group("folders of pictures")
    folders.add_argument(
        "--age_label",
        choices=("apparent", "real"),
        default="apparent",
        help="which age of APPA-REAL",
    )
    folders.add_argument(
        "--ignore_list", type=Path, help="file with the names of APPA-REAL's pictures to leave out"
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
    network.add_argument("--pool", choices=POOLS, default="local", help="pooling before the heads")
    network.add_argument(
        "--img_size",
        type=number_between(8, 1024, int),
        help="side of the faces in pixels, at most that of the databases, which it is by default; "
        "without one, that of the largest teacher, else 64",
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
        help="learning rate: a fifth after each quarter of the epochs, or a cosine to zero",
    )
    training.add_argument(
        "--warmup",
        type=number_between(0, inf),
        default=1.0,
        help="epochs over which the learning rate rises from zero; the original has 0",
    )
    training.add_argument(
        "--label_smoothing_years",
        type=number_between(0, 50),
        default=0.0,
        help="standard deviation of Gaussian age targets; 0 for one-hot",
    )
    training.add_argument(
        "--age_error",
        type=number_between(0, 100),
        default=0.0,
        help="weight of the expected age's absolute error, in years, in the loss",
    )
    for name, kind, default, text in (
        ("embeddings", Path, None, "file of age_gender.training.embeddings, to learn from too"),
        ("embedding_weight", number_between(0, 1000), 1.0, "weight of the embeddings in the loss"),
    ):
        training.add_argument(f"--{name}", type=kind, default=default, help=text)
        training.add_argument(
            OLD_NAMES[f"--{name}"],
            dest=name,
            type=kind,
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )
    training.add_argument(
        "--teacher",
        nargs="+",
        default=[],
        metavar="FILE",
        help="weights of other networks, whose answers to the very same batch are learnt too",
    )
    training.add_argument(
        "--teacher_weight",
        type=number_between(0, 1),
        default=0.7,
        help="share of the teachers' answers in what is learnt; the rest are the labels",
    )
    training.add_argument(
        "--teacher_cache",
        type=Path,
        metavar="FILE",
        help="ask the teachers once for each picture and its mirror image, instead of for each "
        "batch, and keep their answers in this file (.npz): for processors",
    )
    training.add_argument(
        "--heads_only",
        action="store_true",
        help="train the two last layers alone, on the features of --weight_file",
    )
    training.add_argument(
        "--balance_ages",
        type=number_between(0, 1),
        default=0.0,
        metavar="POWER",
        help="draw faces of rare ages more often: by the inverse number of those of their decade "
        "to this power; 0 for all alike",
    )
    training.add_argument(
        "--ema",
        type=number_between(0, 0.99999),
        default=0.0,
        help="momentum of a running average of the weights, say 0.999, which is validated and kept",
    )
    training.add_argument(
        "--resume", action="store_true", help="resume the run that was stopped in this folder"
    )
    training.add_argument(
        "--seed", type=number_between(0, 2**31, int), default=0, help="random seed"
    )
    training.add_argument("--tensorboard", action="store_true", help="also write TensorBoard logs")
    speed = parser.add_argument_group("speed (auto: timed on this machine once, then cached)")
    speed.add_argument(
        "--engine",
        choices=("auto", "xla", "plain"),
        default="auto",
        help="compile the steps with XLA, or use TensorFlow's own kernels",
    )
    speed.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="of the activations; auto uses bfloat16 only where it is clearly faster",
    )
    speed.add_argument(
        "--steps_per_execution",
        type=number_between(1, 10000, int),
        help="steps in one call of the graph; by default those of about a fifth of a second",
    )
    speed.add_argument(
        "--workers", type=number_between(1, 64, int), default=1, help="threads that prepare batches"
    )
    speed.add_argument(
        "--augment_on",
        choices=("auto", "device", "host"),
        default="auto",
        help="augment pictures within the steps, on the device, or on the processor beside it; "
        "auto: on the device where it is an accelerator",
    )
    several = parser.add_argument_group("several devices")
    several.add_argument(
        "--devices",
        type=lambda text: text if text == "all" else number_between(1, 1024, int)(text),
        default=1,
        help="number of GPUs of each machine that share every batch, or all; without a GPU, parts "
        "of the processor",
    )
    several.add_argument(
        "--hosts",
        type=lambda text: tuple(text.split(",")),
        default=(),
        help="machines that share every batch, the same list on each: host1:port,host2:port; "
        "needs JAX. The first writes the files",
    )
    several.add_argument(
        "--host_number",
        type=number_between(0, 1023, int),
        help="which of --hosts this machine is, from 0",
    )
    part = parser.add_argument_group("split (it depends on the pictures and the seed alone)")
    for name, default, text in (
        ("validation_split", 0.1, "share of the pictures for validation"),
        ("test_split", 0.0, "share of the pictures kept for a later test"),
    ):
        part.add_argument(f"--{name}", type=number_between(0, 0.9), default=default, help=text)
    part.add_argument(
        "--split_seed", type=number_between(0, 2**31, int), default=0, help="seed of the split"
    )
    part.add_argument(
        "--fold",
        type=_fold,
        metavar="K/N",
        help="validate on the K-th of N parts and train on the others, for evaluate.py --suspects",
    )
    change = parser.add_argument_group("augmentation")
    change.add_argument(
        "--aug",
        action="store_true",
        help="shift 0.1, flip, erase 0.5 and mixup 0.2, unless the options below override them",
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
    memory.add_option(parser)
    args = parser.parse_args(argv)
    if (args.depth - 4) % 6:
        parser.error(f"argument --depth: must be 10, 16, 22, 28, ... (6 n + 4): {args.depth}")
    if args.validation_split + args.test_split >= 1:
        parser.error("--validation_split and --test_split leave no picture for training")
    if args.validation_split == 0:
        parser.error("argument --validation_split: must be above 0")
    if args.heads_only and (not args.weight_file or args.embeddings):
        parser.error("argument --heads_only: needs --weight_file, and no --embeddings")
    if args.teacher_cache and not args.teacher:
        parser.error("argument --teacher_cache: needs --teacher, whose answers it keeps")
    if args.hosts and not all(re.fullmatch(r".+:\d+", host) for host in args.hosts):
        parser.error("argument --hosts: must be host1:port,host2:port")
    if args.host_number not in (range(len(args.hosts)) if args.hosts else (None,)):
        parser.error("argument --host_number: must be the position in --hosts, from 0")
    return args
