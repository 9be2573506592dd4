"""Every fault at once in a complete run.py with its window: captures lost or duplicated.

    python3 benchmarks/captures/capture_faults.py

Space is pressed in a real window, on a camera that is a video, while one fault follows another: an
S3 server (SeaweedFS) that answers 500, hangs, loses its answers, is killed and restarted, and
rejects the key; a full disk (as root only); and run.py itself killed with -9. A capture counts from
its printed line on. At the end `run.py --flush` sends the queue, and the content of the bucket is
compared with what was printed; the longest pause between two pictures shows whether the window
ever froze. Needs requirements-dev.txt, Xvfb and xdotool.
"""

import collections
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from age_gender.command_line import Parser, UserError, log, number_between, run  # noqa: E402

FAULTS = ("none", "500", "hang", "drop", "server killed", "none", "wrong key", "full disk")
FAULTS += ("run.py killed", "none")
PAUSE = 0.35  # seconds between two presses
DISK = "1m"


def get_args(argv=None):
    parser = Parser(description="Captures under every fault at once: none lost, none twice.")
    parser.add_argument(
        "--captures", type=number_between(10, 10000, int), default=200, help="presses of Space"
    )
    return parser.parse_args(argv)


class Kiosk:
    """run.py in a window, started again after it was killed or its key was changed.

    Attributes:
        printed: the keys of the printed records.
        logged: Counter of the lines on stderr.
    """

    def __init__(self, folder, clip, endpoint):
        from helpers.s3 import BUCKET, KEY, SECRET

        self._arguments = [sys.executable, ROOT / "tests" / "helpers" / "looped_camera.py", clip]
        self._arguments += [ROOT / "run.py"]
        self._times = folder / "times"
        self.environment = {
            **os.environ,
            "FRAME_TIMES": str(self._times),
            "CAPTURES_OUTBOX": str(folder / "disk" / "outbox"),
            "S3_BUCKET": BUCKET,
            "S3_ENDPOINT_URL": endpoint,
            "AWS_SERVER_PUBLIC_KEY": KEY,
            "AWS_SERVER_SECRET_KEY": SECRET,
        }
        self.printed, self.logged = [], collections.Counter()
        self.longest = 0.0
        self._process = None

    def start(self, **changes):
        """Start it and wait for its window and its network."""
        self.stop(signal.SIGINT)
        self._process = subprocess.Popen(
            self._arguments,
            env={**self.environment, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self._readers = [
            threading.Thread(target=self._read, args=each, daemon=True)
            for each in ((self._process.stdout, self._key), (self._process.stderr, self._line))
        ]
        for reader in self._readers:
            reader.start()
        before, deadline = len(self.printed), time.monotonic() + 120
        while len(self.printed) == before:  # the first capture: the network is loaded
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise UserError(f"run.py has not started: {list(self.logged)[-3:]}")
            self.press()
            time.sleep(1)

    def press(self):
        """Press Space in its window."""
        find = ["xdotool", "search", "--onlyvisible", "--name", "^result$"]
        found = subprocess.run(find, capture_output=True, encoding="utf-8").stdout.split()
        if found:
            subprocess.run(["xdotool", "windowfocus", found[0], "key", "space"], check=True)

    def stop(self, how):
        """End it, and take its printed lines and the longest pause of its window."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(30)
        for reader in self._readers:
            reader.join()
        times = list(map(float, self._times.read_text().split()))
        self._times.unlink()
        self.longest = max(self.longest, *(b - a for a, b in zip(times[30:], times[31:])))
        self._process = None

    def _read(self, lines, take):
        for line in lines:
            take(line)

    def _key(self, line):
        with contextlib.suppress(ValueError):  # cut off by a kill
            self.printed.append(json.loads(line)["key"])

    def _line(self, line):
        self.logged[line.strip()] += 1


def under_fault(fault, presses, kiosk, server, proxy, disk):
    """Press Space so often while something is wrong."""
    proxy.fault = fault if fault in ("500", "hang", "drop") else None
    if fault != "hang":
        proxy.released.set()
        proxy.released = threading.Event()
    if fault == "wrong key":
        kiosk.start(AWS_SERVER_SECRET_KEY="wrong")
    if fault == "server killed":
        server.kill()
    filler = disk / "filler"
    if fault == "full disk":
        with contextlib.suppress(OSError), open(filler, "wb", 0) as file:
            while True:
                file.write(b"\0" * 4096)
    for number in range(presses):
        kiosk.press()
        time.sleep(PAUSE)
        if fault == "server killed" and number == presses // 2:
            threading.Thread(target=server.start, daemon=True).start()
        if fault == "run.py killed" and number % 10 == 5:
            kiosk.stop(signal.SIGKILL)
            kiosk.start()
    filler.unlink(missing_ok=True)
    if fault == "wrong key":
        kiosk.start()


def flush(environment):
    """How `run.py --flush` ends: its last line."""
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", "--flush"],
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stderr.strip().splitlines()[-1]


def main(argv=None):
    args = get_args(argv)
    import numpy as np

    from benchmarks import portrait_video
    from helpers import s3
    from helpers.disk import small_disk
    from helpers.screen import screen

    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        raise UserError("Xvfb and xdotool are not installed: apt-get install xvfb xdotool")
    with contextlib.ExitStack() as stack:
        os.environ["DISPLAY"] = stack.enter_context(screen())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        room = stack.enter_context(small_disk(folder / "disk", DISK))
        moving = portrait_video.Moving(
            portrait_video.portraits()[0], (320, 240), 400, np.random.default_rng(0)
        )
        portrait_video.write(folder / "clip.avi", [moving], 10)
        (folder / "server").mkdir()
        server = s3.Server(folder / "server")
        stack.callback(server.kill)
        server.start()
        proxy = s3.Proxy(server)
        stack.callback(proxy.close)
        kiosk = Kiosk(folder, folder / "clip.avi", proxy.endpoint)
        stack.callback(lambda: kiosk.stop(signal.SIGKILL))
        kiosk.start()
        faults = [fault for fault in FAULTS if room or fault != "full disk"]
        for number, fault in enumerate(faults):
            count = len(range(number, args.captures, len(faults)))
            before = len(kiosk.printed)
            under_fault(fault, count, kiosk, server, proxy, folder / "disk")
            print(f"{fault}: {count} presses, {len(kiosk.printed) - before} faces printed")
        kiosk.stop(signal.SIGINT)
        print(f"--flush: {flush(kiosk.environment)}")
        stored = [
            json.loads(line)["key"]
            for content in server.objects().values()
            for line in content.decode().splitlines()
        ]
        refused = sum(n for line, n in kiosk.logged.items() if line.startswith("not saved: "))
        for line, n in kiosk.logged.items():
            log(f"  {n} times: {line}")
    lost = set(kiosk.printed) - set(stored)
    print(
        f"{len(kiosk.printed)} faces printed as saved, {refused} captures reported as not saved; "
        f"{len(stored)} in the bucket: {len(lost)} lost, {len(stored) - len(set(stored))} twice"
    )
    print(f"longest pause between two pictures in the window: {1000 * kiosk.longest:.0f} ms")
    return 1 if lost or len(stored) != len(set(stored)) else 0


if __name__ == "__main__":
    run(main)
