"""The face crops of IMDB-WIKI become a face database.

    ./download.sh wiki
    python3 create_db.py --output data/wiki_db.mat --db wiki --img_size 64

The data: Rothe, Timofte and Van Gool, "DEX", 2015. Its crops have a margin of 0.4 of the detected
face's sides, and are taken whole.
"""

import dataclasses
from pathlib import Path
from typing import Any

from age_gender.command_line import Parser, UserError, number_between, run
from age_gender.data import report as database_report
from age_gender.weights import MARGIN

FIELDS = ("dob", "photo_taken", "full_path", "gender", "face_score", "second_face_score")


def get_args(argv=None):
    parser = Parser(
        description="Make a face database of IMDB-WIKI's face crops.",
    )
    parser.add_argument("--db", choices=("wiki", "imdb"), default="wiki", help="dataset")
    parser.add_argument(
        "--input", "-i", type=Path, help="folder of the crops (default: data/wiki_crop for wiki)"
    )
    parser.add_argument(
        "--min_score",
        type=number_between(-1000, 1000),
        default=1.0,
        help="least score of the face: its detector's, 1 to 7 where it is sure",
    )
    database_report.add_options(parser, img_size=32)
    args = parser.parse_args(argv)
    if args.input is None:
        args.input = Path("data", f"{args.db}_crop")
    return args


@dataclasses.dataclass
class Rows:
    """N rows of a meta file."""

    names: list  # N file names
    ages: Any  # (N,) int, years; impossible ones too
    genders: Any  # (N,) as in `genders`, NaN where unknown
    scores: Any  # (N,) of the face; -inf where the crop is the whole picture
    second_scores: Any  # (N,) of a second face; NaN where there is none


def read_meta(path, db):
    """Read a meta file of IMDB-WIKI as `Rows`. Raises `UserError` where it is not one."""
    import numpy as np
    import scipy.io

    if not path.is_file():
        raise UserError(f"{path} is not a file: fetch it with ./download.sh {db}, or give --input")
    wrong = f"{path} is not the meta file of {db}: fetch it again with ./download.sh {db}"
    try:
        table = scipy.io.loadmat(path, variable_names=[db])[db][0, 0]
        fields = {name: table[name].reshape(-1) for name in FIELDS}
        names = [str(name[0]) for name in fields["full_path"]]
        born = np.maximum(fields["dob"].astype(int) - 366, 1)
        ages = ages_of(fields["photo_taken"].astype(int), born)
        numbers = (fields[name].astype(float) for name in FIELDS[3:])
    except OSError:
        raise
    except Exception as error:  # SciPy lets out whatever it stumbles over
        raise UserError(wrong) from error
    rows = Rows(names, ages, *numbers)
    if len({len(column) for column in vars(rows).values()}) > 1:
        raise UserError(wrong)
    return rows


def ages_of(taken, born):
    """Ages in the middle of the year in which pictures were taken.

    Args:
        taken: (N,) int, years.
        born: (N,) int, days of birth; day 1 is 1 January of the year 1.
    """
    import numpy as np

    days = np.datetime64("0001-01-01") + (born - 1)
    years = days.astype("datetime64[Y]")
    first_half = days.astype("datetime64[M]") - years.astype("datetime64[M]") < np.timedelta64(6)
    return taken - (years.astype(int) + 1970) - ~first_half


def select(rows, min_score):
    """The rows whose label can be trusted, by the original's rules.

    Returns:
        ((N,) bool, list of (rule, number of rows that it drops of those which the rules before
        it have left)).
    """
    import numpy as np

    rules = (
        (f"face score below {min_score}", rows.scores < min_score),
        ("a second face", rows.second_scores > 0),
        ("age not in 0 to 100", (rows.ages < 0) | (rows.ages > 100)),
        ("no gender", np.isnan(rows.genders)),
    )
    kept = np.ones(len(rows.names), bool)
    dropped = []
    for name, bad in rules:
        dropped.append((name, int((kept & bad).sum())))
        kept &= ~bad
    return kept, dropped


def main(argv=None):
    args = get_args(argv)
    database_report.refuse_existing(args.output, args.overwrite)
    rows = read_meta(args.input / f"{args.db}.mat", args.db)
    import numpy as np

    from age_gender import faces
    from age_gender.data import builder as database_builder

    kept, dropped = select(rows, args.min_score)
    print(f"rows {len(kept)}")
    for rule, count in dropped:
        print(f"dropped, {rule} {count}")
    print(f"kept {kept.sum()}", flush=True)
    if not kept.any():
        raise UserError(f"--min_score {args.min_score} leaves no row: give a lower one")
    names = [name for name, keep in zip(rows.names, kept) if keep]
    labels = rows.ages[kept], rows.genders[kept].astype(np.uint8)
    pictures = database_builder.Pictures(args.input, names, *labels)
    built = database_builder.build(
        args.output,
        pictures,
        lambda image: faces.whole(image, args.img_size, args.resize),
        {"img_size": args.img_size, "db": args.db, "min_score": args.min_score}
        | {"crop": "margin", "margin": MARGIN, "resize": args.resize},
        args.drop_conflicts,
    )
    database_report.report(args.output, pictures, built, args.plot)


if __name__ == "__main__":
    run(main)
