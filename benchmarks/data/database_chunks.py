"""How many images a chunk of the database should hold, and what its checksums cost.

    python3 benchmarks/data/database_chunks.py

Writes 20,000 faces of 64 px for each chunk, then reads batches of 32 faces in random order, as
training does: warm, from the system's memory, and cold, from the disk; then all faces in order.
The same batches through HDF5 itself, which compares a whole chunk's checksum for each face; ours
are compared once, when the database is opened. Medians of five runs. The file's size shows what
the index of the chunks costs.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.command_line import Parser, run  # noqa: E402

FACES = 20_000
SIZE = 64
BATCH = 32


def get_args(argv=None):
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[1, 4, 16, 64, 256])
    return parser.parse_args(argv)


def write(path, chunk):
    """Write a database; return the microseconds for each image."""
    import numpy as np

    from age_gender.data import database as face_database

    face_database.CHUNK = chunk
    faces = np.random.default_rng(0).integers(0, 256, (1024, SIZE, SIZE, 3), dtype=np.uint8)
    start = time.perf_counter()
    with face_database.create(path, SIZE, "utk", -1, "aligned", expected=FACES) as database:
        for row in range(0, FACES, len(faces)):
            count = min(len(faces), FACES - row)
            rows = np.arange(row, row + count)
            digests = np.zeros((count, 32), np.uint8)
            database.append(faces[:count], rows % 2, rows % 101, rows, digests, rows.astype(str))
    return 1e6 * (time.perf_counter() - start) / FACES


def batches_a_second(path, seed, cold):
    """Batches of 32 random faces a second."""
    import numpy as np

    from age_gender.data.database import FaceDatabase

    if cold:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    database = FaceDatabase(path)
    batches = np.random.default_rng(seed).permutation(FACES)[: 200 * BATCH].reshape(-1, BATCH)
    start = time.perf_counter()
    for rows in batches:
        np.stack([database.images[row] for row in rows])
    return len(batches) / (time.perf_counter() - start)


def through_hdf5(path, seed):
    """Batches of 32 random faces a second, read by h5py."""
    import h5py
    import numpy as np

    with h5py.File(path, "r", rdcc_nbytes=0) as file:
        batches = np.random.default_rng(seed).permutation(FACES)[: 20 * BATCH].reshape(-1, BATCH)
        start = time.perf_counter()
        for rows in batches:
            np.stack([file["image"][row] for row in rows])
        return len(batches) / (time.perf_counter() - start)


def opening(path):
    """Microseconds an image to open a database, which compares its checksums."""
    from age_gender.data.database import FaceDatabase

    start = time.perf_counter()
    FaceDatabase(path)
    return 1e6 * (time.perf_counter() - start) / FACES


def in_order(path):
    """Microseconds an image, all of them read in order."""
    from age_gender.data.database import FaceDatabase

    images = FaceDatabase(path).images
    start = time.perf_counter()
    for row in range(0, FACES, 256):
        images[row : row + 256]
    return 1e6 * (time.perf_counter() - start) / FACES


def main(argv=None):
    args = get_args(argv)
    print(
        "chunk  batches/s, warm  batches/s, cold  by h5py  open, us  in order, us  write, us  "
        "file, MB"
    )
    for chunk in args.chunks:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "faces.mat"
            written = statistics.median(write(path, chunk) for _ in range(5))
            size = path.stat().st_size / 1e6
            warm, cold = (
                statistics.median(batches_a_second(path, seed, cold) for seed in range(5))
                for cold in (False, True)
            )
            by_h5py = statistics.median(through_hdf5(path, seed) for seed in range(5))
            opened, ordered = (
                statistics.median(timed(path) for _ in range(5)) for timed in (opening, in_order)
            )
            print(
                f"{chunk:5}  {warm:15.0f}  {cold:15.0f}  {by_h5py:7.0f}  {opened:8.1f}  "
                f"{ordered:12.1f}  {written:9.1f}  {size:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    run(main)
