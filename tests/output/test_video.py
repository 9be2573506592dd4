import contextlib
import csv
import errno
import json
import os

import av
import cv2
import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame, open_source
from age_gender.live.analyst import Analysis
from age_gender.live.player import Shown
from age_gender.live.worker import AnalysedFace
from age_gender.output import video, video_writer
from age_gender.output.video import open_recording
from age_gender.output.video_writer import LONGEST
from helpers.disk import limited_files


def shown(number, time, fresh=True, size=(48, 64)):
    frame = Frame(
        f"frame {number}", np.full((*size, 3), 9 * number % 256, np.uint8), number, time, time
    )
    face = Face(5, 6, 20, 20, 1.5)
    faces = [AnalysedFace(3, face, Estimate(30.0, 0.9), Estimate(28.0, 0.9))]
    return Shown(frame, faces, Analysis(frame, faces) if fresh else None, None)


def without_faces(number):
    frame = shown(number, 0.0).frame
    return Shown(frame, [], Analysis(frame, []), None)


def pictures_of(path):
    capture = cv2.VideoCapture(str(path))
    found = []
    while (read := capture.read())[0]:
        found.append(read[1])
    return found, capture.get(cv2.CAP_PROP_FPS)


def test_rows_alone_are_json_of_each_face_or_of_a_video_without_one(capsys):
    with open_recording(None, 10.0, name="a.mp4", as_json=True) as record:
        record.add(shown(1, 5.0), None)
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["file"], row["status"], row["frame"], row["identity"]) == ("a.mp4", "face", 1, 3)
    with open_recording(None, 10.0, name="b.mp4", as_json=True) as record:
        record.add(without_faces(1), None)
    (other,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (other.pop("file"), other.pop("status")) == ("b.mp4", "no face")
    assert list(row) == ["file", "status", *other] and not any(other.values())


@pytest.mark.parametrize(("encoder", "codec"), [("libx264", "h264"), ("none", "mpeg4")])
@pytest.mark.parametrize("size", [(2, 2), (16, 16), (48, 64), (2160, 3840), (48, 8190)])
def test_video_is_h264_or_else_mpeg4(tmp_path, monkeypatch, capsys, encoder, codec, size):
    monkeypatch.setattr(video_writer, "H264", encoder)
    with open_recording(tmp_path, 10.0) as record:
        for number in (1, 2):
            each = shown(number, number / 10, size=size)
            record.add(each, each.frame.image)
    with av.open(tmp_path / "video.mp4") as made:
        stream = made.streams.video[0]
        assert (stream.codec_context.name, stream.format.name) == (codec, "yuv420p")
        assert (stream.height, stream.width) == size
        assert len(list(made.decode(video=0))) == 2
    warning = "warning: PyAV has no H.264 encoder here: MPEG-4 instead, which no browser plays\n"
    assert capsys.readouterr().err == (warning if encoder == "none" else "")


def test_video_and_tables_have_frame_time_and_identity(tmp_path, capsys):
    with open_recording(tmp_path / "out", 10.0) as record:
        for number in range(1, 6):
            each = shown(number, 100 + number / 10, fresh=number != 2)
            record.add(each, each.frame.image)
        assert not (tmp_path / "out" / "video.mp4").exists()
    found, rate = pictures_of(tmp_path / "out" / "video.mp4")
    assert rate == 10 and len(found) == 5
    assert all(abs(picture.mean() - 9 * n) < 7 for n, picture in enumerate(found, 1))
    with open(tmp_path / "out" / "results.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [(row["frame"], row["time"], row["identity"], row["age"]) for row in rows] == [
        (str(n), str(time), "3", "30.0") for n, time in ((1, 0.0), (3, 0.2), (4, 0.3), (5, 0.4))
    ]
    assert str(record) == "5 frames, 4 analysed, 1 face"
    assert capsys.readouterr().out.splitlines()[0].startswith("frame 1  identity 3  box 5 6 20 20")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "results.csv",
        "results.jsonl",
        "video.mp4",
    ]


@pytest.mark.parametrize(
    "times", [(0.0, 0.01, 0.02, 0.5, 1.0), (0.0, 600.0, 601.0), (0.0, 86400.0, 86400.1)]
)
def test_frames_have_the_times_at_which_they_came(tmp_path, times):
    """Uneven ones, and a camera that is away for ten minutes, or a day."""
    with open_recording(tmp_path, 30.0) as record:
        for number, time in enumerate(times, 1):
            each = shown(number, 1e5 + time)
            record.add(each, each.frame.image)
    found = [frame.time for frame in open_source(tmp_path / "video.mp4")]
    assert all(np.abs(np.array(found) - time).min() < 1e-4 for time in times)
    assert len(found) <= len(times) + 86400 / LONGEST
    with open(tmp_path / "results.csv", newline="") as table:
        assert [float(row["time"]) for row in csv.DictReader(table)] == list(times)


def test_video_that_cannot_grow_is_kept_as_far_as_it_is_whole(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    with limited_files(100_000), pytest.raises(OSError) as error:
        with open_recording(tmp_path, 10.0) as record:
            for number in range(1, 100):
                each = shown(number, number / 10)
                record.add(each, rng.integers(0, 256, (48, 64, 3), np.uint8))
    assert error.value.errno == errno.EFBIG and number < 99  # it ended at the first failed write
    count = len(pictures_of(tmp_path / "video.mp4")[0])
    assert 1 < count <= number
    assert str(error.value) == (
        f"[Errno 27] File too large: {count} of {number - 1} frames are kept: "
        f"'{tmp_path / 'video.mp4'}'"
    )
    assert len((tmp_path / "results.csv").read_text().splitlines()) == number
    assert len(list(tmp_path.iterdir())) == 3


def test_video_that_cannot_be_read_again_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "count_frames", lambda path: 1)
    with pytest.raises(OSError, match="it cannot be read again: 1 of 2 frames are kept"):
        with open_recording(tmp_path, 10.0) as record:
            for number in (1, 2):
                record.add(shown(number, number / 10), shown(number, 0).frame.image)


def test_frames_that_could_not_be_analysed_are_counted(tmp_path):
    for problems in ([None, "broken"], ["broken", "broken"]):
        with contextlib.ExitStack() as stack:
            if None not in problems:
                expected = "none of its frames could be analysed"
                stack.enter_context(pytest.raises(UserError, match=expected))
            record = stack.enter_context(open_recording(tmp_path, 10.0))
            for number, problem in enumerate(problems, 1):
                each = shown(number, number / 10)
                analysis = Analysis(each.frame, [], problem)
                record.add(each._replace(analysis=analysis), each.frame.image)
        failed = problems.count("broken")
        assert str(record) == f"2 frames, {2 - failed} analysed, {failed} failed, 0 faces"


def test_pictures_of_other_and_odd_sizes_fit(tmp_path):
    with open_recording(tmp_path, 30.0) as record:
        for number, size in enumerate(((49, 65), (80, 64), (49, 65)), 1):
            each = shown(number, float(number), size=size)
            record.add(each, each.frame.image)
    found, _ = pictures_of(tmp_path / "video.mp4")
    assert [picture.shape for picture in found] == [(48, 64, 3)] * 3


def test_index_is_in_front_where_there_is_room(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for fails in (False, True):
        if fails:
            monkeypatch.setattr(video_writer, "_rewrite", refuse)
        with open_recording(tmp_path, 10.0) as record:
            for number in range(1, 6):
                each = shown(number, number / 10)
                record.add(each, each.frame.image)
        content = (tmp_path / "video.mp4").read_bytes()
        assert (b"moof" in content) == fails
        assert fails or content.index(b"moov") < content.index(b"mdat")
        found, rate = pictures_of(tmp_path / "video.mp4")
        assert (len(found), rate) == (5, 10)
        assert len(list(tmp_path.iterdir())) == 3


def test_nothing_is_left_where_no_frame_came(tmp_path):
    with pytest.raises(UserError, match="it ended before the network analysed a frame"):
        with open_recording(tmp_path / "out", 30.0):
            pass
    assert list((tmp_path / "out").iterdir()) == []
