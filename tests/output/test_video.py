import csv

import cv2
import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame
from age_gender.live.analyst import AnalysedFace, Analysis
from age_gender.live.player import Shown
from age_gender.output.video import open_recording


def shown(number, time, fresh=True, size=(48, 64)):
    frame = Frame(f"frame {number}", np.full((*size, 3), 9 * number, np.uint8), number, time, time)
    face = Face(5, 6, 20, 20, 1.5)
    faces = [AnalysedFace(3, face, Estimate(30.0, 0.9), Estimate(28.0, 0.9))]
    return Shown(frame, faces, Analysis(frame, faces) if fresh else None, None)


def pictures_of(path):
    capture = cv2.VideoCapture(str(path))
    found = []
    while (read := capture.read())[0]:
        found.append(read[1])
    return found, capture.get(cv2.CAP_PROP_FPS)


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


def test_uneven_frames_of_a_camera_last_as_long_as_they_took(tmp_path):
    with open_recording(tmp_path, 30.0, steady=False) as record:
        for number, time in enumerate((0.0, 0.01, 0.02, 0.5, 1.0), 1):
            each = shown(number, 100 + time)
            record.add(each, each.frame.image)
    assert len(pictures_of(tmp_path / "video.mp4")[0]) == 31


def test_pictures_of_other_and_odd_sizes_fit(tmp_path):
    with open_recording(tmp_path, 30.0) as record:
        for number, size in enumerate(((49, 65), (80, 64), (49, 65)), 1):
            each = shown(number, float(number), size=size)
            record.add(each, each.frame.image)
    found, _ = pictures_of(tmp_path / "video.mp4")
    assert [picture.shape for picture in found] == [(48, 64, 3)] * 3


def test_nothing_is_left_where_no_frame_came(tmp_path):
    with pytest.raises(UserError, match="it ended before the network analysed a frame"):
        with open_recording(tmp_path / "out", 30.0):
            pass
    assert list((tmp_path / "out").iterdir()) == []
