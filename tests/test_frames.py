import cv2
import numpy as np
import pytest

from age_gender import frames
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


FORMATS = ".bmp .dib .jpg .jpeg .jpe .png .webp .pbm .pgm .ppm .pnm .sr .ras .tif .tiff .jp2"


@pytest.mark.parametrize("suffix", FORMATS.split() + [".avif", ".gif", ".JPG", ".Png"])
def test_every_format_is_read(tmp_path, picture, suffix):
    if suffix.lower() in (".pgm", ".pbm"):
        picture = picture[:, :, 0]
    path = tmp_path / f"face{suffix}"
    path.write_bytes(cv2.imencode(suffix.lower(), picture)[1])
    assert frames.list_pictures(tmp_path) == [path]
    image = frames.read_picture(path)
    assert image.shape == (60, 40, 3) and image.dtype == np.uint8
    if suffix != ".pbm":  # which is black and white
        assert abs(image.mean((1, 2)) - picture.reshape(60, -1).mean(1)).max() < 12


@pytest.mark.parametrize("suffix", [".exr", ".hdr", ".pfm"])
def test_linear_light_is_brought_to_8_bits(tmp_path, picture, suffix):
    linear = ((picture / 255.0) ** 2.2).astype(np.float32)
    image = frames.read_picture(save(tmp_path / f"face{suffix}", linear))
    assert image.dtype == np.uint8
    assert abs(image.astype(int) - picture).max() < 8


@pytest.mark.parametrize("kind", ["grey", "rgba", "16-bit", "16-bit grey"])
def test_other_channels_and_depths_become_8_bit_bgr(tmp_path, picture, kind):
    stored = {
        "grey": picture[:, :, 0],
        "rgba": np.dstack([picture, picture[:, :, 0]]),
        "16-bit": picture.astype(np.uint16) * 257,
        "16-bit grey": picture[:, :, 0].astype(np.uint16) * 257,
    }[kind]
    image = frames.read_picture(save(tmp_path / "face.png", stored))
    np.testing.assert_array_equal(image, picture)


@pytest.mark.parametrize("orientation, turns", [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_exif_orientation_is_honoured(tmp_path, picture, orientation, turns):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "face.jpg"
    Image.fromarray(np.rot90(picture, turns)).save(path, exif=exif, quality=95)
    assert abs(frames.read_picture(path).astype(int) - picture).max() < 10


def test_pictures_are_found_in_any_depth_in_order(tmp_path, picture):
    names = ["b.png", "a b.png", "deep/er/ä ö.png", "deep/日本.png"]
    for name in names:
        save(tmp_path / name, picture)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    save(tmp_path / "out" / "drawn.png", picture)
    paths = frames.list_pictures(tmp_path, exclude=tmp_path / "out")
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
    shown = list(frames.pictures(frames.list_pictures(tmp_path), tmp_path))
    assert [frame.name for frame in shown] == ["good.png"]
    assert capsys.readouterr().err == f"skipped bad.jpg: {problem}\n"


def test_folder_without_pictures_is_one_line(tmp_path):
    with pytest.raises(UserError) as error:
        frames.list_pictures(tmp_path / "none")
    assert str(error.value) == (f"{tmp_path}/none does not exist: give a folder with pictures")
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(UserError) as error:
        frames.list_pictures(tmp_path)
    assert str(error.value).startswith(f"{tmp_path} holds no pictures (looked for avif, bmp, dib,")
    with pytest.raises(UserError) as error:
        frames.list_pictures(tmp_path / "notes.txt")
    assert str(error.value) == (
        f"{tmp_path}/notes.txt is not a folder: give a folder with pictures"
    )


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


def test_missing_picture_is_unreadable_with_the_reason(tmp_path):
    for path, reason in (
        (tmp_path / "none.png", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(frames.UnreadablePicture) as error:
            frames.read_picture(path)
        assert str(error.value) == reason
