"""Whether people keep their numbers, and boxes keep still, in made videos with known truth.

    python3 benchmarks/live/tracking.py --portraits pictures --chips UTKFace

Each video goes through the real detector, network and tracker. The same detections are also
tracked by plain overlap. For the figures see benchmarks/identity_figures.py; "ghosts" are boxes
where nobody is. Then a still picture is played as a video, and a face walks at 300 pixels a second:
how far the drawn box moves, and how far it is behind.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.command_line import Parser, log, number_between, run  # noqa: E402


def get_args(argv=None):
    parser = Parser(description="Identity switches, IDF1, jitter and lag in made videos.")
    parser.add_argument("--portraits", type=Path, required=True, help="folder of portraits")
    parser.add_argument("--chips", type=Path, required=True, help="folder of UTKFace's chips")
    parser.add_argument(
        "--rounds", type=number_between(1, 99, int), default=1, help="of other people"
    )
    parser.add_argument(
        "--rate", type=number_between(1, 100), default=25.0, help="frames a second of the scenes"
    )
    parser.add_argument("--only", help="the scenes whose names contain this")
    parser.add_argument("--weight_file", help="weights (default: those that ship)")
    return parser.parse_args(argv)


def scenes(heads):
    """The scenes with eight heads, of which the first two are portraits."""
    from benchmarks.made_scenes import Scene

    a, b, c, d, e, f, g, h = heads

    def scene(name, seconds, *people, **more):
        return Scene(name, seconds, [(head, way(*keys)) for head, *keys in people], **more)

    # A key is (seconds, x, y, width, [yaw, light, covered]).
    yield scene(
        "walking",
        6,
        (a, (0, 80, 150, 70), (6, 560, 170, 80)),
        (b, (0, 560, 330, 90), (6, 90, 300, 110)),
        (c, (0, 300, 130, 60), (3, 120, 300, 80), (6, 330, 330, 100)),
        (d, (1, 500, 130, 60), (4, 340, 160, 75), (6, 480, 130, 60)),
    )
    yield scene(
        "turning the head",
        7,
        (a, *turning(140, (0, 60, 60, 0, -60, 0, 0))),
        (c, *turning(330, (0, 0, 60, 60, 0, -60, 0))),
        (e, *turning(520, (0, -45, 45, -60, 0, 60, 0))),
    )
    hand = (0.0, 1.0, True)
    yield scene(
        "a hand before the face",
        5,
        (b, (0, 180, 240, 110), (1.5, 180, 240, 110, *hand), (3.5, 180, 240, 110), STAYS),
        (f, (0, 450, 240, 90), STAYS),
    )
    yield scene(
        "out of the picture for 2 s",
        7,
        (a, *here(0, 1, 300), *here(1.8, 3.8, -90), (4.6, 250, 240, 100), STAYS),
        (d, *here(0, 1.5, 480), *here(2.2, 2.2, 730), *here(4.2, 4.2, -80), *here(5, 7, 110)),
    )
    yield scene(
        "somebody else comes in",
        8,
        (b, *here(0, 1.2, 300), *here(2, 5, 740), *here(5.8, 8, 440)),
        (g, (2.2, 740, 240, 100), (3, 300, 240, 100), (4, 180, 240, 100), STAYS),
    )
    yield scene(
        "one passes before another",
        6,
        (a, (0, 320, 240, 90), STAYS),
        (e, (0, 60, 250, 105), *here(2.5, 3.5, 580, 105), (6, 60, 250, 105)),
    )
    yield scene(
        "two meet and turn back",
        5,
        (c, (0, 100, 240, 90), (2.5, 310, 240, 90), (5, 100, 240, 90)),
        (h, (0, 540, 240, 95), (2.5, 330, 240, 95), (5, 540, 240, 95)),
    )
    yield scene(
        "a cut to others and back",
        6,
        (a, *here(0, 1.96, 200)),
        (d, *here(0, 1.96, 440)),
        (e, *here(2, 3.96, 205)),
        (f, *here(2, 3.96, 430)),
        (a, *here(4, 6, 430)),
        (d, *here(4, 6, 210)),
        shots=((0, 0), (2, 1), (4, 0)),
    )
    yield scene(
        "another in the same place", 4, (g, *here(0, 1.96, 300, 120)), (h, *here(2, 4, 300, 120))
    )
    yield scene(
        "light",
        6,
        (b, (0, 200, 240, 100), (3, 240, 240, 100, 0, 0.5), (6, 200, 240, 100)),
        (c, (0, 450, 240, 90), STAYS),
        light=lambda t: 0.35 + 0.65 * abs((t % 3) / 1.5 - 1) + (3.5 < t < 3.7) / 2,
    )
    yield scene(
        "leaving the sight of the camera",
        5,
        (a, *here(0, 1, 200), (1.4, 200, 600, 100)),  # falls
        (h, *here(0, 2, 420)),  # is gone from one frame to the next
    )


STAYS = None  # as the last key: goes on as it is


def way(*keys):
    """`made_scenes.path` of keys as in `scenes`."""
    from benchmarks.made_scenes import Pose, path

    if keys[-1] is STAYS:
        keys = (*keys[:-1], (99, *keys[-2][1:]))
    return path(*((seconds, Pose(*numbers)) for seconds, *numbers in keys))


def here(start, end, x, width=100):
    """Keys of somebody who stays in a place."""
    return [(start, x, 240, width), (end, x, 240, width)]


def turning(x, yaws):
    """Keys of a head that turns, in degrees every 1.2 seconds."""
    return [(1.2 * number, x, 240, 100, yaw) for number, yaw in enumerate(yaws)]


def casts(heads, rounds):
    """Sets of eight heads: the two portraits of different people, then chips."""
    people = {}
    for head in heads:
        people.setdefault(head.name, head)
    people = list(people.values())
    portraits, chips = people[:2], people[2:]
    for number in range(rounds):
        yield [*portraits, *chips[6 * number : 6 * number + 6]]


def follow(worker, scene, seed, rate):
    """Frames (truth, given) with the tracker and with plain overlap, for `figures`."""
    from benchmarks.identity_figures import OverlapTracker

    plain, ours, others = OverlapTracker(), [], []
    find = worker._estimator.find
    found = []

    def kept(*args):
        found[:] = [find(*args)]
        return found[0]

    worker._estimator.find = kept
    try:
        for seconds, picture, truth in scene.frames(seed, rate):
            faces = worker.analyse(seconds, picture)
            ours.append((truth, {each.identity: _box(each.face) for each in faces}))
            others.append((truth, plain.update(seconds, [_box(face) for face in found[0][0]])))
    finally:
        del worker._estimator.find
    return ours, others


def _box(face):
    return face.left, face.top, face.width, face.height


class Clock:
    """A clock that stands: a search of a whole frame takes no time, so that runs are alike."""

    @staticmethod
    def perf_counter():
        return 0.0


def row(name, figures):
    return (
        f"{name:34} {figures.switches:8} {figures.fragments:9} {figures.idf1:6.3f} "
        f"{figures.numbers:4}/{figures.people:<3} {figures.inherited:9} {figures.ghosts:6} "
        f"{figures.found / max(figures.truth, 1):6.1%}"
    )


def identities(worker, heads, args):
    """Print the table of the scenes."""
    from benchmarks.identity_figures import Figures, figures

    sums = {"overlap": Figures(), "the suite": Figures()}
    print(f"{'':34} switches fragments   IDF1 numbers inherited ghosts  found")
    for cast in casts(heads, args.rounds):
        for number, scene in enumerate(scenes(cast)):
            if args.only and args.only not in scene.name:
                continue
            worker.forget()
            ours, others = follow(worker, scene, number, args.rate)
            for kind, measured in (("overlap", others), ("the suite", ours)):
                sums[kind] += figures(measured)
                print(row(f"{scene.name}: {kind}", figures(measured)), flush=True)
    for kind, total in sums.items():
        print(row(f"all: {kind}", total))


def boxes(worker, scene, seed=0):
    """Seconds (N,), true centres, and (left, top, width) as detected and as drawn, (N, 3) each."""
    import numpy as np

    rows = []
    finder = worker._estimator.find
    found = []
    worker._estimator.find = lambda *args: found.append(finder(*args)) or found[-1]
    worker.forget()
    for seconds, picture, truth in scene.frames(seed):
        faces = worker.analyse(seconds, picture)
        if len(found[-1][0]) != 1 or not truth:
            continue
        raw, drawn = found[-1][0][0], faces[0].face
        true = next(iter(truth.values()))
        rows.append((seconds, true[0] + true[2] / 2, *_box(raw)[:3], *_box(drawn)[:3]))
    del worker._estimator.find
    rows = np.array(rows)
    return rows[:, 0], rows[:, 1], rows[:, 2:5], rows[:, 5:8]


def still_boxes(worker, heads):
    """Print by how much the box of a still face moves, after its first second."""
    import numpy as np

    from benchmarks.made_scenes import Scene

    print("\nA still picture with noise: range of the left edge and of the width, pixels")
    detected, drawn = [], []
    for head in heads:
        for width in (80, 160):
            keys = [(0, 320, 220, width), STAYS]
            seconds, _, raw, shown = boxes(worker, Scene("still", 4, [(head, way(*keys))]))
            late = seconds >= 1
            detected.append(np.ptp(raw[late], axis=0)[[0, 2]])
            drawn.append(np.ptp(shown[late], axis=0)[[0, 2]])
            text = "detected {:.0f} {:.0f}, drawn {:.0f} {:.0f}"
            print(f"{head.name[:12]:12} {width:4}:", text.format(*detected[-1], *drawn[-1]))
    print(
        "mean: detected {:.1f} {:.1f},".format(*np.mean(detected, 0)),
        "drawn {:.2f} {:.2f};".format(*np.mean(drawn, 0)),
        "largest: detected {:.0f} {:.0f},".format(*np.max(detected, 0)),
        "drawn {:.0f} {:.0f}".format(*np.max(drawn, 0)),
    )


def lags(worker, heads, speed=300.0):
    """Print how far the drawn box is behind a face that starts to walk."""
    import numpy as np

    from benchmarks.made_scenes import RATE, Scene

    print(f"\nPixels behind a face that walks at {speed:.0f} a second, {RATE} frames a second")
    behind, first = [], []
    for head in heads:
        for width in (80, 160):
            end = 1 + 440 / speed
            keys = [(0, 100, 220, width), (1, 100, 220, width), (end, 540, 220, width)]
            seconds, centre, _, shown = boxes(worker, Scene("walks", end, [(head, way(*keys))]))
            offset = centre - shown[:, 0] - shown[:, 2] / 2
            offset -= np.median(offset[seconds < 1])
            behind.append(np.median(offset[seconds > 1.4]))
            first.append(offset[(seconds >= 1) & (seconds <= 1.4)].max())
            text = f"{behind[-1]:.1f}, in the first 0.4 s at most {first[-1]:.1f}"
            print(f"{head.name[:12]:12} {width:4}: {text}")
    print(f"largest: {np.max(behind):.1f}, in the first 0.4 s {np.max(first):.1f}")


def main(argv=None):
    args = get_args(argv)
    from age_gender.face_estimator import Recipe
    from age_gender.live import worker
    from benchmarks.made_scenes import load_heads

    worker.clock = Clock
    heads = load_heads(args.portraits, args.chips, 6 * args.rounds)
    made = worker.Worker(Recipe.of(args.weight_file, interval=False))
    log(f"{len(heads)} heads")
    identities(made, heads, args)
    if not args.only:
        still_boxes(made, heads[:5])
        lags(made, heads[:5])


if __name__ == "__main__":
    run(main)
