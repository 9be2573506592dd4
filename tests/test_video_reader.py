import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from age_gender import frames, video_reader
from age_gender.command_line import UserError
from age_gender.output.video_writer import VideoWriter
from age_gender.video_reader import Clock
from helpers.pictures import write_video

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def write_timed(path, times, rate=10):
    """A video with a frame at each of some times, in seconds."""
    writer = VideoWriter(path, rate)
    for number, seconds in enumerate(times):
        writer.write(np.roll(PICTURE, number, 1), seconds)
    writer.close()
    return path


def times_of(source):
    return [frame.time for frame in source]


UNEVEN = [0.0, 0.12, 0.2, 0.32, 0.4, 1.4, 2.4, 5.4]
RATES = {
    "0.1": [0.0, 10.0, 20.0],
    "23.976": [n * 1001 / 24000 for n in range(5)],
    "119.88": [n * 1001 / 120000 for n in range(5)],
    "196.263": [n * 1000 / 196263 for n in range(5)],
    "1000": [n / 1000 for n in range(5)],
    "uneven": UNEVEN,
}


@pytest.mark.parametrize("name", RATES)
def test_times_are_those_of_the_container_at_any_rate(tmp_path, name):
    times = RATES[name]
    source = frames.open_source(write_timed(tmp_path / "clip.mp4", times))
    np.testing.assert_allclose(times_of(source), times, atol=2e-5)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "ts", "avi", "mov"])
def test_times_are_those_of_ffprobe(tmp_path, suffix):
    if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
        pytest.skip("ffmpeg is not installed")
    path, made = tmp_path / f"clip.{suffix}", write_timed(tmp_path / "made.mp4", UNEVEN)
    timing = [] if suffix == "avi" else ["-vsync", "vfr"]
    coder = ["-c:v", "libvpx"] if suffix == "webm" else []
    command = ["ffmpeg", "-v", "error", "-i", made, *timing, *coder, path]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    asked = ["ffprobe", "-v", "error", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]
    said = subprocess.run([*asked, path], capture_output=True, text=True, check=True).stdout
    stated = np.array([float(line.strip(",")) for line in said.split()])
    np.testing.assert_allclose(times_of(frames.open_source(path)), stated - stated[0], atol=2e-3)


@pytest.mark.parametrize(
    "stated, positions, warned",
    [
        ([0, 0.1, 0.3, 7.5], [0, 0.1, 0.3, 7.5], False),
        ([0, 0, 0, 0], [0, 0.1, 0.2, 0.3], True),  # a raw stream has no times
        ([float("nan")] * 3, [0, 0.1, 0.2], True),
        ([0, 0.1, 0.1, 0.4, 0.5], [0, 0.1, 0.2, 0.4, 0.5], True),
        ([0, 0.2, 0.1, 0.4], [0, 0.2, 0.3, 0.4], True),
        ([5.0, 5.1, 0, 0.1, 0.2], [5.0, 5.1, 5.2, 5.3, 5.4], True),  # two files in one
        ([0, 0.1, 95443.7, 95443.8], [0, 0.1, 0.2, 0.3], True),
        ([-1e15, 0.1], [0, 0.1], False),
    ],
)
def test_positions_rise_whatever_the_container_says(capsys, stated, positions, warned):
    clock = Clock("clip.h264", 10.0)
    found = [clock.position(each) for each in stated]
    np.testing.assert_allclose(found, positions, atol=2e-4)
    assert all(np.diff(found) > 0)
    assert capsys.readouterr().err == warned * (
        "warning: clip.h264: not all of its frames have a time of their own: where they have none, "
        "there are 10 a second\n"
    )


NAMES = ["10:30.mp4", "file:x.mp4", "concat:a.mp4", "rtsp:x.mp4", "100%d.mp4", "%03d.mp4", "-x.mp4"]
NAMES += ['it\'s "one".mp4', "two\nlines.mp4", "日本.mp4", "clip"]
if sys.platform == "linux":
    NAMES.append("\udcff.mp4")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_file_is_read_whatever_its_name_looks_like(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_timed(tmp_path / name, [0.0, 0.5])
    for path in (name, tmp_path / name):
        assert times_of(frames.open_source(path)) == [0.0, 0.5]


def test_playlist_opens_no_other_file_and_no_address(tmp_path):
    write_timed(tmp_path / "part.mp4", [0.0, 0.5])
    for number, text in enumerate(
        [
            "ffconcat version 1.0\nfile part.mp4\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\npart.mp4\n#EXT-X-ENDLIST\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
        ]
    ):
        path = tmp_path / f"{number}.mp4"
        path.write_text(text)
        with pytest.raises(UserError, match="is not a video that OpenCV can read"):
            frames.open_source(path)


def test_video_that_ends_early_is_said(tmp_path, capsys):
    path = write_video(tmp_path / "clip.avi", PICTURE, 40)
    assert len(list(frames.open_source(path))) == 40
    assert capsys.readouterr().err == ""
    os.truncate(path, path.stat().st_size // 2)
    count = len(list(frames.open_source(path)))
    assert 10 < count < 30
    assert capsys.readouterr().err == (
        f"warning: {path} should last 4.0 s, and its last frame that can be read is at "
        f"{count / 10 - 0.1:.1f} s: it is damaged or cut short\n"
    )


def test_name_of_two_lines_is_one_line_in_messages(tmp_path):
    (tmp_path / "two\nlines.mp4").write_text("no video")
    with pytest.raises(UserError) as error:
        frames.open_source(tmp_path / "two\nlines.mp4")
    assert str(error.value) == f"{tmp_path}/two\\nlines.mp4 is not a video that OpenCV can read"


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv", "ts"])
def test_damaged_video_is_read_as_far_as_it_goes_or_is_one_error(tmp_path, capsys, suffix):
    import av

    rng, path = np.random.default_rng(0), tmp_path / f"clip.{suffix}"
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.roll(PICTURE, number, 1), format="bgr24")
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    whole, outcomes = path.read_bytes(), set()
    for number in range(60):
        content = bytearray(whole[: rng.integers(len(whole))] if number % 3 == 0 else whole)
        for place in rng.integers(max(len(content), 1), size=number % 20):
            content[place : place + 1] = bytes([rng.integers(256)])
        path.write_bytes(content)
        try:
            times = times_of(frames.open_source(path))
            assert all(np.diff(times) > 0)
            outcomes.add("read")
        except UserError as error:
            assert str(path) in str(error)
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


class Failing:
    """A reader that raises an error at some frames."""

    def __init__(self, fails):
        self.fails = iter(fails)

    def read(self):
        fails = next(self.fails, None)
        if fails:
            raise cv2.error("broken\n  frame")
        return fails is not None, PICTURE


def test_frame_that_raises_an_error_is_left_out_and_named(capsys):
    found = video_reader.images(Failing([False, True, False]), "clip.mp4")
    assert [number for number, _ in found] == [1, 3]
    assert capsys.readouterr().err == "skipped frame 2 of clip.mp4: broken frame\n"
    assert list(video_reader.images(Failing([True] * 1000), "clip.mp4")) == []
    assert len(capsys.readouterr().err.splitlines()) == video_reader.MOST_FAILED
