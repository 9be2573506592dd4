"""Seconds to the first picture and the first label of run.py's window, and memory with it.

    python3 benchmarks/live/stand_start.py
    python3 benchmarks/live/stand_start.py --portrait obama.jpg --rounds 5

A still portrait plays the camera, 640 x 480 at 30 frames per second. Time begins with the process.
Memory is the proportional set size of all its processes, 5 s after the first label. Needs a display
(xvfb-run) and Linux.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from age_gender.command_line import Parser, number_between, run  # noqa: E402

SETTLED = 5.0  # seconds from the first label to the measurement of memory
CAMERA = """
import os, sys, time
sys.path.insert(0, {root!r})
from age_gender import command_line
import cv2, numpy as np
from age_gender.output import drawing
began, still, show, drawn = {began!r}, cv2.imread({still!r}), cv2.imshow, drawing.annotate
class Camera:
    def __init__(self, *source): pass
    def isOpened(self): return True
    def set(self, *setting): return True
    def get(self, property): return 0.0
    def release(self): pass
    def read(self):
        time.sleep(1 / 30)
        return True, still.copy()
noted = set()
def note(name):
    if name not in noted:
        noted.add(name)
        print(name, time.time() - began, flush=True)
labelled = False
def annotate(image, boxes, *rest, **options):
    global labelled
    labelled = labelled or bool(boxes)
    return drawn(image, boxes, *rest, **options)
def imshow(title, image):
    show(title, image)
    cv2.waitKeyEx(1)
    if (image[: image.shape[0] // 2].std() > 20): note("picture")
    if labelled: note("label")
if __name__ == "__main__":
    cv2.VideoCapture, cv2.imshow, drawing.annotate = Camera, imshow, annotate
    import runpy
    sys.argv = ["run.py", *sys.argv[1:]]
    runpy.run_path({command!r}, run_name="__main__")
"""


def get_args(argv=None):
    parser = Parser(description="Start of run.py with its window: seconds and memory.")
    parser.add_argument("--portrait", type=Path, default=ROOT / "pretrained_models/astronaut.jpg")
    parser.add_argument("--rounds", type=number_between(1, 99, int), default=3, help="rounds")
    parser.add_argument("--full_screen", action="store_true", help="fill the screen")
    return parser.parse_args(argv)


def family(process):
    """Ids of a process and of all that it has started."""
    found = [process]
    for number in found:
        for children in Path(f"/proc/{number}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def processor_seconds(process):
    """Seconds of processor that a process and all that it has started have used."""
    ticks = 0
    for number in family(process):
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(process):
    """Megabytes of a process and its children: list, the largest first."""
    sizes = []
    for number in family(process):
        lines = Path(f"/proc/{number}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        sizes += [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
    return sorted(sizes, reverse=True)


def measure(folder, still, options):
    """List of (name, seconds, processor seconds), and megabytes of each process."""
    script = folder / "camera.py"
    script.write_text(
        CAMERA.format(
            root=str(ROOT), began=time.time(), still=str(still), command=str(ROOT / "run.py")
        )
    )
    environment = {**os.environ, "CAPTURES_OUTBOX": str(folder / "outbox")}
    with subprocess.Popen(
        [sys.executable, script, *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            seconds = []
            for _ in ("picture", "label"):
                name, taken = process.stdout.readline().split()
                seconds.append((name, float(taken), processor_seconds(process.pid)))
            time.sleep(SETTLED)
            return seconds, memory(process.pid)
        finally:
            process.terminate()


def main(argv=None):
    args = get_args(argv)
    import cv2
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        portrait = cv2.imread(str(args.portrait))
        size = round(portrait.shape[1] * 480 / portrait.shape[0]), 480
        scene = np.full((480, 640, 3), 90, np.uint8)
        small = cv2.resize(portrait, size, interpolation=cv2.INTER_AREA)[:, :640]
        scene[:, : small.shape[1]] = small
        cv2.imwrite(str(folder / "still.png"), scene)
        for _ in range(args.rounds):
            options = ["--full_screen"] * args.full_screen
            seconds, sizes = measure(folder, folder / "still.png", options)
            each = " + ".join(f"{size:.0f}" for size in sizes)
            for name, taken, of_processor in seconds:
                print(f"{name} {taken:.2f} s ({of_processor:.2f} s of processor)", end=", ")
            print(f"{sum(sizes):.0f} MB ({each})")


if __name__ == "__main__":
    run(main)
