import io
import os
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from age_gender import memory, pictures


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
    assert pictures.undecodable(path.read_bytes()[:64]) is None
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


STORED = {  # how a camera held so stores a picture
    1: lambda picture: picture,
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.transpose(1, 0, 2),
    6: lambda picture: np.rot90(picture, 1),
    7: lambda picture: picture[::-1, ::-1].transpose(1, 0, 2),
    8: lambda picture: np.rot90(picture, 3),
}


@pytest.mark.parametrize("suffix", ["avif", "jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(tmp_path, picture, orientation, suffix):
    picture = picture.copy()
    picture[:, :20] //= 2  # darker on the left
    turned = STORED[orientation](picture)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"face.{suffix}"
    Image.fromarray(np.ascontiguousarray(turned)).save(path, exif=exif, quality=95)
    assert abs(pictures.read_picture(path).astype(int) - picture).mean() < 3


def test_missing_picture_is_unreadable_with_the_reason(tmp_path):
    for path, reason in (
        (tmp_path / "none.png", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(pictures.UnreadablePicture) as error:
            pictures.read_picture(path)
        assert str(error.value) == reason


WHOLE_ROWS = {"jpg": 40, "png": 10, "webp": 5, "gif": 5, "bmp": 0}


@pytest.mark.parametrize("suffix", WHOLE_ROWS)
def test_what_is_left_of_a_picture_that_is_cut_short_is_read(astronaut, suffix):
    """As viewers show it; a JPEG that lacks its last two bytes lacks nothing."""
    data = cv2.imencode(f".{suffix}", astronaut)[1].tobytes()
    for left in (len(data) - 2, len(data) * 3 // 4):
        picture = pictures.decode(data[:left])
        assert picture.image.shape == astronaut.shape
        assert picture.remark == "it is cut short or damaged"
        top = slice(0, WHOLE_ROWS[suffix])
        assert np.abs(picture.image[top].astype(int) - astronaut[top]).sum() < 12 * 3 * 512 * 40
    whole = pictures.decode(data)
    assert whole.remark is None
    if suffix == "jpg":
        np.testing.assert_array_equal(pictures.decode(data[:-2]).image, whole.image)


@pytest.mark.parametrize("kind", ["gif", "png", "tif", "webp"])
def test_first_picture_of_several_is_read(tmp_path, picture, kind):
    pages = [Image.fromarray(picture), Image.fromarray(picture[::-1].copy())]
    path = tmp_path / f"pages.{kind}"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert abs(pictures.read_picture(path).astype(int) - picture).max() < 12


def test_cmyk_is_read(tmp_path, picture):
    path = tmp_path / "print.jpg"
    Image.fromarray(picture).convert("CMYK").save(path, quality=95)
    assert abs(pictures.read_picture(path).astype(int) - picture).max() < 12


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no FIFO can be made here")
    os.mkfifo(tmp_path / "fifo.jpg")
    with pytest.raises(pictures.UnreadablePicture, match="^it is not a regular file$"):
        pictures.read_picture(tmp_path / "fifo.jpg")


@pytest.mark.parametrize(
    "head, what",
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC, not decoded here: pip install pillow-heif"),
        (b"\xff\x0a\0", "JPEG XL, not decoded here"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"RIFF\0\0\0\0AVI ", "a video"),
        (b"%PDF-1.7", "not a picture"),
        (b"", "empty"),
    ],
)
def test_what_is_not_decoded_is_known_by_its_first_bytes(monkeypatch, head, what):
    monkeypatch.setattr(pictures, "_heif", lambda: False)
    assert pictures.undecodable(head) == what


@pytest.mark.parametrize("orientation, turns", [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_heic_is_read_upright(tmp_path, picture, orientation, turns):
    import pillow_heif
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.rot90(picture, turns)[:, :, ::-1])
    pillow_heif.from_pillow(stored).save(tmp_path / "face.heic", exif=exif.tobytes(), quality=95)
    assert abs(pictures.read_picture(tmp_path / "face.heic").astype(int) - picture).max() < 12


def claim(suffix, width, height, image):
    """A picture file whose header claims another size."""
    data = cv2.imencode(suffix, image)[1].tobytes()
    if suffix == ".png":
        head = data[12:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:29]
        return data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]
    if suffix == ".gif":
        size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
        return data[:6] + size + data[10:]
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[place + 4 :]


@pytest.mark.parametrize("suffix", [".gif", ".jpg", ".png"])
def test_picture_that_claims_too_many_pixels_is_not_decoded(monkeypatch, picture, suffix):
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(pictures.UnreadablePicture) as error:
        pictures.decode(claim(suffix, 20000, 20001, picture))
    assert str(error.value) == ("it is too large: 20000 x 20001 pixels, 200 megapixels are read")
    monkeypatch.setenv(memory.VARIABLE, "2000")
    with pytest.raises(TypeError):  # there is no imdecode
        pictures.decode(claim(suffix, 20000, 20001, picture))


def test_large_picture_is_read_at_a_smaller_scale_and_alone(monkeypatch, picture):
    big = np.full((7200, 7200), 90, np.uint8)
    data = cv2.imencode(".jpg", big)[1]
    read = pictures.decode(data)
    assert read.scale == 2 and read.image.shape == (3600, 3600, 3)
    with memory.limited(handled_alone=False), pytest.raises(MemoryError):
        pictures.decode(claim(".png", 7200, 7200, picture))
    with pytest.raises(pictures.UnreadablePicture) as error:
        pictures.decode(claim(".png", 14000, 14000, picture))
    assert str(error.value) == (
        "it is too large: 14000 x 14000 pixels of PNG would take 0.6 GB of memory, and 0.3 GB are "
        "allowed with a limit of 200 megapixels"
    )


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0"}])
def test_size_of_webp_is_read_from_its_header(options):
    file = io.BytesIO()
    Image.new("RGB", (300, 20)).save(file, "webp", **options)
    header = pictures._header(np.frombuffer(file.getvalue(), np.uint8))
    assert (header.format, header.width, header.height) == ("WEBP", 300, 20)
