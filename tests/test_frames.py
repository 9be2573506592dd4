import os
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from age_gender import frames, listing, pictures, system
from age_gender.command_line import UserError
from age_gender.video_reader import CAPTURE_OPTIONS
from helpers.pictures import write_video


def save(path, image, *options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image, *options)[1])
    return path


@pytest.fixture
def picture():
    """Smooth and bright at the top, so that upright is known."""
    ramp = np.linspace(250, 20, 60).astype(np.uint8)
    return np.repeat(np.repeat(ramp[:, None, None], 40, 1), 3, 2)


def test_pictures_of_a_folder_are_frames_in_order(tmp_path, picture):
    names = ["a b.png", "b.png", "deep/er/ä ö.png", "deep/日本.png"]
    for name in names:
        save(tmp_path / name, picture)
    folder = frames.PictureFolder(listing.list_pictures(tmp_path))
    shown = list(folder)
    assert [frame.name for frame in shown] == names
    assert all(frame.image.shape == (60, 40, 3) for frame in shown)
    assert folder.exit_code == 0


def test_what_is_not_read_is_named_and_counted(tmp_path, picture, capsys):
    save(tmp_path / "good.png", picture)
    (tmp_path / "bad\n1.jpg").write_bytes(b"")
    (tmp_path / "bad 2.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    (tmp_path / "cut.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes()[:-2])
    drawn = b"".join(pictures.marked(cv2.imencode(".png", picture)[1]))
    (tmp_path / "drawn.png").write_bytes(drawn)
    (tmp_path / "notes.txt").write_text("no picture")
    folder = frames.PictureFolder(listing.list_pictures(tmp_path))
    assert [frame.name for frame in folder] == ["cut.jpg", "good.png"]
    assert folder.exit_code == system.SOME_FAILED
    assert capsys.readouterr().err.splitlines() == [
        r"skipped bad\n1.jpg: it is empty",
        "skipped bad 2.jpg: it is damaged or not a picture",
        "cut.jpg: it is cut short or damaged: what is left of it is read",
        "left out: 1 not a picture, 1 output of this program",
    ]


def test_folder_of_which_nothing_can_be_read_has_its_own_exit_code(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"bad")
    folder = frames.PictureFolder(listing.list_pictures(tmp_path))
    assert list(folder) == [] and folder.exit_code == system.ALL_FAILED


def test_video_gives_its_frames(tmp_path, picture):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (40, 60))
    for _ in range(5):
        writer.write(picture)
    writer.release()
    source = frames.open_source(path)
    assert not source.live and source.rate == 10
    shown = list(source)
    assert [frame.name for frame in shown] == [f"frame {number}" for number in range(1, 6)]
    assert [frame.number for frame in shown] == [*range(1, 6)]
    np.testing.assert_allclose(np.diff([frame.time for frame in shown]), 0.1, atol=1e-6)
    assert abs(shown[0].image.astype(int) - picture).max() < 12


def test_source_that_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    for source, message in {
        tmp_path / "no.mp4": "does not exist: give a camera index or a video file",
        tmp_path: "is no file: give a camera index or a video file",
        tmp_path / "text.mp4": "is not a video that OpenCV can read",
    }.items():
        with pytest.raises(UserError) as error:
            frames.open_source(source)
        assert str(error.value) == f"{source} {message}"


def test_camera_is_opened_when_it_is_iterated_over():
    camera = frames.open_source("97")
    assert camera.live and camera.rate == frames.NOMINAL_RATE
    with pytest.raises(UserError) as error:
        next(iter(camera))
    assert str(error.value) == (
        "no camera 97: connect one, or give the index of another, a video file or a folder of "
        "pictures"
    )


def test_date_is_by_the_clock_as_it_is_set(monkeypatch, picture):
    frame = frames.Frame.now("camera 0", picture, 1)
    before = frame.date
    assert abs(before - time.time()) < 60
    for jump in (86400, -3600):
        clock = SimpleNamespace(time=lambda jump=jump: time.time() + jump, monotonic=time.monotonic)
        monkeypatch.setattr(frames, "time", clock)
        assert abs(frame.date - before - jump) < 60


@pytest.mark.parametrize(
    "source, opened",
    [
        ("/dev/video4711", 4711),
        ("/dev/v4l/by-id/none", "/dev/v4l/by-id/none"),
        ("/dev/null", "/dev/null"),
        ("rtsp://admin:secret@host:554/live", "rtsp://admin:secret@host:554/live"),
        ("HTTPS://host/live", "HTTPS://host/live"),
    ],
)
def test_devices_and_addresses_are_live(monkeypatch, source, opened):
    asked = []

    class Capture:
        def __init__(self, source, *_):
            asked.append((source, os.environ.get(CAPTURE_OPTIONS)))

        def isOpened(self):
            return False

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    camera = frames.open_source(source)
    with pytest.raises(UserError) as error:
        next(iter(camera))
    ((what, options),) = asked
    assert camera.live and what == opened
    assert str(error.value).startswith(f"no {camera.name}: ") and "secret" not in str(error.value)
    allowed = dict(each.split(";") for each in options.split("|")) if options else {}
    assert ("file" in allowed.get("protocol_whitelist", "file").split(",")) != ("://" in source)
    assert CAPTURE_OPTIONS not in os.environ


@pytest.mark.parametrize(
    "address, public",
    [
        ("rtsp://admin:secret@host:554/live/1", "rtsp://host:554/live/1"),
        ("rtsp://secret@[fe80::1]:554/a", "rtsp://[fe80::1]:554/a"),
        ("http://host/live?token=secret", "http://host/live"),
        ("http://host", "http://host"),
        ("rtsp://admin:sec/ret@host/live", "rtsp://..."),
        ("rtsp://admin:12?secret@host/live", "rtsp://..."),
        ("rtsp://admin:s@ecret@host/live", "rtsp://..."),
        ("rtsp://host/user=admin&password=secret", "rtsp://..."),
    ],
)
def test_user_and_password_are_never_shown(address, public):
    assert frames.Camera(address).name == f"stream {public}"


def test_address_that_is_a_file_is_read_as_one_and_others_are_refused(tmp_path, picture):
    path = write_video(tmp_path / "a b.avi", picture, 3)
    assert len(list(frames.open_source(path.as_uri()))) == 3
    with pytest.raises(UserError, match="^ftp:// is no address that can be read: it may begin"):
        frames.open_source("ftp://admin:secret@host/clip.mp4")


@pytest.mark.parametrize(
    "given, said",
    [
        ((1280, 720), ""),
        ((640, 480), "camera 3 has no 1280x720: its pictures are 640x480\n"),
    ],
)
def test_camera_is_asked_for_a_size_and_another_one_is_said(given, said, monkeypatch, capsys):
    asked = {}

    class Capture:
        def isOpened(self):
            return True

        def set(self, setting, value):
            asked[setting] = value

        def get(self, setting):
            return 0.0

        def read(self):
            return True, np.zeros((given[1], given[0], 3), np.uint8)

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoCapture", lambda *source: Capture())
    shown = iter(frames.open_source("3", (1280, 720)))
    assert next(shown).image.shape[1::-1] == given
    shown.close()
    assert asked[cv2.CAP_PROP_FRAME_WIDTH] == 1280 and asked[cv2.CAP_PROP_FRAME_HEIGHT] == 720
    assert capsys.readouterr().err == said
