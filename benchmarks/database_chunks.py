"""How many images a chunk of the database should hold.

    python3 benchmarks/database_chunks.py

Writes 10,000 faces of 64 px for each size, then reads 5,000 of them one by one in random order, as
training does, and all of them in order, as a copy does. Medians of five runs, in microseconds an
image; the file's size shows what the index of the chunks costs.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from command_line import Parser, run  # noqa: E402

FACES = 10_000
SIZE = 64


def get_args(argv=None):
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[1, 4, 16, 64, 256])
    return parser.parse_args(argv)


def measure(path, chunk):
    """Microseconds an image to write, to read at random and in order; bytes of the file."""
    import numpy as np

    import face_database

    face_database.CHUNK = chunk
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (100, SIZE, SIZE, 3), dtype=np.uint8)
    start = time.perf_counter()
    with face_database.create(path, SIZE, "utk", -1, "aligned") as database:
        for row in range(FACES):
            database.append(faces[row % 100], 0, 30, row, row.to_bytes(32, "big"), str(row))
    written = time.perf_counter() - start
    images = face_database.FaceDatabase(path).images
    rows = rng.permutation(FACES)[: FACES // 2]
    start = time.perf_counter()
    for row in rows:
        images[row]
    random = time.perf_counter() - start
    start = time.perf_counter()
    for row in range(0, FACES, 256):
        images[row : row + 256]
    in_order = time.perf_counter() - start
    seconds = (written / FACES, random / len(rows), in_order / FACES)
    return [1e6 * each for each in seconds] + [path.stat().st_size]


def main(argv=None):
    args = get_args(argv)
    print("chunk  write  read at random  read in order  file, MB")
    for chunk in args.chunks:
        runs = []
        for _ in range(5):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(measure(Path(folder) / "faces.mat", chunk))
        write, random, in_order, size = (statistics.median(column) for column in zip(*runs))
        print(f"{chunk:5}  {write:5.1f}  {random:14.1f}  {in_order:13.1f}  {size / 1e6:8.1f}")


if __name__ == "__main__":
    run(main)
