"""run.py in bad surroundings: captures lost or duplicated, and what others put into the outbox.

    python3 benchmarks/captures/capture_surroundings.py

Folders of portraits are captured while stdout is closed, full, stalled and left by its reader, and
while a login page answers in S3's place; each picture must then be captured. Two programs capture a
camera into the same outbox, and are killed with -9 again and again; what they printed must have
been kept, and no key may be there twice. All the while links, named pipes, folders and a huge file
lie in the outbox under names of captures: none of it may reach the bucket, or be changed. At the
end `run.py --flush` sends the queue. Needs requirements-dev.txt and SeaweedFS, which is part of it.
"""

import collections
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent import futures
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from age_gender.command_line import Parser, log, number_between, run  # noqa: E402

UNREAD = ("closed", "full", "stalled", "left", "lie")
FOREIGN = "of somebody else"


def get_args(argv=None):
    parser = Parser(
        description="Captures in bad surroundings: none lost, none twice, none foreign."
    )
    parser.add_argument(
        "--kills", type=number_between(0, 1000, int), default=6, help="of each of two programs"
    )
    parser.add_argument(
        "--pictures", type=number_between(1, 1000, int), default=8, help="in the folder"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the times of the kills")
    return parser.parse_args(argv)


def put_foreign_entries(outbox, secret):
    """Entries with names of captures that are none; returns how each of them looks."""
    outbox.mkdir(mode=0o700)
    secret.write_text(f'{{"key": "{FOREIGN}"}}\n')
    names = [outbox / f"{number}-0123abcd.jsonl" for number in range(1, 6)]
    names[0].symlink_to(secret)
    names[1].symlink_to("/dev/zero")
    names[2].mkdir()
    os.mkfifo(names[3])
    with open(names[4], "wb") as huge:
        huge.truncate(2**40)
    names.append(outbox / f"{FOREIGN}.jsonl")
    names[-1].write_text(secret.read_text())
    return {path: look(path) for path in [secret, *names]}


def look(path):
    """Kind, size and time of an entry, None where it is gone."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_mode, status.st_size, status.st_mtime_ns


def stdout_that_is(how, stack):
    """Arguments of `subprocess.Popen` for a stdout that nobody reads."""
    if how == "closed":
        return {"preexec_fn": lambda: os.close(1)}
    if how == "full":
        return {"stdout": stack.enter_context(open("/dev/full", "wb"))}
    if how == "lie":
        return {"stdout": subprocess.DEVNULL}
    reader, writer = os.pipe()
    stack.callback(os.close, writer)
    if how == "left":
        os.close(reader)
        return {"stdout": writer}
    stack.callback(os.close, reader)
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 512)
    os.set_blocking(writer, True)
    return {"stdout": writer}


class Camera:
    """run.py without a window on a camera, killed and started again; `printed` has the keys."""

    def __init__(self, clip, environment):
        self.printed = []
        self._arguments = [sys.executable, ROOT / "tests" / "helpers" / "looped_camera.py", clip]
        self._arguments += [ROOT / "run.py", "--headless", "--every", "0.05", "--save_faces"]
        self._environment = environment

    def run_and_kill(self, lines):
        """Run it until it has printed so many lines, and kill it."""
        process = subprocess.Popen(
            self._arguments,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        for number, line in enumerate(process.stdout):
            if number == lines:
                process.kill()
            with contextlib.suppress(ValueError):  # cut off by the kill
                self.printed.append(json.loads(line)["key"])
        process.wait()


def capture_folder(how, folder, environment, proxy):
    """Capture a folder while something is wrong; returns the exit code and the last line."""
    proxy.fault = "lie" if how == "lie" else None
    with contextlib.ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, ROOT / "run.py", "--headless", "--image_dir", folder],
            env=environment,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            **stdout_that_is(how, stack),
        )
        said = process.stderr.read()
        code = process.wait()
    proxy.fault = None
    for line in said.splitlines():
        log(f"  {how}: {line}")
    return code


def make_inputs(folder, count):
    """A video for the cameras, and a folder of pictures."""
    import cv2
    import numpy as np

    from benchmarks import portrait_video

    portrait = portrait_video.portraits()[0]
    moving = portrait_video.Moving(portrait, (320, 240), 400, np.random.default_rng(0))
    portrait_video.write(folder / "clip.avi", [moving], 10)
    (folder / "pictures").mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / "pictures" / f"{number}.png"), portrait)


def start_server(folder, stack):
    """A server and its `Proxy`, which end with the stack."""
    from helpers import s3

    folder.mkdir()
    server = s3.Server(folder)
    stack.callback(server.kill)
    server.start()
    proxy = s3.Proxy(server)
    stack.callback(proxy.close)
    return server, proxy


def kill_cameras(cameras, kills, seed):
    """Let cameras run at the same time, each killed again and again; returns how long it took."""
    draw, begun = random.Random(seed), time.monotonic()

    def kill_all(camera, lines):
        for count in lines:
            camera.run_and_kill(count)

    with futures.ThreadPoolExecutor() as pool:
        for camera in cameras:
            pool.submit(kill_all, camera, [draw.randrange(1, 40) for _ in range(kills)])
    return time.monotonic() - begun


def flush(environment):
    """How `run.py --flush` ends: its exit code and its last line."""
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", "--flush"],
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    return f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1]}"


def main(argv=None):
    args = get_args(argv)
    from helpers.s3 import BUCKET, KEY, SECRET

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_inputs(folder, args.pictures)
        server, proxy = start_server(folder / "server", stack)
        outbox = folder / "outbox"
        before = put_foreign_entries(outbox, folder / "secret")
        environment = {
            **os.environ,
            "CAPTURES_OUTBOX": str(outbox),
            "S3_BUCKET": BUCKET,
            "S3_ENDPOINT_URL": proxy.endpoint,
            "AWS_SERVER_PUBLIC_KEY": KEY,
            "AWS_SERVER_SECRET_KEY": SECRET,
        }
        for how in UNREAD:
            code = capture_folder(how, folder / "pictures", environment, proxy)
            print(f"{args.pictures} pictures, stdout or S3: {how}: exit code {code}", flush=True)
        cameras = [Camera(folder / "clip.avi", environment) for _ in range(2)]
        seconds = kill_cameras(cameras, args.kills, args.seed)
        print(f"two programs, each killed {args.kills} times: {seconds:.0f} s", flush=True)
        print(f"--flush: {flush(environment)}")
        stored = [
            json.loads(line)
            for content in server.objects().values()
            for line in content.decode().splitlines()
        ]
        changed = sum(look(path) != entry for path, entry in before.items())
    return report(args, stored, cameras, changed)


def report(args, stored, cameras, changed):
    """Print what was lost, twice and foreign; return the exit code."""
    keys = collections.Counter(record["key"] for record in stored)
    sources = collections.Counter(record.get("source") for record in stored)
    printed = {key for camera in cameras for key in camera.printed}
    unread = sum(sources[f"{number}.png"] for number in range(args.pictures))
    lost = len(printed - keys.keys()) + len(UNREAD) * args.pictures - unread
    twice = sum(keys.values()) - len(keys)
    foreign = keys[FOREIGN] + changed
    print(
        f"{len(printed)} faces printed, {len(UNREAD) * args.pictures} captured that nobody read; "
        f"{len(stored)} in the bucket: {lost} lost, {twice} twice, {foreign} foreign"
    )
    return 1 if lost or twice or foreign else 0


if __name__ == "__main__":
    run(main)
