"""How long train.py takes to its first step, and what memory, for databases of growing size.

    python3 benchmarks/training/training_start.py

The databases hold noise and are made in a temporary folder: 12 kB a row.
"""

import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.command_line import Parser, UserError, number_between, run

ROOT = Path(__file__).resolve().parents[2]


def get_args(argv=None):
    parser = Parser(description="Time the start of training, and measure its memory.")
    whole = number_between(100, 10**7, int)
    parser.add_argument("--rows", type=whole, nargs="+", default=[2000, 20000, 172000])
    parser.add_argument("--seconds", type=number_between(1, 1000), default=20, help="of training")
    return parser.parse_args(argv)


def write(path, rows):
    """A database of so many faces of noise."""
    import numpy as np

    from age_gender.data import database as face_database

    rng = np.random.default_rng(0)
    some = 1000
    images = rng.integers(0, 256, (some, 64, 64, 3), np.uint8)
    with face_database.create(path, 64, "utk", -1, "aligned", expected=rows) as database:
        for start in range(0, rows, some):
            numbers = np.arange(start, min(start + some, rows))
            hashes = [hashlib.sha256(str(number).encode()).digest() for number in numbers]
            digests = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)
            names = [f"{number}.jpg" for number in numbers]
            labels = numbers % 2, numbers % 101
            database.append(images[: len(numbers)], *labels, numbers, digests, names)


def trained(database, folder, seconds):
    """Seconds to the first epoch's begin, and the most memory in MB after some of training."""
    command = [sys.executable, ROOT / "train.py", "-i", database, "--output_path", folder, "--aug"]
    command += ["--depth", "10", "--width", "1", "--stem", "2", "--pool", "global"]
    command += ["--engine", "plain", "--precision", "float32"]
    start = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        last = ""
        for last in process.stderr:
            if last.startswith("Epoch 1"):
                break
        else:
            raise UserError(last.strip())
        begun = time.monotonic() - start
        time.sleep(seconds)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        process.kill()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return begun, int(peak.split()[1]) / 1024


def main(argv=None):
    args = get_args(argv)
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder, "faces.mat")
            write(database, rows)
            begun, peak = trained(database, Path(folder, "out"), args.seconds)
        print(f"{rows:,} rows: training begins after {begun:.1f} s, {peak:,.0f} MB", flush=True)


if __name__ == "__main__":
    run(main)
