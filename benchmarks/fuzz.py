"""Damaged files through every reader: none may end in a traceback, hang, or take much memory.

    python3 benchmarks/fuzz.py
    python3 benchmarks/fuzz.py --reader weights --seed 1234 --count 1 --keep damaged

A file is damaged at random or in its structure, as its seed says, so that any case can be repeated.
It must be read, or refused with one line. Files are read in processes of their own, which are ended
after 30 seconds or 1.5 GB.
"""

import collections
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from age_gender.command_line import Parser, number_between, plural, progress, run  # noqa: E402
from helpers import readers  # noqa: E402

SECONDS, MEMORY = 30.0, 1.5e9  # that a file may take


def get_args(argv=None):
    parser = Parser(description="Read damaged files with every reader.")
    parser.add_argument(
        "--count", type=number_between(1, 10**9, int), default=10_000, help="files, of all readers"
    )
    parser.add_argument(
        "--seed", type=number_between(0, 10**9, int), default=0, help="of the first of each reader"
    )
    parser.add_argument(
        "--reader",
        nargs="+",
        choices=[reader.name for reader in readers.READERS],
        default=[reader.name for reader in readers.READERS],
        help="only these (default: all)",
    )
    parser.add_argument("--keep", type=Path, help="folder for the files that were not handled well")
    return parser.parse_args(argv)


def child(connection, name, folder):
    """Read the damaged files of the seeds that come; answer (outcome, bytes of memory, path)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the libraries' talk
    fuzzer = readers.Fuzzer(readers.reader_of(name), folder)
    while (seed := connection.recv()) is not None:
        path = fuzzer.write(seed)
        connection.send(path)
        readers.forget_peak()
        connection.send((fuzzer.judge(path), readers.peak_memory()))


class Process:
    """A process that reads the damaged files of one reader."""

    def __init__(self, name):
        self._name = name
        self._process = None

    def read(self, seed):
        """(outcome, bytes of memory or None, seconds, path) of the file of a seed."""
        if self._process is None:
            self._start()
        self._connection.send(seed)
        path = self._connection.recv()
        start = time.monotonic()
        outcome, memory = self._outcome(start + SECONDS)
        return outcome, memory, time.monotonic() - start, path

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory()
        self._connection, other = context.Pipe()
        arguments = (other, self._name, Path(self._folder.name))
        self._process = context.Process(target=child, args=arguments, daemon=True)
        self._process.start()
        other.close()

    def _outcome(self, deadline):
        while not self._connection.poll(0.05):
            held = _resident(self._process.pid)
            if held > MEMORY or time.monotonic() > deadline:
                self._process.kill()
                self._process.join()
                self._process = None
                return ("too much memory" if held > MEMORY else "hang"), held
        try:
            outcome, memory = self._connection.recv()
        except EOFError:
            self._process.join()
            code, self._process = self._process.exitcode, None
            return f"killed: exit code {code}", None
        if memory and memory > MEMORY:
            return "too much memory", memory
        return outcome, memory

    def close(self):
        """End the process."""
        if self._process is not None:
            self._connection.send(None)
            self._process.join()


def _resident(pid):
    """Bytes of memory that a process holds; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def main(argv=None):
    args = get_args(argv)
    count = -(-args.count // len(args.reader))
    print(f"seeds {args.seed} to {args.seed + count - 1} of {plural(len(args.reader), 'reader')}")
    print("reader               files   read  refused  not handled  slowest, s  most memory, MB")
    bad = 0
    for name in args.reader:
        process, outcomes, slowest, largest = Process(name), collections.Counter(), 0.0, 0
        for seed in progress(range(args.seed, args.seed + count), count, f"files, {name}"):
            outcome, memory, seconds, path = process.read(seed)
            slowest, largest = max(slowest, seconds), max(largest, memory or 0)
            outcomes[outcome] += 1
            if outcome not in ("read", "refused"):
                print(f"{name}, seed {seed}, {path.name}: {outcome.strip()}", flush=True)
                if args.keep:
                    args.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, args.keep / f"{name}-{seed}-{path.name}")
        process.close()
        failed = count - outcomes["read"] - outcomes["refused"]
        bad += failed
        print(
            f"{name:18} {count:7} {outcomes['read']:6} {outcomes['refused']:8} {failed:12} "
            f"{slowest:11.1f} {largest / 1e6:16.0f}",
            flush=True,
        )
    print(f"{plural(bad, 'file')} of {count * len(args.reader)} not handled")
    return 1 if bad else 0


if __name__ == "__main__":
    run(main)
