"""How much memory create_db.py takes, against the number of rows.

    python3 benchmarks/data/database_memory.py --input UTKFace --meta data/wiki_crop/wiki.mat

Meta files of 1,000 rows up to IMDB's 460,723 are made from WIKI's rows, the pictures they name are
hard links to the chips. Memory is the largest sum, over the command's processes, of what each
holds (PSS: shared pages are divided among their holders), sampled each 20 ms; beside it stands
what SciPy alone takes to read the same meta file. Draws database_memory.png.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from age_gender.command_line import Parser, UserError, number_between, progress, run  # noqa: E402
from age_gender.diagrams import diagram  # noqa: E402

SCIPY = "import sys, scipy.io; scipy.io.loadmat(sys.argv[1])"


def get_args(argv=None):
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", "-i", type=Path, required=True, help="folder of chips (*.jpg)")
    parser.add_argument("--meta", type=Path, required=True, help="WIKI's wiki.mat")
    parser.add_argument(
        "--work", type=Path, help="folder for the trees, on the disk of the chips (default: there)"
    )
    parser.add_argument(
        "--rows",
        type=number_between(1, 10**7, int),
        nargs="+",
        default=[1000, 10_000, 62_328, 200_000, 460_723],
        help="sizes of the meta files",
    )
    parser.add_argument("--img_size", default="64", help="of the faces")
    return parser.parse_args(argv)


def make_tree(folder, meta, chips, count):
    """Write a meta file of ``count`` rows and link a chip under each path that it names."""
    import numpy as np
    import scipy.io

    table = scipy.io.loadmat(meta)["wiki"][0, 0]
    rows = np.arange(count) % table["dob"].shape[1]
    fields = {name: table[name][:, rows] for name in table.dtype.names}
    for row in progress(range(count), count, "links"):
        name = fields["full_path"][0, row][0]
        if row >= table["dob"].shape[1]:
            name = f"{name[:-4]}_{row}.jpg"
            fields["full_path"][0, row] = np.array([name])
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(chips[row % len(chips)], folder / name)
    scipy.io.savemat(folder / "wiki.mat", {"wiki": fields}, do_compression=True)


def peak(command):
    """Megabytes that a command and its processes hold at most, and the seconds it takes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    largest = 0
    while process.poll() is None:
        largest = max(largest, sum(map(held, [process.pid, *children(process.pid)])))
        time.sleep(0.02)
    if process.returncode:
        raise UserError(f"a run failed: {process.stderr.read().decode().strip()}")
    return largest / 1000, time.perf_counter() - start


def children(pid):
    try:
        return [
            int(each)
            for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return []


def held(pid):
    """Kilobytes (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def draw(rows, ours, scipys, path):
    with diagram(path, (8, 5)) as (axes,):
        axes.plot(rows, ours, "o-", label="create_db.py, all its processes")
        axes.plot(rows, scipys, "s--", label="SciPy, to read the meta file")
        axes.set(xlabel="rows of the meta file", ylabel="largest memory, MB", ylim=(0, None))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(alpha=0.3)
        axes.legend()


def main(argv=None):
    args = get_args(argv)
    chips = sorted(args.input.glob("*.jpg"))
    if not chips:
        raise UserError(f"--input {args.input} holds no *.jpg: give the folder of the chips")
    ours, scipys = [], []
    print("rows     create_db.py, MB  seconds  SciPy alone, MB")
    for count in args.rows:
        with tempfile.TemporaryDirectory(dir=args.work or args.input.parent) as work:
            work = Path(work)
            make_tree(work, args.meta, chips, count)
            output = work / "faces.mat"
            options = ["-i", str(work), "-o", str(output), "--img_size", args.img_size]
            script = str(ROOT / "create_db.py")
            memory, seconds = peak([sys.executable, script, *options])
            ours.append(memory)
            scipys.append(peak([sys.executable, "-c", SCIPY, str(work / "wiki.mat")])[0])
            print(f"{count:7}  {memory:16.0f}  {seconds:7.1f}  {scipys[-1]:15.0f}", flush=True)
    draw(args.rows, ours, scipys, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    run(main)
