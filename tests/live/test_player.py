import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from age_gender import frames
from age_gender.command_line import UserError
from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame
from age_gender.live import player
from age_gender.live.analyst import Analysis
from age_gender.live.smoothing import AHEAD
from age_gender.live.worker import AnalysedFace
from helpers import until
from helpers.pictures import write_video


class Found(int):
    """A face that knows only the number of its frame."""

    def after(self, seconds):
        return self


class Slow:
    """An analyst that is asked for its answer a number of times before it has one."""

    def __init__(self, calls, ready_after=0):
        self.calls = calls
        self.asked = []
        self._left = ready_after
        self._frame = None
        self.ready = not ready_after

    @property
    def idle(self):
        return self.ready and self._frame is None

    def submit(self, frame, embed):
        self.asked.append((frame, embed))
        self._frame, self._left = frame, self.calls

    def poll(self, timeout=0.0):
        self._left -= 1
        if self._left > 0:
            return None
        frame, self._frame, self.ready = self._frame, None, True
        return frame and Analysis(frame, [Found(frame.number)])


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def test_every_frame_of_a_video_is_shown_at_its_speed_with_the_newest_analysis(tmp_path, picture):
    path = write_video(tmp_path / "clip.avi", picture, 20, rate=20)
    analyst = Slow(4, ready_after=3)
    shown, asked_at = [], []
    for each in player.Player(frames.open_source(path), analyst, lambda: len(shown) > 10):
        shown.append(each)
        asked_at += [len(shown)] * (len(analyst.asked) - len(asked_at))
    assert [each.message for each in shown[:3]] == [player.LOADING] * 3
    first_picture = next(iter(frames.open_source(path))).image
    assert all((each.frame.image == first_picture).all() for each in shown[:3])
    numbers = [each.frame.number for each in shown]
    assert sorted(set(numbers)) == [*range(21)] and numbers == sorted(numbers)  # 0: none yet
    shown, first = shown[numbers.index(1) :], numbers.index(1)
    assert shown[-1].frame.time - shown[0].frame.time > 0.9
    assert all(each.message is None for each in shown)
    fresh = [each for each in shown if each.analysis]
    assert 2 <= len(fresh) <= len(shown) / 4
    assert all(each.faces == each.analysis.faces for each in fresh)
    for (frame, _), count in zip(analyst.asked, asked_at):
        assert frame is shown[count - 1 - first].frame  # the newest then
    assert [embed for _, embed in analyst.asked][0] is False
    assert [embed for _, embed in analyst.asked][-1] is True


def test_every_frame_of_a_video_is_shown_though_no_analysis_ever_comes(tmp_path, picture):
    path = write_video(tmp_path / "clip.avi", picture, 10, rate=20)
    analyst = Slow(float("inf"))
    numbers = [each.frame.number for each in player.Player(frames.open_source(path), analyst)]
    assert set(numbers) >= {*range(1, 11)} and len(analyst.asked) == 1


def test_intervals_do_not_ask_the_clock_that_may_be_set(tmp_path, picture, monkeypatch):
    path = write_video(tmp_path / "clip.avi", picture, 10, rate=20)

    def wall_clock():
        raise AssertionError("the system's clock may be set at any time")

    monkeypatch.setattr(time, "time", wall_clock)
    shown = list(player.Player(frames.open_source(path), Slow(1)))
    assert {each.frame.number for each in shown} >= {*range(1, 11)}
    positions = [each.frame.time for each in shown if each.frame.number]
    np.testing.assert_allclose(np.unique(positions), np.arange(10) / 20, atol=1e-3)
    assert any(each.faces for each in shown)


def test_boxes_go_when_no_analysis_replaces_them(monkeypatch):
    """On a clock that goes on by 0.3 seconds with each frame."""
    clock = SimpleNamespace(now=100.0)

    class Frames:
        problem, ended = None, False

        def __init__(self, source):
            self.left = 8

        def next(self, timeout):
            self.left -= 1
            self.ended = self.left < 0
            clock.now += 0.3
            return None if self.ended else Frame("", None, 8 - self.left, clock.now, clock.now)

        def close(self):
            pass

    monkeypatch.setattr(player, "Reader", Frames)
    analyst = Slow(1)
    drawn = []
    for each in player.Player(frames.open_source("0"), analyst):
        drawn.append(bool(each.faces))
        analyst.calls = 100  # of the frames after the first
    assert player.STALE == 1.0  # the first frame's analysis is shown for as long
    assert drawn == [False, True, True, True, False, False, False, False]


class Camera:
    """Stands for cv2.VideoCapture: each plug is the number of frames until it is pulled out."""

    plugs = []
    given = 0

    def __init__(self, *source):
        self.left = self.plugs.pop(0) if self.plugs else 0
        self.there = self.left > 0

    def isOpened(self):
        return self.there

    def set(self, *_):
        pass

    def read(self):
        time.sleep(0.001)
        self.left -= 1
        type(self).given += 1
        return (True, np.full((48, 64, 3), 7, np.uint8)) if self.left >= 0 else (False, None)

    def release(self):
        pass


def test_camera_is_tried_again_with_growing_pauses_and_a_message(monkeypatch, capsys):
    messages, numbers, pauses = [], [], []

    class Pause(threading.Event):
        """Waits until two more frames have been shown, instead of for seconds."""

        def wait(self, timeout=None):
            pauses.append(timeout)
            shown = len(messages)
            while len(messages) < shown + 2 and not self.is_set():
                super().wait(0.01)
            return self.is_set()

    monkeypatch.setattr(frames.cv2, "VideoCapture", Camera)
    monkeypatch.setattr(player, "threading", SimpleNamespace(Event=Pause))
    monkeypatch.setattr(Camera, "plugs", [0, 5, 0, 0, 5])
    for each in player.Player(frames.open_source("0"), Slow(0)):
        messages.append(each.message)
        numbers.append(each.frame.number)
        if len(pauses) > 10:
            break
    assert "no camera 0: trying again" in messages
    assert "camera 0 delivers no more pictures: trying again" in messages
    assert max(numbers) == 10  # they count on
    assert pauses[:11] == [1, 1, 2, 4, 1, 2, 4, 8, 16, 30, 30]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("no camera 0: connect one, or give the index of another, a video")
    assert len(lines) == 3  # once for each time that it went


def test_camera_gives_its_newest_frame(monkeypatch):
    monkeypatch.setattr(frames.cv2, "VideoCapture", Camera)
    monkeypatch.setattr(Camera, "plugs", [10**6])
    monkeypatch.setattr(Camera, "given", 0)
    source = player.Reader(frames.open_source("0"))
    source.next(60)
    until(lambda: Camera.given > 50)
    given = Camera.given
    assert source.next(60).number >= given - 2  # two wait, and one is on its way
    source.close()
    source.join(60)
    assert not source.is_alive()


def test_video_that_cannot_be_read_is_an_error(tmp_path, picture):
    source = frames.open_source(write_video(tmp_path / "clip.avi", picture, 2))
    source.path = str(tmp_path / "gone.avi")
    with pytest.raises(UserError, match="gone.avi: No such file or directory"):
        for _ in player.Player(source, Slow(0)):
            pass


def test_each_frame_has_its_own_analysis_where_there_is_time():
    class Patient:
        def analyse(self, frame, embed):
            return Analysis(frame, [embed])

    source = [Frame(f"{n}", np.zeros((9, 9, 3), np.uint8), n, float(n), float(n)) for n in (1, 2)]
    shown = list(player.analysed_frames(source, Patient(), lambda: True))
    assert [each.analysis.frame.number for each in shown] == [1, 2]
    assert all(each.faces == [True] and each.message is None for each in shown)


def test_faces_of_an_older_frame_go_on_with_their_movement():
    face = AnalysedFace(1, Face(100, 50, 80, 80, 1.0), None, None, velocity=(300.0, -50.0))
    moved = [face.after(seconds).face for seconds in (0, 0.1, AHEAD, 0.9)]
    assert [(each.left, each.top, each.width) for each in moved] == [
        (100, 50, 80),
        (130, 45, 80),
        (160, 40, 80),
        (160, 40, 80),
    ]


def test_mirror_image_has_its_faces_on_the_other_side():
    image = np.arange(300, dtype=np.uint8).reshape(5, 20, 3)
    estimate = Estimate(30.0, 0.9)
    faces = [AnalysedFace(3, Face(2, 1, 4, 4, 1.5), estimate, estimate)]
    frame = Frame.now("camera 0", image, 7)
    shown = player.Shown(frame, faces, Analysis(frame, faces), "said")
    mirrored = player.mirrored(shown)
    assert (mirrored.frame.image == image[:, ::-1]).all() and mirrored.frame.number == 7
    assert mirrored.faces == [AnalysedFace(3, Face(14, 1, 4, 4, 1.5), estimate, estimate)]
    assert mirrored.analysis is shown.analysis and shown.faces[0].face.left == 2
