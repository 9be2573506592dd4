"""The validation pictures of weights, for the benchmarks of weights."""

from pathlib import Path

from age_gender.command_line import UserError


def add_options(parser):
    parser.add_argument("--input", "-i", type=Path, required=True, help="database of the chips")
    parser.add_argument("--image_dir", type=Path, required=True, help="folder of the same chips")
    parser.add_argument("--weight_file", help="weights (default: those that ship)")


def load(args):
    """Open what the options name.

    Returns:
        An `Estimator`, and of the N pictures the paths, the ages (N,) and which are male (N,) bool.

    Raises `UserError` if they do not belong together.
    """
    from age_gender.data.database import FaceDatabase
    from age_gender.estimator import Estimator
    from age_gender.genders import MALE

    database = FaceDatabase(args.input)
    names = database.sources()
    if not all((args.image_dir / name).is_file() for name in names):
        raise UserError(f"--image_dir {args.image_dir} does not hold the pictures of {args.input}")
    estimator = Estimator(args.weight_file)
    description = estimator.description
    if description.split_seed is None:
        raise UserError(f"{estimator.path} does not record which pictures it was validated on")
    _, rows, _ = description.split_of(database)
    paths = [args.image_dir / names[row] for row in rows]
    return estimator, paths, database.ages[rows], database.genders[rows] == MALE
