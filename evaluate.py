"""Measure the errors of weights on labelled faces, with confidence intervals.

    python3 evaluate.py --input data/utkface.mat
    python3 evaluate.py --input UTKFace --weight_file a.hdf5 b.hdf5 --output_dir report
    python3 evaluate.py --input photographs --labels labels.csv

Of a data set that the weights were trained on, only the validation part is used.
"""

from age_gender.start import run

import shutil
import tempfile
from pathlib import Path

from age_gender import memory
from age_gender.command_line import Parser, UserError, log, number_between, option
from age_gender.files import atomic_write, refuse_existing


def get_args(argv=None):
    parser = Parser(
        description="Measure the errors of weights on labelled faces.",
        trains=lambda args: args.output_dir,
    )
    parser.add_argument(
        "--input",
        "-i",
        type=Path,
        required=True,
        help="database (.mat), folder of UTKFace's chips, APPA-REAL's folder, or with --labels any "
        "folder of pictures",
    )
    labels = parser.add_argument_group("any pictures")
    labels.add_argument(
        "--labels",
        type=Path,
        metavar="TABLE",
        help="table (CSV) of the pictures in --input, with a row for each: file, age in years or a "
        "range, and if known gender and race",
    )
    labels.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        help="names of these two to four columns in the table, in this order (default: file age "
        "gender race)",
    )
    labels.add_argument(
        "--cropped", action="store_true", help="every picture is a face already: run no detector"
    )
    parser.add_argument(
        "--weight_file",
        nargs="+",
        help="one or several, compared on the same pictures; by default the weights that ship",
    )
    parser.add_argument(
        "--part",
        choices=("auto", "all", "training", "validation", "test"),
        default="auto",
        help="part of the split that the weight file records; auto is validation if the weights "
        "were trained on the same data set, else all",
    )
    parser.add_argument("--output_dir", type=Path, help="folder for tables and pictures")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier report there")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.add_argument(
        "--level",
        type=number_between(0.01, 0.999),
        default=0.9,
        help="share of the labels that the age intervals are to cover",
    )
    parser.add_argument(
        "--keep_interval",
        action="store_true",
        help="write the intervals' factor, computed from these pictures, into the weight files",
    )
    parser.add_argument(
        "--age_label",
        choices=("apparent", "real"),
        default="apparent",
        help="which age of APPA-REAL",
    )
    parser.add_argument(
        "--suspects",
        type=number_between(1, 10**6, int),
        metavar="N",
        help="list the N pictures whose labels are least likely instead, judged by the weights "
        "of all folds (train.py --fold)",
    )
    memory.add_option(parser)
    args = parser.parse_args(argv)
    if not args.labels and (args.columns or args.cropped):
        parser.error("--columns and --cropped need --labels")
    if args.columns and not 2 <= len(args.columns) <= 4:
        parser.error("--columns takes two to four names: of the files, ages, genders and races")
    if args.labels and args.suspects:
        parser.error("--suspects needs weights of all folds of a data set, not --labels")
    if args.suspects and not args.output_dir:
        parser.error("--suspects needs --output_dir for its list and its sheet of faces")
    if args.overwrite and not args.output_dir:
        parser.error("--overwrite needs --output_dir")
    return args


def check(args, paths):
    """The weight files' descriptions, if nothing speaks against evaluating them; else `UserError`.

    It comes before the pictures are read, which takes a while.
    """
    from age_gender import weights
    from age_gender.evaluation import pictures, report, suspects

    with option("--weight_file"):
        descriptions = [weights.read(path)[0] for path in paths]
        pictures.check_sizes(paths, descriptions)
    if args.suspects:
        with option("--suspects"):
            suspects.check_folds(descriptions)
    else:
        with option("--part"):
            pictures.check_part(args.part, descriptions[0])
    if args.output_dir:
        with option("--output_dir"):
            names = suspects.FILES if args.suspects else report.FILES
            for folder in {args.output_dir, *report.folders(args.output_dir, paths)}:
                refuse_existing(folder, names, args.overwrite)
    return descriptions


def main(argv=None):
    args = get_args(argv)
    memory.apply_option(args)
    from age_gender import weights
    from age_gender.evaluation.pictures import open_labelled, open_pictures

    with option("--weight_file"):
        paths = [weights.find(name) for name in args.weight_file or [None]]
    descriptions = check(args, paths)
    # Windows removes no open file, and the database in it stays open until the end.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        made_in, races = Path(temporary), None
        if args.labels:
            if not args.input.is_dir():
                raise UserError(f"--input: {args.input} is not a folder, which --labels needs")
            source = args.input, args.labels, args.columns
            with option("--labels"):
                database, races = open_labelled(*source, descriptions, made_in, args.cropped)
        else:
            with option("--input"):
                database = open_pictures(args.input, descriptions, made_in, args.age_label)
        evaluate(args, paths, descriptions, database, races)
        if args.output_dir:
            for table in Path(temporary).glob("*.csv"):
                with atomic_write(args.output_dir / table.name) as partial:
                    shutil.copyfile(table, partial)


def evaluate(args, paths, descriptions, database, races=None):
    """Evaluate weight files on a `FaceDatabase`, or look for suspects in it; print and write."""
    from age_gender.evaluation import report, suspects
    from age_gender.evaluation.assessment import Evaluation, assess_file, keep_intervals
    from age_gender.evaluation.pictures import select

    if args.suspects:
        count = suspects.write(args.output_dir, paths, descriptions, database, args.suspects)
        print(
            f"{count} of {len(database)} pictures: {', '.join(suspects.FILES)} in {args.output_dir}"
        )
        return
    with option("--part"):
        pictures = select(database, args.part, descriptions[0], races)
    results = [assess_file(path, pictures, args.level) for path in paths]
    if args.keep_interval:
        with option("--keep_interval"):
            keep_intervals(paths, [assessment for _, assessment in results])
    evaluation = Evaluation.of(args.input, pictures, results)
    if args.output_dir:
        for folder, result in zip(report.folders(args.output_dir, paths), results):
            report.write(folder, pictures, *result)
        with atomic_write(args.output_dir / "report.json") as partial:
            partial.write_text(evaluation.json() + "\n")
    for assessment in evaluation.weights:
        for alarm in assessment.alarms:
            log(f"WARNING, {Path(assessment.file).name}: {alarm}")
    print(evaluation.json() if args.json else "\n".join(report.lines(evaluation)))


if __name__ == "__main__":
    run(main, keep_memory=True)
