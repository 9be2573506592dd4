"""Seconds to the first answer of demo.py and of the Python API, and memory, on both runtimes.

    python3 benchmarks/start_up.py
    python3 benchmarks/start_up.py --rounds 5 --image_dir portraits

Whole commands take turns, and medians are printed: the first line on stdout and the end of the
command, the processor's seconds, and the proportional set size of its largest process and of all of
them, at most, 20 times a second. The imports' time is Python's own (``-X importtime``), of all
processes. TensorFlow, with the batches that go with it, is the baseline. Linux only.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from age_gender.command_line import Parser, number_between, run  # noqa: E402

COUNTS = (1, 3)  # pictures
PAUSE = 0.05  # seconds between looks at the memory
# Processes that a command starts read the file of the one that started them, so this is for all.
ON = """
import runpy, sys
sys.path.insert(0, {root!r})
from age_gender import start
from age_gender.estimator import Estimator
Estimator.__init__.__kwdefaults__["runtime"] = {runtime!r}
if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
API = """
import sys, time
sys.path.insert(0, {root!r})
from age_gender import estimate
print(estimate(sys.argv[1]), flush=True)
"""


def get_args(argv=None):
    parser = Parser(description="Start of demo.py and of the Python API: seconds and memory.")
    parser.add_argument(
        "--image_dir",
        type=Path,
        default=ROOT / "tools" / "pictures",
        help="folder of pictures, the first of which is taken for all",
    )
    parser.add_argument("--rounds", type=number_between(1, 99, int), default=5, help="rounds")
    return parser.parse_args(argv)


def family(process):
    """Ids of a process and of all that it has started."""
    found = [process]
    for number in found:
        for children in Path(f"/proc/{number}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def proportional(number):
    """Megabytes of a process, with its share of what it shares; 0 if it has ended."""
    try:
        text = Path(f"/proc/{number}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return int(re.search(r"^Pss: +(\d+)", text, re.MULTILINE)[1]) / 1024


def watch(process, most):
    """Note the most megabytes of its largest process and of all of them, until it ends."""
    while process.poll() is None:
        try:
            sizes = [proportional(number) for number in family(process.pid)]
        except OSError:
            continue
        most[:] = [max(most[0], *sizes), max(most[1], sum(sizes))]
        time.sleep(PAUSE)


def measure(command, folder):
    """Seconds to the first line and in all, of the processor, and megabytes, of a command."""
    most, before, start = [0.0, 0.0], os.times(), time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        threading.Thread(target=watch, args=(process, most), daemon=True).start()
        process.stdout.readline()
        first = time.perf_counter() - start
        _, talk = process.communicate()
    total = time.perf_counter() - start
    if process.returncode:
        sys.exit(talk.decode())
    after = os.times()
    used = sum(after[2:4]) - sum(before[2:4])
    return first, total, used, *most


def imports_of(command, folder):
    """Seconds that the processes of a command import, in sum."""
    timed = [command[0], "-X", "importtime", *command[1:]]
    talk = subprocess.run(timed, cwd=folder, capture_output=True, text=True, check=True).stderr
    return sum(map(int, re.findall(r"import time: +(\d+) \|", talk))) / 1e6


def commands(folder, image_dir):
    """Dict of what is measured, by its name."""
    picture = next(path for path in sorted(image_dir.iterdir()) if path.suffix in (".jpg", ".png"))
    found = {}
    api = folder / "api.py"
    api.write_text(API.format(root=str(ROOT)))
    for runtime in ("litert", "keras"):
        on = folder / f"on_{runtime}.py"
        on.write_text(ON.format(root=str(ROOT), runtime=runtime))
        for count in COUNTS:
            pictures = folder / str(count)
            pictures.mkdir(exist_ok=True)
            for number in range(count):
                shutil.copyfile(picture, pictures / f"{number}{picture.suffix}")
            options = ["--image_dir", pictures, "--output_dir", "out", "--overwrite"]
            name = f"demo.py, {count} picture{'s' * (count > 1)}, {runtime}"
            found[name] = [sys.executable, on, ROOT / "demo.py", *options]
        found[f"Python API, {runtime}"] = [sys.executable, on, api, picture]
    return found


def main(argv=None):
    args = get_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        each = commands(folder, args.image_dir.resolve())
        figures = {name: [] for name in each}
        for number in range(args.rounds + 1):
            for name, command in each.items():
                figure = measure(command, folder)
                if number:  # the first round fills the system's cache of files
                    figures[name].append(figure)
        imports = {name: imports_of(command, folder) for name, command in each.items()}
    print(
        "| | first line, s | all, s | processor, s | imports, s | largest process, MB | all, MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, measured in figures.items():
        first, total, used, largest, whole = map(statistics.median, zip(*measured))
        print(
            f"| {name} | {first:.2f} | {total:.2f} | {used:.2f} | {imports[name]:.2f} "
            f"| {largest:.0f} | {whole:.0f} |"
        )


if __name__ == "__main__":
    run(main)
