"""The face crops of IMDB-WIKI become a face database.

./download.sh wiki
python3 create_db.py --output data/wiki_db.mat --db wiki --img_size 64
"""

from age_gender.start import run

import functools
from pathlib import Path

from age_gender import memory
from age_gender.command_line import Parser, UserError, number_between, option
from age_gender.data.options import add_options, refuse_existing


def get_args(argv=None):
    parser = Parser(
        description="Make a face database of IMDB-WIKI's face crops.",
        trains=lambda args: args.plot,
    )
    parser.add_argument("--db", choices=("wiki", "imdb"), default="wiki", help="data set")
    parser.add_argument(
        "--input", "-i", type=Path, help="folder of the crops (default: data/wiki_crop for wiki)"
    )
    parser.add_argument(
        "--min_score",
        type=number_between(-1000, 1000),
        default=1.0,
        help="lowest face score: the detector's, 1 to 7 for clear faces",
    )
    add_options(parser, img_size=32)
    args = parser.parse_args(argv)
    if args.input is None:
        args.input = Path("data", f"{args.db}_crop")
    return args


def main(argv=None):
    args = get_args(argv)
    memory.apply_option(args)
    refuse_existing(args.output, args.overwrite)
    import numpy as np

    from age_gender.data import builder, report
    from age_gender.data.dataset import Pictures
    from age_gender.data.imdb_wiki import read_meta, select
    from age_gender.data.labelled import dataset_of
    from age_gender.faces import whole

    with option("--input"):
        rows = read_meta(args.input / f"{args.db}.mat", args.db)
    kept, dropped = select(rows, args.min_score)
    print(f"rows {len(kept)}")
    for rule, count in dropped:
        print(f"dropped, {rule} {count}")
    print(f"kept {kept.sum()}", flush=True)
    if not kept.any():
        raise UserError(f"--min_score {args.min_score} leaves no row: give a lower one")
    names = [name for name, keep in zip(rows.names, kept) if keep]
    pictures = Pictures(args.input, names, rows.ages[kept], rows.genders[kept].astype(np.uint8))
    dataset = dataset_of(args.db)
    settings = {"img_size": args.img_size, "db": args.db, "min_score": args.min_score}
    settings |= {"crop": dataset.crop, "margin": dataset.margin, "resize": args.resize}
    cut = functools.partial(whole, size=args.img_size, resize=args.resize)
    built = builder.build(args.output, pictures, cut, settings, args.drop_conflicts)
    report.report(args.output, pictures, built, args.plot)


if __name__ == "__main__":
    run(main)
