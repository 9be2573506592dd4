import time

import numpy as np
import pytest

from age_gender import frames
from age_gender.command_line import UserError
from age_gender.frames import Frame
from age_gender.live import player as live
from age_gender.live.analyst import Analysis
from helpers.pictures import write_video


class Slow:
    """An analyst that takes its time over each frame."""

    def __init__(self, seconds, ready_after=0):
        self.seconds = seconds
        self.asked = []
        self._calls, self._ready_after = 0, ready_after
        self._frame, self._due = None, 0.0

    @property
    def ready(self):
        return self._calls > self._ready_after

    @property
    def idle(self):
        return self.ready and self._frame is None

    def ask(self, frame, embed):
        self.asked.append((frame, embed))
        self._frame, self._due = frame, time.monotonic() + self.seconds

    def answer(self, wait=0.0):
        self._calls += 1
        if self._frame is None or time.monotonic() < self._due:
            return None
        frame, self._frame = self._frame, None
        return Analysis(frame, [frame.number])


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def test_every_frame_of_a_video_is_shown_at_its_speed_however_slow_the_analysis(tmp_path, picture):
    path = write_video(tmp_path / "clip.avi", picture, 20, rate=20)
    analyst = Slow(0.2, ready_after=3)
    shown, times = [], []
    for each in live.Live(str(path), analyst, lambda: len(shown) > 10):
        shown.append(each)
        times.append(time.monotonic())
    assert [each.message for each in shown[:3]] == [live.LOADING] * 3
    numbers = [each.frame.number for each in shown]
    assert sorted(set(numbers)) == [*range(21)] and numbers == sorted(numbers)  # 0: none yet
    shown, times = shown[numbers.index(1) :], times[numbers.index(1) :]
    assert 0.8 < times[-1] - times[0] < 2
    assert all(each.message is None for each in shown)
    fresh = [each for each in shown if each.analysis]
    assert 2 <= len(fresh) < 10
    # each asked frame was the newest then, and each is shown with the newest analysis
    for each in fresh:
        assert each.seen == each.analysis.seen
        assert each.frame.number - each.analysis.frame.number < 15
    assert [embed for _, embed in analyst.asked][0] is False
    assert [embed for _, embed in analyst.asked][-1] is True


def test_boxes_go_when_no_analysis_replaces_them(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(live, "STALE", 0.3)
    path = write_video(tmp_path / "clip.avi", picture, 20, rate=20)
    analyst = Slow(0.1)
    shown = []
    for each in live.Live(str(path), analyst):
        shown.append(each)
        if each.seen:
            analyst.seconds = 10
    drawn = [bool(each.seen) for each in shown]
    assert any(drawn) and not any(drawn[-4:])


class Camera:
    """Stands for cv2.VideoCapture: each plug is the number of frames until it is pulled out."""

    plugs = []
    opened = 0

    def __init__(self, source):
        type(self).opened += 1
        self.left = self.plugs.pop(0) if self.plugs else 0
        self.there = self.left > 0

    def isOpened(self):
        return self.there

    def set(self, *_):
        pass

    def read(self):
        time.sleep(0.01)
        self.left -= 1
        return (True, np.full((48, 64, 3), 7, np.uint8)) if self.left >= 0 else (False, None)

    def release(self):
        pass


def test_camera_is_tried_again_with_growing_pauses_and_a_message(monkeypatch, capsys):
    monkeypatch.setattr(frames.cv2, "VideoCapture", Camera)
    monkeypatch.setattr(live, "FIRST_PAUSE", 0.05)
    Camera.plugs, Camera.opened = [0, 5, 0, 0, 5], 0
    messages, numbers = [], []
    begun = time.monotonic()
    for each in live.Live("0", Slow(0.0)):
        messages.append(each.message)
        numbers.append(each.frame.number)
        if time.monotonic() - begun > 1.5:
            break
    assert "no camera 0: trying again" in messages
    assert "camera 0 gives no more pictures: trying again" in messages
    assert max(numbers) == 10  # they count on
    # 5 plugs, then pauses of 0.05, 0.1, 0.2, 0.4, 0.8: never a busy loop
    assert 6 <= Camera.opened <= 10
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("no camera 0: connect one, give its index with --source, or use")
    assert len(lines) == 3  # once for each time that it went


def test_camera_gives_its_newest_frame(monkeypatch):
    monkeypatch.setattr(frames.cv2, "VideoCapture", Camera)
    Camera.plugs = [1000]
    source = live.Source("0")
    source.next(5)
    time.sleep(0.5)
    first = source.next(5)
    assert first.number > 20 and time.time() - first.time < 0.2
    source.close()
    assert not source.is_alive()


def test_video_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match="is not a video that OpenCV can read"):
        for _ in live.Live(str(tmp_path / "text.mp4"), Slow(0.0)):
            pass


def test_each_frame_has_its_own_analysis_where_there_is_time():
    class Patient:
        def analyse(self, frame, embed):
            return Analysis(frame, [embed])

    source = [Frame(f"{n}", np.zeros((9, 9, 3), np.uint8), n, float(n)) for n in (1, 2)]
    shown = list(live.each(source, Patient(), lambda: True))
    assert [each.analysis.frame.number for each in shown] == [1, 2]
    assert all(each.seen == [True] and each.message is None for each in shown)
