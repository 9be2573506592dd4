"""Mean absolute error on APPA-REAL, against apparent ages (the mean of guesses) and real ages.

python3 evaluate_appa_real.py --weight_file checkpoints/weights.28-3.73.hdf5
"""

from age_gender.start import run

import csv
import dataclasses
from pathlib import Path

from age_gender import memory
from age_gender.command_line import Parser, UserError, log, number_between, option, some
from age_gender.files import atomic_write, refuse_existing, write_csv

PARTS = ("train", "valid", "test")


def get_args(argv=None):
    parser = Parser(description="Measure the age error of weights on APPA-REAL.")
    parser.add_argument(
        "--weight_file",
        help="weight file, or the name of published weights; by default the weights that ship",
    )
    whole = number_between(1, 1000, int)
    parser.add_argument(
        "--depth", type=whole, help="of the network; by default as in the weight file"
    )
    parser.add_argument(
        "--width", type=whole, help="of the network; by default as in the weight file"
    )
    parser.add_argument(
        "--dataset_root",
        type=Path,
        default="appa-real/appa-real-release",
        help="the data set's folder",
    )
    parser.add_argument("--split", choices=PARTS, default="valid", help="part of the data set")
    parser.add_argument("--output_dir", type=Path, help="folder for a table of all estimates")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier table there")
    memory.add_option(parser)
    args = parser.parse_args(argv)
    if args.overwrite and not args.output_dir:
        parser.error("--overwrite needs --output_dir")
    return args


def write_table(path, header, rows):
    """Write a table as CSV."""
    with atomic_write(path) as partial, write_csv(partial) as file:
        csv.writer(file).writerows([header, *rows])


def estimated(names, ages, rows, estimates):
    """Yield the rows of the table of estimates."""
    for row, age, male in zip(rows, estimates.ages, estimates.males):
        yield names[row], ages["apparent"][row], ages["real"][row], f"{age:.2f}", f"{male:.3f}"


def main(argv=None):
    args = get_args(argv)
    memory.apply_option(args)
    name = f"appa_real_{args.split}.csv"
    if args.output_dir:
        with option("--output_dir"):
            refuse_existing(args.output_dir, [name], args.overwrite)
    import numpy as np

    from age_gender import weights
    from age_gender.data.appa_real import APPA_REAL, read_faces, read_table
    from age_gender.data.labelled import cut_of, warn_of_cut
    from age_gender.estimator import Estimator

    path, description, _ = weights.load(args.weight_file, args.depth, args.width)
    root, size, resize = args.dataset_root, description.image_size, description.resize
    with option("--dataset_root"):
        names, ages = read_table(root, args.split)
    crop, margin = APPA_REAL.crop, APPA_REAL.margin
    cut = cut_of(dataclasses.replace(description, crop=crop, margin=margin))
    warn_of_cut(root, cut, description)
    rows, faces, skipped = [], [], []
    for row, face, problem in read_faces(root, names, size, resize):
        if problem:
            skipped.append((names[row], problem))
        else:
            rows.append(row)
            faces.append(face)
    if not faces:
        raise UserError(f"{root} holds none of the pictures that its table names")
    if skipped:
        log(f"pictures that are missing or unreadable: {some([name for name, _ in skipped])}")
    estimates = Estimator(path, runtime="keras")(np.stack(faces))
    if args.output_dir:
        args.output_dir.mkdir(parents=True, exist_ok=True)
        table = args.output_dir / name
        header = ["file", "apparent age", "real age", "estimated age", "male"]
        write_table(table, header, estimated(names, ages, rows, estimates))
        if skipped:
            write_table(table.with_stem(f"{table.stem}_skipped"), ["file", "reason"], skipped)
    print(f"{len(rows)} of {len(names)} pictures")
    for label in ("apparent", "real"):
        error = np.abs(estimates.ages - ages[label][rows]).mean()
        print(f"MAE {label.capitalize()}: {error}")


if __name__ == "__main__":
    run(main, keep_memory=True)
