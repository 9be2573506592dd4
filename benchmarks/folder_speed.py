"""A folder of pictures on all cores, beside the detector alone on one: pictures and processor time.

    python3 benchmarks/folder_speed.py --image_dir pictures

demo.py reads, searches, estimates, draws and writes every picture, as JPEG and as PNG; a process
with one thread only searches the same pictures, which it has read before. All run in turn.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from age_gender.command_line import Parser, number_between, run  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
DETECTOR = """
import sys, time
import cv2
from age_gender.faces import FaceFinder
from age_gender.pictures import read_picture
cv2.setNumThreads(1)
finder, seconds, processor = FaceFinder(), 0, 0
for path in sys.argv[1:]:
    image = read_picture(path)
    start = time.perf_counter(), time.process_time()
    finder.find(image)
    seconds += time.perf_counter() - start[0]
    processor += time.process_time() - start[1]
print(seconds, processor)
"""


def get_args(argv=None):
    parser = Parser(description="Measure demo.py on a folder beside the detector alone.")
    parser.add_argument("--image_dir", type=Path, required=True, help="folder of pictures")
    parser.add_argument(
        "--count", type=number_between(1, 100_000, int), default=300, help="of them"
    )
    parser.add_argument("--rounds", type=number_between(1, 99, int), default=3, help="rounds")
    return parser.parse_args(argv)


def copied(source, folder, count):
    """Fill a folder with pictures, again and again the same; those that were JPEG stay JPEG."""
    originals = sorted(path for path in source.iterdir() if path.is_file())
    folder.mkdir()
    for number in range(count):
        original = originals[number % len(originals)]
        (folder / f"{number:05d}{original.suffix}").write_bytes(original.read_bytes())
    return sorted(folder.iterdir())


def as_png(paths, folder):
    """The same pictures as PNG, of which the annotated copies are PNG too."""
    import cv2

    from age_gender.pictures import read_picture

    folder.mkdir()
    for path in paths:
        cv2.imwrite(str(folder / f"{path.stem}.png"), read_picture(path))


def detector(paths):
    """Seconds and processor seconds of the detector."""
    done = subprocess.run(
        [sys.executable, "-c", DETECTOR, *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(number) for number in done.stdout.split()]


def demo(pictures, output):
    """Seconds and processor seconds of demo.py."""
    import psutil

    start, before = time.perf_counter(), psutil.Process().cpu_times()
    command = [sys.executable, "demo.py", "--image_dir", pictures, "--output_dir", output]
    subprocess.run([*command, "--overwrite"], cwd=ROOT, capture_output=True, check=True)
    after = psutil.Process().cpu_times()
    return [time.perf_counter() - start, sum(after[2:4]) - sum(before[2:4])]


def main(argv=None):
    args = get_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = copied(args.image_dir, folder / "pictures", args.count)
        as_png(paths, folder / "png")
        kinds = {
            "detector alone, one core": lambda: detector(paths),
            "demo.py, all cores": lambda: demo(folder / "pictures", folder / "out"),
            "demo.py, all cores, PNG": lambda: demo(folder / "png", folder / "out_png"),
        }
        runs = {name: [] for name in kinds}
        for _ in range(args.rounds):
            for name, kind in kinds.items():
                runs[name].append(kind())
    print(f"{args.count} pictures, medians of {args.rounds} rounds in turn")
    print(f"{'':28} pictures a second  processor, ms a picture")
    for name, found in runs.items():
        seconds, processor = map(statistics.median, zip(*found))
        print(f"{name:28} {args.count / seconds:17.1f} {1000 * processor / args.count:24.1f}")


if __name__ == "__main__":
    run(main)
