import cv2
import numpy as np
import pytest

from age_gender import frames, pictures
from age_gender.command_line import UserError


def save(path, image, *options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image, *options)[1])
    return path


@pytest.fixture
def picture():
    """Smooth and bright at the top, so that upright is known."""
    ramp = np.linspace(250, 20, 60).astype(np.uint8)
    return np.repeat(np.repeat(ramp[:, None, None], 40, 1), 3, 2)


def test_pictures_are_found_in_any_depth_in_order(tmp_path, picture):
    names = ["b.png", "a b.png", "deep/er/ä ö.png", "deep/日本.png"]
    for name in names:
        save(tmp_path / name, picture)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    save(tmp_path / "out" / "drawn.png", picture)
    paths = pictures.list_pictures(tmp_path, exclude=tmp_path / "out")
    assert [str(path.relative_to(tmp_path)) for path in paths] == sorted(names)
    shown = list(frames.pictures(paths, tmp_path))
    assert [frame.name for frame in shown] == sorted(names)
    assert all(frame.image.shape == (60, 40, 3) for frame in shown)


@pytest.mark.parametrize(
    "content, problem",
    [(b"", "it is empty"), (b"\xff\xd8\xff\xe0 cut", "it is damaged or not a picture")],
)
def test_unreadable_picture_is_skipped_and_named(tmp_path, picture, capsys, content, problem):
    save(tmp_path / "good.png", picture)
    (tmp_path / "bad.jpg").write_bytes(content)
    shown = list(frames.pictures(pictures.list_pictures(tmp_path), tmp_path))
    assert [frame.name for frame in shown] == ["good.png"]
    assert capsys.readouterr().err == f"skipped bad.jpg: {problem}\n"


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
