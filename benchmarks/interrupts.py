"""Ctrl-C, kill and a closed terminal at random moments of every command: how each run ends.

    python3 benchmarks/interrupts.py --count 20

Each command runs once to its end, then again and again with one to three quick signals after a
random part of that time. A run should end with one line, exit code 130, within 2 seconds, and
leave no process behind. Within Python's own start (`START`) no program can answer yet. For Linux;
needs requirements-dev.txt, and JAX for train.py --hosts.
"""

import collections
import importlib.util
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from age_gender.command_line import Parser, log, number_between, plural, run  # noqa: E402

START = 0.06  # seconds of Python's own start, on a busy machine
SIGNALS = [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGINT, 3)]
SIGNALS += [(signal.SIGTERM, 1), (signal.SIGTERM, 2), (signal.SIGHUP, 1)]
LONGEST = 30.0  # seconds of a run in which signals are sent
SMALL = "--depth 10 --width 1 --batch_size 16 --nb_epochs 3 --validation_split 0.2"
COMMANDS = {  # F is a folder of inputs, O a new one; commands without a file are modules
    "create_db_utkface.py": "-i F/chips -o O/faces.mat",
    "create_db_utkface.py --align": "-i F/photos -o O/faces.mat --align",
    "train.py": f"-i F/faces.mat --output_path O/run {SMALL}",
    "train.py --engine xla": f"-i F/faces.mat --output_path O/run {SMALL} --engine xla",
    "train.py --devices 2": f"-i F/faces.mat --output_path O/run {SMALL} --devices 2",
    "train.py --hosts": f"-i F/faces.mat --output_path O/run {SMALL} "
    "--hosts 127.0.0.1:P,127.0.0.1:1 --host_number 0",
    "evaluate.py": "-i F/faces.mat --part all --output_dir O/report",
    "plot_history.py": "-i F/run/history_10_1.h5",
    "demo.py": "--image_dir F/photos --output_dir O/out",
    "demo.py --source": "--source F/clip.avi --output_dir O/out",
    "run.py": "--headless --image_dir F/photos --output_dir O/out",
    "run.py --flush": "--flush",
    "age_gender.weights": "F/tiny.hdf5",
}


def get_args(argv=None):
    parser = Parser(description="Signals at random moments of every command.")
    parser.add_argument(
        "--count", type=number_between(1, 10000, int), default=20, help="runs of each command"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of moments and signals")
    parser.add_argument("--only", default="", help="commands whose name has this text in it")
    return parser.parse_args(argv)


def make_inputs(folder):
    """Small inputs: chips, a database, photographs of a face, a video, a history, a weight file."""
    import cv2
    from skimage import data

    from helpers.pictures import write_chips, write_database, write_video

    write_database(folder / "faces.mat", write_chips(folder / "chips", 400))
    (folder / "photos").mkdir()
    astronaut = data.astronaut()[:, :, ::-1]
    for number in range(100):
        name = f"{number}_0_0_{number:017d}.jpg"
        cv2.imwrite(str(folder / "photos" / name), astronaut[:240, 100:340])
    write_video(folder / "clip.avi", astronaut[:240, 100:340], 200)
    options = COMMANDS["train.py"].replace("O/", f"{folder}/").replace("F/", f"{folder}/").split()
    subprocess.run([sys.executable, ROOT / "train.py", *options], check=True, capture_output=True)
    max((folder / "run").glob("weights.*")).rename(folder / "tiny.hdf5")


def start(name, folder, output):
    script = name.split()[0]
    how = [str(ROOT / script)] if script.endswith(".py") else ["-m", script]
    port = str(20000 + os.getpid() % 20000)
    options = COMMANDS[name].replace(":P", f":{port}").split()
    options = [o.replace("F/", f"{folder}/").replace("O/", f"{output}/") for o in options]
    return subprocess.Popen(
        [sys.executable, *how, *options],
        cwd=output,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CAPTURES_OUTBOX": str(output / "outbox")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def left_in(session):
    """The processes of a session that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def interrupt(process, delay, number, times):
    """(outcome, seconds from the signal to the end) of a process."""
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        pass
    else:
        process.communicate()
        return "had ended", 0.0
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.03)
    begun = time.monotonic()
    try:
        _, said = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hangs", 60.0
    seconds = time.monotonic() - begun
    text = said.decode(errors="replace")
    deadline = time.monotonic() + 2
    while left_in(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left_in(process.pid):
        for pid in left_in(process.pid):
            os.kill(pid, signal.SIGKILL)
        return "leaves processes", seconds
    if process.returncode == 130 and "Traceback" not in text:
        lines = text.split("\n\n")[-1] if "\n\n" in text else text
        return ("130" if len(lines.splitlines()) <= 2 else f"130, more lines: {text}"), seconds
    if process.returncode == 0:
        return "was done", seconds
    if delay < START:
        return "Python's start", seconds
    return f"{process.returncode} at {delay:.2f} s: {text[-600:]}", seconds


def main(argv=None):
    args = get_args(argv)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else deaf in the background
    rng = random.Random(args.seed)
    print("| command | runs | ends within, s (median, most) | 130, one line | done | other |")
    print("|---|---|---|---|---|---|")
    bad = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "inputs")
        folder.mkdir()
        make_inputs(folder)
        for name in COMMANDS:
            if args.only not in name or ("hosts" in name and not importlib.util.find_spec("jax")):
                continue
            whole = LONGEST / 2
            if "hosts" not in name:
                whole = duration(name, folder, Path(temporary, name.replace(" ", "_")))
            outcomes, seconds = collections.Counter(), []
            for count in range(args.count):
                output = Path(temporary, f"{name.replace(' ', '_')}_{count}")
                output.mkdir()
                delay = rng.uniform(0, whole)
                process = start(name, folder, output)
                outcome, took = interrupt(process, delay, *rng.choice(SIGNALS))
                outcomes[outcome] += 1
                seconds.append(took)
            done = outcomes.pop("had ended", 0) + outcomes.pop("was done", 0)
            good, early = outcomes.pop("130", 0), outcomes.pop("Python's start", 0)
            for outcome in outcomes:
                log(f"{name}: {outcome}")
            bad += outcomes
            others = [f"{early} in Python's start"] * bool(early)
            others += [f"**{sum(outcomes.values())}**"] * bool(outcomes)
            most, middle = max(seconds), statistics.median(seconds)
            print(
                f"| `{name}` | {args.count} | {middle:.2f}, {most:.2f} | {good} | {done} "
                f"| {', '.join(others) or 0} |",
                flush=True,
            )
    log(f"{plural(len(bad), 'run')} ended otherwise")
    return 1 if bad else 0


def duration(name, folder, output):
    """Seconds that a command takes, at most LONGEST."""
    output.mkdir()
    begun = time.monotonic()
    process = start(name, folder, output)
    try:
        process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return time.monotonic() - begun


if __name__ == "__main__":
    run(main)
