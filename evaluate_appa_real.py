"""Mean absolute error on APPA-REAL, against the ages that people guess and the real ones.

python3 evaluate_appa_real.py --weight_file checkpoints/weights.28-3.73.hdf5
"""

import csv
import dataclasses
from pathlib import Path

from age_gender.command_line import (
    Parser,
    UserError,
    log,
    number_between,
    progress,
    quiet_start,
    run,
)
from age_gender.files import atomic_write, write_csv

PARTS = ("train", "valid", "test")


def get_args(argv=None):
    parser = Parser(
        description="Measure the age error of weights on APPA-REAL.",
    )
    parser.add_argument(
        "--weight_file", help="a file, or the name of a published one; the weights that ship if not"
    )
    whole = number_between(1, 1000, int)
    parser.add_argument("--depth", type=whole, help="of the network; what the file says if not")
    parser.add_argument("--width", type=whole, help="of the network; what the file says if not")
    parser.add_argument(
        "--dataset_root",
        type=Path,
        default="appa-real/appa-real-release",
        help="the dataset's folder",
    )
    parser.add_argument("--split", choices=PARTS, default="valid", help="part of the dataset")
    parser.add_argument("--output_dir", type=Path, help="folder for a table of all estimates")
    return parser.parse_args(argv)


def read_faces(root, names, size, resize):
    """Read the pictures that are there and whole.

    Yields (number of the row, face (size, size, 3) uint8 BGR); says how many are missing.
    """
    from age_gender import faces
    from age_gender.frames import UnreadablePicture, read_picture

    missing = []
    for row in progress(range(len(names)), len(names), "pictures"):
        try:
            yield row, faces.whole(read_picture(root / names[row]), size, resize)
        except UnreadablePicture:
            missing.append(names[row])
    if missing:
        log(f"{len(missing)} pictures are missing or unreadable, the first is {missing[0]}")


def write_table(path, names, ages, rows, estimates):
    """Write what was said of each picture as CSV."""
    with (
        atomic_write(path) as partial,
        write_csv(partial) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["file", "apparent age", "real age", "estimated age", "male"])
        for row, age, male in zip(rows, estimates.ages, estimates.males):
            labels = [ages[label][row] for label in ("apparent", "real")]
            writer.writerow([names[row], *labels, f"{age:.2f}", f"{male:.3f}"])


def main(argv=None):
    args = get_args(argv)
    from age_gender import weights
    from age_gender.data.appa_real import APPA_REAL, read_table
    from age_gender.data.labelled import cut_of, warn_of_cut

    path, description, _ = weights.load(args.weight_file, args.depth, args.width)
    names, ages = read_table(args.dataset_root, args.split)
    crop, margin = APPA_REAL.crop, APPA_REAL.margin
    cut = cut_of(dataclasses.replace(description, crop=crop, margin=margin))
    warn_of_cut(args.dataset_root, cut, description)
    import numpy as np

    read = list(read_faces(args.dataset_root, names, description.image_size, description.resize))
    if not read:
        raise UserError(f"{args.dataset_root} holds none of the pictures that its table names")
    rows = [row for row, _ in read]
    with quiet_start():
        from age_gender.estimator import Estimator
    estimates = Estimator(path)(np.stack([face for _, face in read]))
    if args.output_dir:
        args.output_dir.mkdir(parents=True, exist_ok=True)
        write_table(args.output_dir / f"appa_real_{args.split}.csv", names, ages, rows, estimates)
    print(f"{len(rows)} of {len(names)} pictures")
    for label in ("apparent", "real"):
        error = np.abs(estimates.ages - ages[label][rows]).mean()
        print(f"MAE {label.capitalize()}: {error}")


if __name__ == "__main__":
    run(main, keep_memory=True)
