import cv2
import numpy as np
import pytest

from age_gender import pictures
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
    assert pictures.list_pictures(tmp_path) == [path]
    image = pictures.read_picture(path)
    assert image.shape == (60, 40, 3) and image.dtype == np.uint8
    if suffix != ".pbm":  # which is black and white
        assert abs(image.mean((1, 2)) - picture.reshape(60, -1).mean(1)).max() < 12


@pytest.mark.parametrize("suffix", [".exr", ".hdr", ".pfm"])
def test_linear_light_is_brought_to_8_bits(tmp_path, picture, suffix):
    linear = ((picture / 255.0) ** 2.2).astype(np.float32)
    image = pictures.read_picture(save(tmp_path / f"face{suffix}", linear))
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
    image = pictures.read_picture(save(tmp_path / "face.png", stored))
    np.testing.assert_array_equal(image, picture)


@pytest.mark.parametrize("orientation, turns", [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_exif_orientation_is_honoured(tmp_path, picture, orientation, turns):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "face.jpg"
    Image.fromarray(np.rot90(picture, turns)).save(path, exif=exif, quality=95)
    assert abs(pictures.read_picture(path).astype(int) - picture).max() < 10


def test_folder_without_pictures_is_one_line(tmp_path):
    with pytest.raises(UserError) as error:
        pictures.list_pictures(tmp_path / "none")
    assert str(error.value) == (f"{tmp_path}/none does not exist: give a folder with pictures")
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(UserError) as error:
        pictures.list_pictures(tmp_path)
    assert str(error.value).startswith(f"{tmp_path} holds no pictures (looked for avif, bmp, dib,")
    with pytest.raises(UserError) as error:
        pictures.list_pictures(tmp_path / "notes.txt")
    assert str(error.value) == (
        f"{tmp_path}/notes.txt is not a folder: give a folder with pictures"
    )


def test_missing_picture_is_unreadable_with_the_reason(tmp_path):
    for path, reason in (
        (tmp_path / "none.png", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(pictures.UnreadablePicture) as error:
            pictures.read_picture(path)
        assert str(error.value) == reason
