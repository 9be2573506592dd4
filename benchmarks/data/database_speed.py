"""How fast pictures become a database, against the plain way on the same files.

    python3 benchmarks/data/database_speed.py --input UTKFace

The plain way: one thread, cv2.imread, cv2.resize, scipy.io.savemat. Both are timed as whole
processes, in turn: on the chips as they are, and on chips enlarged to 4 and 8 times the side of
the faces, 64 pixels. Medians; the ratio is the plain way's median over ours.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from age_gender.command_line import Parser, UserError, log, progress, run  # noqa: E402

SIZE = 64
PLAIN = """
import os, sys
import cv2, numpy, scipy.io
folder, output = sys.argv[1:]
names = sorted(os.listdir(folder))
images = numpy.empty((len(names), 64, 64, 3), numpy.uint8)
ages, genders = [], []
for row, name in enumerate(names):
    age, gender = name.split("_")[:2]
    ages.append(min(int(age), 100))
    genders.append(int(gender))
    images[row] = cv2.resize(cv2.imread(os.path.join(folder, name)), (64, 64))
labels = {"gender": numpy.array(genders), "age": numpy.array(ages)}
fixed = {"db": "utk", "img_size": 64, "min_score": -1}
scipy.io.savemat(output, {"image": images} | labels | fixed)
"""


def get_args(argv=None):
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", "-i", type=Path, required=True, help="folder of chips (*.jpg)")
    parser.add_argument("--runs", type=int, default=5, help="of each way")
    parser.add_argument("--enlarged", type=int, default=21_360, help="chips that are enlarged")
    parser.add_argument("--factors", type=int, nargs="*", default=[4, 8], help="how far")
    return parser.parse_args(argv)


def seconds(command):
    """Wall-clock seconds of a whole process."""
    os.sync()  # what the run before left to write is not this one's work
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise UserError(f"a run failed: {done.stderr.strip()}")
    return time.perf_counter() - start


def compare(what, folder, work, runs):
    """Time both ways in turn and print a line of medians."""
    plain, ours = [], []
    output = work / "faces.mat"
    count = len(os.listdir(folder))
    for _ in range(runs):
        plain.append(seconds([sys.executable, "-c", PLAIN, str(folder), str(output)]))
        output.unlink()
        script = str(ROOT / "create_db_utkface.py")
        ours.append(seconds([sys.executable, script, "-i", str(folder), "-o", str(output)]))
        for path in work.glob("faces*"):
            path.unlink()
    one, two = statistics.median(plain), statistics.median(ours)
    print(f"{what:14}{count:9}{one:10.2f}{two:9.2f}{one / two:8.2f}", flush=True)


def enlarge(folder, count, side, target):
    """Write ``count`` of the pictures at another size."""
    import cv2

    target.mkdir()
    names = sorted(os.listdir(folder))
    names = names[:: max(1, len(names) // count)][:count]
    for name in progress(names, len(names), "enlarged"):
        picture = cv2.resize(cv2.imread(str(folder / name)), (side, side), None, 0, 0, 2)
        cv2.imwrite(str(target / name), picture)
    return target


def main(argv=None):
    args = get_args(argv)
    if not args.input.is_dir():
        raise UserError(f"--input {args.input} is not a folder: give the folder of the chips")
    log(f"{args.runs} runs of each way on {len(os.sched_getaffinity(0))} cores")
    print("pictures          files  plain, s  ours, s   ratio")
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        compare("chips, 200 px", args.input, work, args.runs)
        for factor in args.factors:
            side = factor * SIZE
            larger = enlarge(args.input, args.enlarged, side, work / f"{side}")
            compare(f"{side} px", larger, work, args.runs)


if __name__ == "__main__":
    run(main)
