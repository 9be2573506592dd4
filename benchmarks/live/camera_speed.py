"""Frames per second of the window, and the age of its boxes.

    python3 benchmarks/live/camera_speed.py
    python3 benchmarks/live/camera_speed.py --portraits pictures --faces 2

A video of moving portraits, 640 x 480 at 30 frames per second, is shown in a real window in three
alternating rounds: by one loop that finds, estimates and draws before it shows the next frame, as
the original does, and by the suite. The age of the boxes is measured when a frame has been shown:
the time since the frame of their detection was read. Needs a display (xvfb-run).
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.command_line import Parser, log, number_between, run  # noqa: E402


def get_args(argv=None):
    parser = Parser(description="Frame rate of the window, against one loop that does all.")
    parser.add_argument("--portraits", type=Path, help="folder of portraits (default: one of NASA)")
    parser.add_argument("--faces", type=number_between(1, 4, int), default=1, help="faces at once")
    parser.add_argument("--seconds", type=number_between(2, 600), default=15.0, help="of a round")
    parser.add_argument("--rounds", type=number_between(1, 99, int), default=3, help="rounds")
    parser.add_argument("--weight_file", help="weights (default: those that ship)")
    return parser.parse_args(argv)


def one_loop(path, recipe, screen):
    """Frames per second and ages of the boxes, with one loop that does all."""
    from age_gender.frames import open_source
    from age_gender.live.analyst import Analysis
    from age_gender.live.player import Shown
    from age_gender.live.worker import Worker
    from age_gender.output.drawing import annotated

    worker, source = Worker(recipe, track=False), open_source(path)
    worker.analyse(0.0, next(iter(source)).image)
    ages, start = [], time.perf_counter()
    for frame in source:
        read = time.monotonic()
        analysis = Analysis(frame, worker.analyse(read, frame.image))
        screen.show(annotated(Shown(frame, analysis.faces, analysis, None)))
        ages.append(time.monotonic() - read)
        if time.perf_counter() - start > 10:
            break
    return len(ages) / (time.perf_counter() - start), ages


def separate_process(path, recipe, screen):
    """The same with the suite, which analyses faces in a separate process."""
    from age_gender.frames import open_source
    from age_gender.live.analyst import Analyst
    from age_gender.live.player import Player
    from age_gender.output.drawing import annotated

    ages, newest, start, count, drawn = [], None, None, 0, 0
    with Analyst(recipe) as analyst:
        for each in Player(open_source(path), analyst):
            screen.show(annotated(each))
            newest = each.analysis or newest
            if not each.frame.number:
                continue
            start = start or time.perf_counter()
            count += 1
            if newest is not None:
                ages.append(time.monotonic() - newest.frame.read)
                drawn += bool(each.faces)
        taken = time.perf_counter() - start
    log(f"  boxes on {100 * drawn / count:.0f} percent of the frames")
    return (count - 1) / taken, ages


def main(argv=None):
    args = get_args(argv)
    import numpy as np

    from age_gender.face_estimator import Recipe
    from age_gender.live.window import Window, require_display
    from benchmarks import portrait_video

    require_display("start it with xvfb-run")
    recipe = Recipe.of(args.weight_file, interval=False)
    found = portrait_video.portraits(args.portraits)
    rng = np.random.default_rng(0)
    width = portrait_video.SIZE[0] / args.faces
    moving = [
        portrait_video.Moving(
            found[number % len(found)], (width * (number + 0.5), 240), min(400, width * 1.3), rng
        )
        for number in range(args.faces)
    ]
    speeds, ages = {"one loop": [], "the suite": []}, {"one loop": [], "the suite": []}
    with tempfile.TemporaryDirectory() as folder, Window("result") as screen:
        path = Path(folder, "portraits.avi")
        portrait_video.write(path, moving, args.seconds)
        ways = {
            "one loop": lambda: one_loop(path, recipe, screen),
            "the suite": lambda: separate_process(path, recipe, screen),
        }
        for round_ in range(args.rounds):
            for name, way in ways.items():
                speed, box_ages = way()
                log(f"{name}, round {round_ + 1}: {speed:.1f} frames a second")
                speeds[name].append(speed)
                ages[name] += box_ages
    for name in ways:
        low, middle, high = 1000 * np.percentile(ages[name], (5, 50, 95))
        print(
            f"{name}: {np.median(speeds[name]):.1f} frames a second, boxes {middle:.0f} ms old "
            f"(5 to 95 percent: {low:.0f} to {high:.0f})"
        )


if __name__ == "__main__":
    run(main)
