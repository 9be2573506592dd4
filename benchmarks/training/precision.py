"""Whether training in bfloat16 learns as well: short runs in both precisions, with several seeds.

    python3 benchmarks/training/precision.py --input data/utkface.mat

The engine is XLA, which computes with bfloat16's rounding on every processor, if slowly on some.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.autotune import PRECISIONS
from age_gender.command_line import Parser, UserError, number_between, progress, run

ROOT = Path(__file__).resolve().parents[2]


def get_args(argv=None):
    parser = Parser(description="Compare validation errors after training in both precisions.")
    whole = number_between(1, 1000, int)
    parser.add_argument("--input", "-i", type=Path, required=True, help="database (.mat)")
    parser.add_argument("--seeds", type=number_between(2, 100, int), default=3)
    parser.add_argument("--nb_epochs", type=whole, default=6)
    parser.add_argument("--depth", type=whole, default=10)
    parser.add_argument("--width", type=whole, default=1)
    return parser.parse_args(argv)


def trained(args, precision, seed, folder):
    """Validation MAE in years, and gender accuracy in percent, after a short run."""
    import pandas

    command = [sys.executable, ROOT / "train.py", "--input", args.input.resolve()]
    command += ["--output_path", folder, "--precision", precision, "--seed", seed]
    command += ["--depth", args.depth, "--width", args.width, "--nb_epochs", args.nb_epochs]
    command += ["--engine", "xla", "--stem", 2, "--pool", "global", "--batch_size", 64]
    command += ["--schedule", "cosine", "--label_smoothing_years", 2, "--flip", "--shift", 0.06]
    command += ["--test_split", 0.1]
    done = subprocess.run([str(each) for each in command], capture_output=True, encoding="utf-8")
    if done.returncode:
        raise UserError(done.stderr.strip().splitlines()[-1])
    history = pandas.read_csv(folder / f"history_{args.depth}_{args.width}.csv")
    last = history.iloc[-1]
    return last["val_pred_age_mae"], 100 * last["val_pred_gender_accuracy"]


def main(argv=None):
    args = get_args(argv)
    if not args.input.is_file():
        raise UserError(f"--input {args.input} is not a file: give a database")
    runs = [(seed, precision) for seed in range(args.seeds) for precision in PRECISIONS]
    found = {precision: [] for precision in PRECISIONS}
    with tempfile.TemporaryDirectory() as folder:
        for seed, precision in progress(runs, len(runs), "runs"):
            place = Path(folder, f"{precision}_{seed}")
            found[precision].append(trained(args, precision, seed, place))
            age, gender = found[precision][-1]
            print(f"{precision}, seed {seed}: {age:.3f} years, {gender:.2f} percent", flush=True)
    ages = {precision: [age for age, _ in each] for precision, each in found.items()}
    spread = max(ages["float32"]) - min(ages["float32"])
    difference = statistics.mean(ages["bfloat16"]) - statistics.mean(ages["float32"])
    verdict = "within" if abs(difference) <= spread else "beyond"
    print(
        f"mean of bfloat16 minus mean of float32: {difference:+.3f} years, {verdict} the spread of "
        f"float32 over its seeds, {spread:.3f}"
    )


if __name__ == "__main__":
    run(main)
