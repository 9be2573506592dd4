"""What the settings of --detail find, how often they are wrong, and their time.

    python3 benchmarks/detection.py --image_dir UTKFace

It puts UTKFace's chips, of known size, on noise, colour gradients and photographs without people,
never those of the shipped weights' test part. "one view" is a search without settings: a view
of 2,560 pixels, small pictures enlarged twice, in colour. Times are of the processor.
"""

import dataclasses
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from age_gender.command_line import Parser, run  # noqa: E402

BOX = 0.9  # side of the detector's box, in sides of a chip
FOUND = 0.25  # intersection over union with the true box of one that is found, at least
YOUNGEST = 5  # years
TURNS = (0, 45, 90, 180, 270)
FACELESS = (  # skimage's pictures without people
    *("coffee", "chelsea", "rocket", "brick", "grass", "gravel", "motorcycle_left", "page"),
    *("hubble_deep_field", "ihc", "retina", "coins", "text", "horse", "logo", "clock_motion"),
    *("cell", "chessboard_RGB", "moon"),
)


def get_args(argv=None):
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--image_dir", type=Path, required=True, help="folder of UTKFace's chips")
    parser.add_argument("--count", type=int, default=12, help="pictures of each kind (default: 12)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    return parser.parse_args(argv)


@dataclasses.dataclass
class Kind:
    """Pictures of one kind: what they are called, and what draws one of them, (image, boxes)."""

    name: str
    draw: object
    edges: tuple = (0,)


def chips_of(folder):
    """The chips' paths, without the test part of the shipped weights."""
    from age_gender import weights
    from age_gender.data.labelled import database_of

    description, _ = weights.read(weights.find())
    with tempfile.TemporaryDirectory() as made_in:
        database = database_of(folder, Path(made_in), 16, resumable=False)
        names, ages = database.sources(), database.ages
        training, validation, _ = description.split_of(database)
    rows = sorted({*training, *validation})
    return [folder / names[row] for row in rows if ages[row] >= YOUNGEST]


class Scenes:
    """Draws pictures; every one from random numbers of its own."""

    def __init__(self, chips, photographs):
        self._chips = chips
        self._photographs = photographs

    def background(self, width, height, rng):
        """(height, width, 3) uint8 BGR: noise of all scales, a gradient, or a photograph."""
        import cv2
        import numpy as np

        kind = rng.integers(3)
        if kind == 0:
            noise = np.zeros((height, width, 3), np.float32)
            for k in range(7):
                layer = rng.random((height >> k, width >> k, 3), np.float32)
                noise += 2**k * cv2.resize(layer, (width, height))
            return cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
        if kind == 1:
            corners = rng.integers(0, 256, (2, 2, 3)).astype(np.float32)
            noise = 4 * rng.standard_normal((height, width, 3), np.float32)
            return np.clip(cv2.resize(corners, (width, height)) + noise, 0, 255).astype(np.uint8)
        photograph = self._photographs[rng.integers(len(self._photographs))]
        factor = max(width / photograph.shape[1], height / photograph.shape[0])
        size = [
            max(round(side * factor), least)
            for side, least in zip(photograph.shape[1::-1], (width, height))
        ]
        return cv2.resize(photograph, size, interpolation=cv2.INTER_CUBIC)[:height, :width].copy()

    def crowd(self, width, height, sizes, rng):
        """Faces of these widths at random places: (image, list of (left, top, width))."""
        import cv2

        image = self.background(width, height, rng)
        taken = []
        for size in sizes:
            side = round(size / BOX)
            for _ in range(100):
                x, y = (int(rng.integers(most - side + 1)) for most in (width, height))
                if all(
                    x + side <= a or a + s <= x or y + side <= b or b + s <= y for a, b, s in taken
                ):
                    break
            else:
                continue
            chip = cv2.imread(str(self._chips[rng.integers(len(self._chips))]))
            filtered = cv2.INTER_AREA if side < len(chip) else cv2.INTER_CUBIC
            image[y : y + side, x : x + side] = cv2.resize(
                chip, (side, side), interpolation=filtered
            )
            taken.append((x, y, side))
        edge = (1 - BOX) / 2
        return image, [(x + edge * s, y + edge * s, BOX * s) for x, y, s in taken]

    def turned(self, degrees, rng):
        """A face of a third to two thirds of 640 x 480, turned in its picture."""
        import cv2

        image = self.background(640, 480, rng)
        chip = cv2.imread(str(self._chips[rng.integers(len(self._chips))]))
        factor = rng.uniform(160, 300) / BOX / len(chip)
        x, y = rng.uniform(200, 440), rng.uniform(200, 280)
        matrix = cv2.getRotationMatrix2D(((len(chip) - 1) / 2,) * 2, -degrees, factor)
        matrix[:, 2] += (x - len(chip) / 2, y - len(chip) / 2)
        cv2.warpAffine(chip, matrix, (640, 480), dst=image, borderMode=cv2.BORDER_TRANSPARENT)
        side = BOX * factor * len(chip)
        return image, [(x - side / 2, y - side / 2, side)]

    def jumble(self, rng):
        """Chips cut into pieces that lie in disorder: skin and hair, but no face."""
        import cv2
        import numpy as np

        rows = []
        for _ in range(12):
            chips = [cv2.imread(str(self._chips[rng.integers(len(self._chips))])) for _ in range(3)]
            pieces = [
                chip[y : y + 40, x : x + 40]
                for chip in chips
                for y in range(0, 200, 40)
                for x in range(0, 200, 40)
            ]
            rows.append(np.hstack([pieces[k] for k in rng.permutation(len(pieces))[:16]]))
        return np.vstack(rows), []


def kinds(scenes):
    """The list of `Kind`."""
    import numpy as np

    def crowd(width, height, least, most, faces):
        def draw(rng):
            sizes = np.exp(rng.uniform(np.log(least), np.log(most), faces))
            return scenes.crowd(width, height, sorted(sizes, reverse=True), rng)

        return draw

    def beside(width, height, large, least, most, faces):
        return lambda rng: scenes.crowd(
            width, height, [large, *rng.uniform(least, most, faces)], rng
        )

    return [
        Kind("one face of 150 to 250 px, 640 x 480", crowd(640, 480, 150, 250, 1)),
        Kind("640 x 480", crowd(640, 480, 30, 160, 7), (30, 40, 60, 80)),
        Kind("1280 x 720", crowd(1280, 720, 30, 200, 12), (30, 40, 60, 80)),
        Kind("1920 x 1080", crowd(1920, 1080, 30, 250, 15), (30, 40, 50, 60, 80, 120)),
        Kind("4000 x 3000", crowd(4000, 3000, 40, 500, 25), (40, 50, 60, 80, 100, 125, 200)),
        Kind(
            "small beside one of 200 px, 640 x 480", beside(640, 480, 200, 40, 80, 3), (40, 60, 100)
        ),
        Kind("faces of 50 to 90 px alone, 4000 x 3000", crowd(4000, 3000, 50, 90, 8)),
        *(
            Kind(f"turned by {turn}, 640 x 480", lambda rng, turn=turn: scenes.turned(turn, rng))
            for turn in TURNS
        ),
        Kind(
            "none, noise and photographs, 640 x 480",
            lambda rng: (scenes.background(640, 480, rng), []),
        ),
        Kind(
            "none, noise and photographs, 4000 x 3000",
            lambda rng: (scenes.background(4000, 3000, rng), []),
        ),
        Kind("none, pieces of faces, 640 x 480", lambda rng: scenes.jumble(rng)),
    ]


class OneView:
    """The search without settings."""

    def __init__(self):
        import dlib

        self._detector = dlib.get_frontal_face_detector()

    def find(self, image):
        import cv2

        from age_gender.detection import landmarks
        from age_gender.detection.finder import CERTAIN
        from age_gender.faces import Face

        factor = min(2560 / max(image.shape[:2]), 2)
        filtered = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        view = cv2.resize(image, None, fx=factor, fy=factor, interpolation=filtered)
        view = cv2.cvtColor(view, cv2.COLOR_BGR2RGB)
        boxes, scores, _ = self._detector.run(view, 0, 0.0)
        return [
            Face(box.left(), box.top(), box.width(), box.height(), score).scaled(1 / factor)
            for box, score in zip(boxes, scores)
            if score >= CERTAIN or landmarks.drift(view, box) <= landmarks.STEADY
        ]


def compare(found, boxes):
    """Which boxes (left, top, width) are found, and how many of the `Face` found are none."""
    from age_gender.faces import Face

    true = [Face(*map(round, (left, top, width, width))) for left, top, width in boxes]
    hit = [any(face.overlap(each) >= FOUND for each in found) for face in true]
    return hit, sum(all(face.overlap(each) < FOUND for face in true) for each in found)


def measure(find, pictures, edges):
    """What a search finds in pictures: [(found, all) of each size], false ones, mean seconds."""
    counts = [[0, 0] for _ in edges]
    false, seconds = 0, 0.0
    for image, boxes in pictures:
        start = time.process_time()
        found = find(image)
        seconds += time.process_time() - start
        hits, wrong = compare(found, boxes)
        false += wrong
        for (_, _, width), hit in zip(boxes, hits):
            number = max(i for i, edge in enumerate(edges) if width >= edge - 0.5)
            counts[number][0] += hit
            counts[number][1] += 1
    return counts, false, seconds / len(pictures)


def main(argv=None):
    args = get_args(argv)
    import cv2
    import numpy as np
    import skimage

    from age_gender.detection.views import DETAILS
    from age_gender.faces import FaceFinder

    cv2.setNumThreads(1)
    folder = Path(skimage.__file__).parent / "data"
    photographs = [
        cv2.imread(str(path)) for path in sorted(folder.iterdir()) if path.stem in FACELESS
    ]
    scenes = Scenes(chips_of(args.image_dir), photographs)
    searches = {"one view": OneView().find} | {each: FaceFinder(each).find for each in DETAILS}
    for number, kind in enumerate(kinds(scenes)):
        rngs = [np.random.default_rng((args.seed, number, each)) for each in range(args.count)]
        print(f"\n{kind.name}")
        pictures = [kind.draw(rng) for rng in rngs]
        for name, find in searches.items():
            counts, false, seconds = measure(find, pictures, kind.edges)
            total = [sum(each) for each in zip(*counts)]
            sizes = ", ".join(
                f"from {edge} px {found}/{of}"
                for edge, (found, of) in zip(kind.edges, counts)
                if of
            )
            line = f"{name:9} {total[0]:4} of {total[1]:4}, {false} false, {1000 * seconds:5.0f} ms"
            print(line + (f"; {sizes}" if len(counts) > 1 else ""), flush=True)


if __name__ == "__main__":
    run(main)
