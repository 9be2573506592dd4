"""How long a face takes, and what evaluating costs beyond the network's own forward passes.

    python3 benchmarks/evaluation/evaluation_speed.py --input data/utkface.mat

In turn, a few times over: one face through the compiled network; the first 2,000 faces of the
database in memory, 64 at a time, through the same network; and the same faces as evaluate.py
estimates them, read from the database.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.command_line import Parser, number_between, quiet_start, run  # noqa: E402

FACES, BATCH, SINGLE = 2000, 64, 50


def get_args(argv=None):
    parser = Parser(description="Time of a face, and of an evaluation beside its forward passes.")
    parser.add_argument("--input", "-i", type=Path, required=True, help="database of faces")
    parser.add_argument("--weight_file", help="weights (default: those that ship)")
    parser.add_argument("--rounds", type=number_between(1, 99, int), default=5, help="rounds")
    return parser.parse_args(argv)


def main(argv=None):
    args = get_args(argv)
    with quiet_start():
        import numpy as np

        from age_gender.data.database import FaceDatabase
        from age_gender.estimator import Estimator
        from age_gender.evaluation.pictures import estimate

        estimator = Estimator(args.weight_file)
    database = FaceDatabase(args.input)
    rows = np.arange(min(FACES, len(database)))
    faces = np.stack([database.images[row] for row in rows])

    def single():
        for face in faces[:SINGLE]:
            estimator(face[None])

    def passes():
        for start in range(0, len(faces), BATCH):
            estimator(faces[start : start + BATCH])

    def evaluation():
        estimate(estimator, database, rows)

    ways = {"one face": single, "forward passes": passes, "evaluation": evaluation}
    taken = {name: [] for name in ways}
    for round_ in range(args.rounds + 1):  # the first compiles, and is not counted
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if round_:
                taken[name].append(time.perf_counter() - start)
    middle = {name: float(np.median(times)) for name, times in taken.items()}
    ratio = float(np.median(np.divide(taken["evaluation"], taken["forward passes"])))
    print(f"one face: {1000 * middle['one face'] / min(SINGLE, len(faces)):.1f} ms")
    print(
        f"{len(faces)} faces: forward passes {middle['forward passes']:.2f} s, evaluation "
        f"{middle['evaluation']:.2f} s, {ratio:.2f} times as long (medians of {args.rounds})"
    )


if __name__ == "__main__":
    run(main)
