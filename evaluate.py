"""Say how good weights are, for whom, and how sure.

    python3 evaluate.py --input data/utkface.mat
    python3 evaluate.py --input UTKFace --weight_file a.hdf5 b.hdf5 --output_dir report

Where the pictures are those that the weights were trained on, only their validation part is taken.
"""

import dataclasses
import json
import tempfile
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

PARTS = ("training", "validation", "test")
SHOWN, WORST = 32, 20  # faces on the sheets


def get_args(argv=None):
    parser = Parser(
        description="Measure the errors of weights on labelled faces.",
    )
    parser.add_argument(
        "--input",
        "-i",
        type=Path,
        required=True,
        help="database (.mat), folder of UTKFace's chips, or APPA-REAL's folder",
    )
    parser.add_argument(
        "--weight_file",
        nargs="+",
        help="one or several, compared on the same pictures; by default the weights that ship",
    )
    parser.add_argument(
        "--part",
        choices=("auto", "all", *PARTS),
        default="auto",
        help="of the split that the weights name; auto is validation where they were trained on "
        "such pictures, else all",
    )
    parser.add_argument("--output_dir", type=Path, help="folder for tables and pictures")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.add_argument(
        "--level",
        type=number_between(0.01, 0.999),
        default=0.9,
        help="share of labels that the age intervals shall hold",
    )
    parser.add_argument(
        "--keep_interval",
        action="store_true",
        help="write the factor of the intervals, found on these pictures, into the weight files",
    )
    parser.add_argument(
        "--age_label", choices=("apparent", "real"), default="apparent", help="of APPA-REAL"
    )
    parser.add_argument(
        "--suspects",
        type=number_between(1, 10**6, int),
        metavar="N",
        help="instead, list the N pictures whose labels are least likely, judged by the weights "
        "of all folds (train.py --fold)",
    )
    args = parser.parse_args(argv)
    if args.suspects and not args.output_dir:
        parser.error("--suspects needs --output_dir for its list and its sheet of faces")
    return args


def open_pictures(path, description, made_in, age_label):
    """The database of the pictures; `UserError` where the weights cannot take its faces."""
    from age_gender.data.database import FaceDatabase
    from age_gender.data.labelled import cut_of, database_of, warn_of_cut

    if path.is_dir():
        size, resize = description.image_size, description.resize
        database = database_of(path, made_in, size, resize, age_label)
    else:
        database = FaceDatabase(path)
    if database.img_size != description.image_size:
        raise UserError(
            f"{path} holds faces of {database.img_size} px, but the weights take "
            f"{description.image_size}: make it with --img_size {description.image_size}, or give "
            "the folder of the pictures"
        )
    warn_of_cut(path, cut_of(database), description)
    return database


def rows_of(part, database, description):
    """Rows of the part that is asked for, and its name.

    Raises `UserError` where the weights do not say how they were split.
    """
    import numpy as np

    from age_gender.data.labelled import dataset_of

    name = dataset_of(database.db).name
    if part == "auto":
        part = "validation" if name in description.data.split(", ") else "all"
        if part == "validation" and description.split_seed is None:
            part = "all"
            log("warning: the weights may have been trained on some of these pictures")
    if part == "all":
        return np.arange(len(database)), part
    if description.split_seed is None:
        raise UserError(f"--part {part}: the weights do not say how they were split")
    rows = description.split_of(database)[PARTS.index(part)]
    if not len(rows):
        raise UserError(f"--part {part}: it holds no picture in the split of these weights")
    return rows, part


def estimate(estimator, database, rows):
    """`Estimates` of some rows of a database, read as they are needed."""
    import numpy as np

    from age_gender.estimates import Estimates
    from age_gender.estimator import BATCH_SIZES

    step = BATCH_SIZES[-1]
    starts = range(0, len(rows), step)
    found = []
    for start in progress(starts, len(starts), "batches"):
        faces = np.stack([database.images[row] for row in rows[start : start + step]])
        found.append(estimator(faces))
    return Estimates(
        *(
            np.concatenate([getattr(each, field.name) for each in found])
            for field in dataclasses.fields(Estimates)
        )
    )


def write_report(folder, database, rows, ages, genders, estimates, found):
    """Write tables, diagrams and sheets of faces of one weight file into a folder."""
    import numpy as np

    from age_gender.evaluation import report as report

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("bands", "bands by gender", "races"):
        if found[name]:
            report.write_table(folder / f"{name.replace(' ', '_')}.csv", found[name])
    report.draw_predicted(folder / "predicted.png", ages, estimates)
    report.draw_bands(folder / "bands.png", found["bands"])
    report.draw_reliability(
        folder / "reliability.png", found["gender reliability"], found["age reliability"]
    )
    worst = np.argsort(-abs(estimates.ages - ages))[:WORST]
    some = np.random.default_rng(0).permutation(len(rows))[:SHOWN]
    for name, chosen in (("worst.png", worst), ("random.png", some)):
        faces = [database.images[row] for row in rows[chosen]]
        report.sheet(folder / name, faces, ages[chosen], genders[chosen], estimates.of(chosen))


def suspects(args, paths, descriptions, database):
    """List the pictures whose labels are least likely."""
    with quiet_start():
        from age_gender.estimator import Estimator
        from age_gender.evaluation import suspects as label_noise

    estimates = label_noise.cross_fitted(
        descriptions,
        database,
        lambda number, rows: estimate(Estimator(paths[number]), database, rows),
    )
    args.output_dir.mkdir(parents=True, exist_ok=True)
    rows = label_noise.write(args.output_dir, database, estimates, args.suspects)
    print(
        f"{len(rows)} of {len(database)} pictures: suspects.csv, suspects.png in {args.output_dir}"
    )


def main(argv=None):
    args = get_args(argv)
    from age_gender import weights

    paths = [weights.find(each) for each in args.weight_file or [None]]
    first = weights.read(paths[0])[0]
    with tempfile.TemporaryDirectory() as made:
        database = open_pictures(args.input, first, args.output_dir or Path(made), args.age_label)
        if args.suspects:
            suspects(args, paths, [weights.read(path)[0] for path in paths], database)
            return
        rows, part = rows_of(args.part, database, first)
        ages, genders = database.ages[rows], database.genders[rows]
        from age_gender.data.labelled import races_of

        races = races_of(database)
        groups = [races[row] for row in rows]
        with quiet_start():
            from age_gender.estimator import Estimator
            from age_gender.evaluation import figures as evaluation
        results, estimates = [], []
        for path in paths:
            estimator = Estimator(path)
            if estimator.image_size != first.image_size:
                raise UserError(
                    f"{path} takes other faces than {paths[0]}: compare them one by one"
                )
            said = estimator.description
            estimates.append(estimate(estimator, database, rows))
            results.append(
                evaluation.assess(
                    ages,
                    genders,
                    groups,
                    estimates[-1],
                    args.level,
                    said.interval_factor if said.interval_level == args.level else None,
                )
            )
            if args.keep_interval:
                factor = results[-1]["interval"]["factor of these pictures"]
                if factor is None:
                    raise UserError(
                        f"--keep_interval: {len(rows)} pictures are too few for intervals that "
                        f"hold {args.level:g} of the labels"
                    )
                weights.keep_interval(path, args.level, factor)
            if args.output_dir:
                several = len(paths) > 1
                folder = args.output_dir / path.stem if several else args.output_dir
                write_report(folder, database, rows, ages, genders, estimates[-1], results[-1])
        changes = [evaluation.difference(ages, estimates[0], other) for other in estimates[1:]]
    show(args, paths, len(rows), part, results, changes)


def show(args, paths, count, part, results, changes):
    """Print what was found, as lines or as JSON; the last lines are the first file's figures."""
    from age_gender.evaluation import report as evaluation_report

    said = {
        "input": str(args.input),
        "part": part,
        "pictures": count,
        "weights": [{"file": str(path), **found} for path, found in zip(paths, results)],
        "differences of age MAE to the first": changes,
    }
    text = json.dumps(said, default=dataclasses.asdict, indent=1)
    if args.output_dir:
        (args.output_dir / "report.json").write_text(text + "\n")
    for path, found in zip(paths, results):
        for alarm in found["alarms"]:
            log(f"WARNING, {path.name}: {alarm}")
    if args.json:
        print(text)
        return
    print(f"{count} pictures, {part}")
    for path, found in zip(paths, results):
        print(f"{path.name}:")
        for line in evaluation_report.lines_of(found):
            print(f"  {line}")
    for path, change in zip(paths[1:], changes):
        print(f"{path.name} minus {paths[0].name}: age MAE {change} years")
    figures = results[0]["figures"]
    print(f"MAE Age: {figures['age MAE'].value:.2f}")
    if "gender accuracy" in figures:
        print(f"Gender accuracy: {figures['gender accuracy'].value:.2f}")


if __name__ == "__main__":
    run(main, keep_memory=True)
