"""The accuracy lost to detection and cutting: validation chips as they are, and found again.

    python3 benchmarks/evaluation/whole_path.py --input data/utkface.mat --image_dir UTKFace

Each chip of the weights' own validation set is put on a larger grey canvas, detected, cut as the
weights were trained and estimated; the chip itself is estimated as well. Both errors are over the
same faces, those that were detected.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender import processes  # noqa: E402
from age_gender.command_line import Parser, progress, run  # noqa: E402
from benchmarks import validation_part  # noqa: E402

BORDER = 100  # pixels of canvas on each side of a chip of 200 pixels


def get_args(argv=None):
    parser = Parser(description=__doc__.splitlines()[0])
    validation_part.add_options(parser)
    parser.add_argument("--margin", type=float, help="cut boxes with this margin instead")
    return parser.parse_args(argv)


class Again:
    """Puts a chip on a canvas, finds it and cuts it: runs in another process."""

    estimator = None  # made once in each process

    def __init__(self, recipe):
        self.recipe = recipe

    def __call__(self, path):
        import cv2

        from age_gender.face_estimator import FaceEstimator
        from age_gender.faces import whole

        if Again.estimator is None:
            Again.estimator = FaceEstimator(recipe=self.recipe)
        chip = cv2.imread(str(path))
        canvas = cv2.copyMakeBorder(chip, *[BORDER] * 4, cv2.BORDER_CONSTANT, value=(128, 128, 128))
        middle_y, middle_x = canvas.shape[0] / 2, canvas.shape[1] / 2

        def distance(face):
            x, y = face.left + face.width / 2, face.top + face.height / 2
            return abs(x - middle_x) + abs(y - middle_y)

        cut, finder = self.recipe.cut, self.estimator.finder
        found = sorted(finder.find(canvas), key=distance)[:1]
        resized = whole(chip, cut.size, cut.resize)
        return len(found), resized, cut.faces(finder, canvas, found)


def main(argv=None):
    args = get_args(argv)
    import numpy as np

    from age_gender.face_estimator import Recipe

    estimator, paths, ages, males = validation_part.load(args)
    again = Again(Recipe.of(args.weight_file, args.margin))
    whole, cut, found = [], [], []
    with processes.pool() as pool:
        outcomes = processes.in_order(pool, again, paths, 32)
        for outcome in progress(outcomes, len(paths), "chips"):
            count, chip, cuts = outcome.value
            found.append(count == 1)
            whole.append(chip)
            cut.extend(cuts)
    found = np.array(found)

    def line(what, estimates, chosen):
        mae = abs(estimates.ages - ages[chosen]).mean()
        right = ((estimates.males >= 0.5) == males[chosen]).mean()
        print(f"{what}: MAE {mae:.2f} years, gender {100 * right:.1f} percent")
        return mae

    everything = np.ones(len(paths), bool)
    line(f"all {len(paths)} chips as they are", estimator(np.stack(whole)), everything)
    print(f"found again: {found.sum()} of {len(paths)}, {100 * found.mean():.1f} percent")
    before = line("chips as they are, those found", estimator(np.stack(whole)[found]), found)
    after = line("found, cut and estimated, the same", estimator(np.stack(cut)), found)
    print(f"difference in MAE: {after - before:+.2f} years")


if __name__ == "__main__":
    run(main)
