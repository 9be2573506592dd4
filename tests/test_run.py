import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from threading import Event

import cv2
import numpy as np
import pytest

import run
from age_gender.command_line import UserError
from age_gender.streams import Stream
from helpers import ROOT, until
from helpers.pictures import write_video
from helpers.s3 import BUCKET, KEY, SECRET
from helpers.screen import CAMERA


@pytest.fixture(scope="module")
def clip(tmp_path_factory, astronaut):
    """A video of a face, two seconds long."""
    small = cv2.resize(astronaut, (320, 320), interpolation=cv2.INTER_AREA)
    picture = np.full((360, 480, 3), 90, np.uint8)
    picture[20:340, 80:400] = small
    return write_video(tmp_path_factory.mktemp("clip") / "clip.avi", picture, 30, rate=15)


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "CAPTURES_OUTBOX": str(tmp_path / "outbox"), "HOME": str(tmp_path)}


def with_bucket(environment, endpoint):
    return {
        **environment,
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": endpoint,
        "AWS_SERVER_PUBLIC_KEY": KEY,
        "AWS_SERVER_SECRET_KEY": SECRET,
    }


def waiting(tmp_path):
    return sorted((tmp_path / "outbox").glob("*.jsonl"))


def keys_in(text):
    return [json.loads(line)["key"] for line in text.splitlines()]


class SlowServer(http.server.BaseHTTPRequestHandler):
    """Takes a request, and answers it letter by letter without end."""

    def do_PUT(self):
        self.asked.set()
        with contextlib.suppress(OSError):
            while not self.ended.wait(0.1):
                self.wfile.write(b"H")

    def log_message(self, *_):
        pass


@pytest.fixture
def slow_server():
    """A server whose answers never end; `asked` is set by the first request."""
    handler = type("Handler", (SlowServer,), {"asked": Event(), "ended": Event()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.asked, server.address = handler.asked, f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    handler.ended.set()
    server.shutdown()
    server.server_close()


def test_space_captures_s_saves_and_q_ends_though_the_server_does_not_answer(
    on_screen, clip, tiny_weights, tmp_path, environment, monkeypatch, slow_server
):
    for name, value in with_bucket(environment, slow_server.address).items():
        monkeypatch.setenv(name, value)
    options = ["--output_dir", "saved", "--consent", "--save_faces", "--embeddings"]
    options += ["--weight_file", tiny_weights[0], "--countdown", "0"]
    program = on_screen(ROOT / "run.py", *options, clip=clip)

    def saved():
        program.press("s")  # has no answer before the first face is found
        program.press("y")
        return list((tmp_path / "saved").glob("*.jpg"))

    until(saved)
    for key in ("space", "n"):
        program.press(key)
    assert waiting(tmp_path) == []
    program.press("space")
    program.press("y")
    until(slow_server.asked.is_set)
    program.press("q")
    assert program.wait() == 0
    (record,) = map(json.loads, waiting(tmp_path)[0].read_text().splitlines())
    assert record["identity"] >= 1 and record["source"] == "camera 0"
    assert len(record["embedding"]) == 128 and record["face_jpeg"] and record["consent"]
    assert program.said().splitlines()[-1] == f"1 capture queued in {tmp_path / 'outbox'}"


def headless(environment, tmp_path, *options):
    return subprocess.Popen(
        [sys.executable, ROOT / "run.py", "--headless", *options],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_killed_in_the_middle_nothing_is_lost_and_nothing_twice(
    s3,
    environment,
    tmp_path,
    clip,
    tiny_weights,
):
    environment = with_bucket(environment, s3.endpoint)
    printed = []
    for _ in range(2):
        process = headless(
            *(environment, tmp_path, "--source", clip, "--every", "0.01"),
            *("--weight_file", tiny_weights[0]),
        )
        lines = [process.stdout.readline() for _ in range(8)]
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=120)
        printed += keys_in("".join(lines) + rest.rpartition("\n")[0])
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", "--flush"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d+ captures? sent, 0 captures queued in ", done.stderr, re.MULTILINE)
    stored = [key for content in s3.objects().values() for key in keys_in(content.decode())]
    assert len(printed) >= 16 and len(stored) == len(set(stored))
    assert set(printed) <= set(stored)
    assert len(stored) - len(printed) <= 6  # safe on disk, but not yet printed when it was killed


def test_mistakes_are_one_line_and_exit_code_2(command, tmp_path):
    for arguments, message in {
        ("--every", "3"): "--every needs --headless: in the window Space captures",
        (
            "--headless",
            "--consent",
        ): "--consent needs the window: it cannot be used with",
        (
            "--headless",
            "--full_screen",
        ): "--full_screen needs the window: it cannot be used with --headless",
        ("--cropped",): "--cropped needs pictures",
        (): "no display to open a window on: --headless captures without one",
        (
            "--headless",
            "--source",
            "no.mp4",
        ): "--source: no.mp4 does not exist: give a picture",
    }.items():
        done = command("run.py", *arguments, env={"CAPTURES_OUTBOX": str(tmp_path / "outbox")})
        assert done.returncode == 2 and done.stdout == ""
        assert message in done.stderr
        assert sum("run.py: error: " in line for line in done.stderr.splitlines()) == 1
    done = command("run.py", "--flush", env={"CAPTURES_OUTBOX": str(tmp_path / "outbox")})
    assert done.returncode == 0
    assert done.stderr == f"0 captures sent, 0 captures queued in {tmp_path}/outbox\n"


def test_old_captures_are_pruned(tmp_path, monkeypatch, capsys):
    from age_gender.captures.outbox import Outbox

    monkeypatch.setenv("CAPTURES_OUTBOX", str(tmp_path / "outbox"))
    path = Outbox(tmp_path / "outbox").add(1, [{}])
    os.utime(path, (0, 0))
    run.main(["--flush", "--retention_days", "30"])
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"1 capture older than 30 days deleted from {tmp_path}/outbox"
    assert not path.exists()


@contextlib.contextmanager
def unread(how):
    """A stream that nobody reads, open for writing."""
    if how == "full":
        with open("/dev/full", "w") as stream:
            yield stream
        return
    reader, writer = os.pipe()
    if how == "left":
        os.close(reader)
    else:  # nothing is read, and there is no room
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 512)
        os.set_blocking(writer, True)
    with open(writer, "w") as stream:
        yield stream
    if how == "stalled":
        os.close(reader)


UNREAD = {
    "left": (141, "stdout: nobody reads it any more: captures are kept and sent all the same"),
    "full": (1, "stdout: No space left on device: captures are kept and sent all the same"),
    "stalled": (1, "stdout: its reader has stalled: not everything was printed"),
}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "how, stderr_too", [("left", False), ("full", False), ("stalled", False), ("stalled", True)]
)
def test_captures_are_kept_though_nobody_reads(
    how, stderr_too, tmp_path, pictures, tiny_weights, environment, warm
):
    code, said = UNREAD[how]
    arguments = [ROOT / "run.py", "--headless", "--image_dir", pictures]
    arguments += ["--weight_file", tiny_weights[0]]
    with unread(how) as out, open(tmp_path / "said", "w") as err:
        process = warm(arguments, environment, tmp_path, out, out if stderr_too else err)
        assert process.wait(60) == code, (tmp_path / "said").read_text()
    assert len(waiting(tmp_path)) == 1
    lines = (tmp_path / "said").read_text().splitlines()
    assert stderr_too or lines.count(said) == 1 and "Traceback" not in lines


def test_outbox_that_cannot_be_written_ends_the_program(
    tmp_path, pictures, tiny_weights, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CAPTURES_OUTBOX", str(tmp_path / "file" / "outbox"))
    arguments = ["--headless", "--image_dir", pictures, "--weight_file", tiny_weights[0]]
    with pytest.raises(UserError, match="captures cannot be kept in .*: CAPTURES_OUTBOX names an"):
        run.main([*map(str, arguments)])


@pytest.mark.parametrize(
    "unsaved, left, lost, code",
    [(0, False, 0, None), (2, True, 1, 1), (0, True, 3, 141), (0, 0, 3, 1)],
)
def test_exit_code_says_what_was_lost(unsaved, left, lost, code):
    stdout = Stream()
    stdout.left, stdout.lost = left, lost
    assert run.exit_code(unsaved, stdout) == code


def test_notices_of_streams_are_given_once(capsys):
    class Broken(Stream):
        def problem(self):
            return "it is broken"

    notices = run.Notices([Broken(), Stream()])
    said = "stdout: it is broken: captures are kept and sent all the same"
    assert notices() == [said] and notices() == []
    assert capsys.readouterr().err == f"{said}\n"


CELLS = {
    ("demo.py", "camera"): ["--output_dir", "out"],
    ("demo.py", "video"): ["--output_dir", "out"],
    ("run.py", "camera"): ["--headless", "--every", "0.3", "--output_dir", "out"],
    ("run.py", "video"): ["--headless", "--every", "0.5", "--output_dir", "out"],
    ("run.py", "folder"): ["--headless", "--output_dir", "out"],
}
"""Cells of the README's grid without a window; demo.py on a folder is in test_demo.py."""

WINDOWS = {
    ("demo.py", "camera"): ["--output_dir", "out", "--window"],
    ("demo.py", "video"): ["--output_dir", "out", "--window"],
    ("demo.py", "folder"): ["--output_dir", "out", "--window"],
    ("run.py", "video"): ["--output_dir", "out"],
    ("run.py", "folder"): ["--output_dir", "out"],
}
"""Cells with a window; run.py on a camera is above, demo.py without files below and in
test_window.py."""


def command_of(script, source, options, clip, pictures, tiny_weights):
    inputs = {"camera": [], "video": ["--source", clip], "folder": ["--image_dir", pictures]}
    return [ROOT / script, "--weight_file", tiny_weights[0], *inputs[source], *options]


def check_tables(made, script, source):
    """Whether what a run has made in a folder is whole."""
    assert (made / "results.csv").stat().st_size > 100
    records = [json.loads(line) for line in (made / "results.jsonl").read_text().splitlines()]
    assert records and all({"left", "score"} <= record.keys() for record in records)
    if source != "folder":
        assert all(record["identity"] >= 1 and record["frame"] >= 1 for record in records)
    drawn = "video.mp4" if script == "demo.py" and source != "folder" else "*.[jp][pn]g"
    assert list(made.glob(drawn))


@pytest.mark.parametrize("script, source", CELLS)
def test_every_input_reaches_files(
    script, source, tmp_path, clip, pictures, tiny_weights, environment, warm
):
    options = CELLS[script, source]
    arguments = [CAMERA, clip, *command_of(script, source, options, clip, pictures, tiny_weights)]
    environment.pop("DISPLAY", None)
    made, printed, said = (tmp_path / name for name in ("out", "printed", "said"))
    with open(printed, "w") as out, open(said, "w") as err:
        process = warm(arguments, environment, tmp_path, out, err)
    try:
        if source == "camera":
            until(lambda: printed.read_text() or process.poll() is not None)
            until(lambda: script == "demo.py" or list(made.glob("*.jpg")))
            process.send_signal(signal.SIGINT)
        code = process.wait(120)
    finally:
        process.kill()
        process.wait()
    assert code in ((0, 130) if source == "camera" else (0,)), said.read_text()
    assert "Traceback" not in said.read_text()
    check_tables(made, script, source)
    assert script == "demo.py" or waiting(tmp_path)


@pytest.mark.parametrize("script, source", WINDOWS)
def test_every_input_reaches_a_window_and_files(
    script, source, tmp_path, clip, pictures, tiny_weights, on_screen, monkeypatch, astronaut
):
    monkeypatch.setenv("CAPTURES_OUTBOX", str(tmp_path / "outbox"))
    if source == "video":  # long enough for keys, or for a face, on a busy machine
        frames = 240 if script == "run.py" else 20
        clip = write_video(tmp_path / "clip.avi", astronaut, frames, rate=2)
    options = WINDOWS[script, source]
    arguments = command_of(script, source, options, clip, pictures, tiny_weights)
    program = on_screen(*arguments, clip=clip)
    made = tmp_path / "out"
    if script == "run.py":
        program.press("space")
        until(lambda: waiting(tmp_path))
        program.press("s")
        until(lambda: list(made.glob("*.jpg")))
        program.close()
    else:
        until(lambda: source == "folder" or "identity 1" in program.printed())
    if script == "demo.py" and source != "video":  # which ends by itself
        program.press("q")
    assert program.wait() == 0, program.said()
    check_tables(made, script, source)
    if script == "run.py":
        outbox, said = tmp_path / "outbox", program.said().splitlines()
        assert said[0] == f"no bucket is set: captures stay in {outbox} (S3_BUCKET=NAME sends them)"
        assert said[-1] == f"1 capture queued in {outbox}"


def test_demo_shows_a_camera_in_a_window(on_screen, clip, tiny_weights):
    program = on_screen(ROOT / "demo.py", "--weight_file", tiny_weights[0], clip=clip)
    program.press("q")
    assert program.wait() == 0, program.said()
    assert program.printed() == ""
