"""Picture files: read them whatever their format, upright, within limits of memory.

OpenCV decodes; Pillow reads the headers, so that a size is known before anything is decoded, and
what is left of pictures that are cut short, and pillow-heif reads HEIC.
"""

import contextlib
import dataclasses
import functools
import io
import os
import stat
import threading
import warnings
import zlib

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps

from age_gender import memory, system
from age_gender.errors import UserError

# Pillow's formats whose headers are read; plugins of others can start programs, or guess.
FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "DIB", "PPM", "JPEG2000", "SUN"]
FULL = 50_000_000  # pixels up to which pictures are read at full size
FEW = 4_000_000  # pixels that can be decoded whatever else is
# Bytes per pixel of the file that OpenCV's decoders hold (benchmarks/memory.py), besides the
# result: none of a JPEG that is not progressive, as it is made smaller while it is read.
HELD = {"JPEG": 0, "GIF": 7, "TIFF": 8, "HEIF": 10, "WEBP": 11, "AVIF": 14, "JPEG2000": 16}
HELD_ELSE = 3
MARK = b"annotated by age-gender-estimation"

NO_PICTURE = "not a picture"
HEIC = b"heic heix heim heis hevc hevx mif1 msf1".split()
SIGNATURES = (  # first bytes of what is decoded
    *(b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\x76\x2f\x31\x01", b"\x59\xa6\x6a\x95"),
    *(b"#?RADIANCE", b"#?RGBE", b"PF\n", b"Pf\n"),
    *(b"P%d%c" % (number, end) for number in range(1, 8) for end in b" \n\r\t"),
)
_pillow_lock = threading.Lock()  # its setting for damaged pictures is one for all threads


class UnreadablePicture(UserError):
    """A picture that cannot be read; the message says why."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        image: (H, W, 3) uint8 BGR, upright.
        scale: how many pixels of the file one of ``image`` stands for, in each direction: 1 but
            for pictures of more than `FULL` pixels.
        remark: what is wrong with the file all the same; None for nothing.
        annotated: this program has drawn on it (`marked`).
    """

    image: np.ndarray
    scale: int = 1
    remark: str | None = None
    annotated: bool = False


def read_picture(path):
    """(H, W, 3) uint8 BGR of a picture file, as `read` reads it. Raises `UnreadablePicture`."""
    return read(path).image


def decode_picture(data):
    """(H, W, 3) uint8 BGR of the bytes of a picture file. Raises `UnreadablePicture`."""
    return decode(data).image


def read(path):
    """Read a picture file: a `Picture`. Raises `UnreadablePicture` and, as `decode`, others."""
    try:
        return decode(read_bytes(path))
    except OSError as error:
        raise UnreadablePicture(error.strerror or str(error)) from error


def read_bytes(path):
    """The content of a regular file, (N,) uint8; anything else is refused without waiting for it.

    Raises `OSError`, `UnreadablePicture` and, as `decode`, those of `memory.claim`.
    """
    with system.open_without_waiting(path) as file:
        status = os.fstat(file.fileno())
        if stat.S_ISDIR(status.st_mode):
            raise UnreadablePicture("Is a directory")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadablePicture("it is not a regular file")
        memory.claim(status.st_size, f"a file of {status.st_size / 1e6:.0f} MB")
        return np.fromfile(file, np.uint8, status.st_size)


def decode(data):
    """Decode the bytes of a picture file, whatever its channels and depth.

    Of an animation, or of several pages, the first picture is read; of a picture that is cut
    short, what is there.

    Args:
        data: bytes, or (N,) uint8.

    Returns:
        A `Picture`.

    Raises `UnreadablePicture`; `MemoryError` and `memory.TooLarge` for one that is too large.
    """
    data = np.frombuffer(data, np.uint8)
    if not len(data):
        raise UnreadablePicture("it is empty")
    header = _header(data)
    scale = _scale(header, len(data))
    annotated = MARK in data[:128].tobytes()
    if header.format == "HEIF":
        return Picture(_by_pillow(data), annotated=annotated)
    image = _by_opencv(data, header, scale)
    remark = None
    if image is None:
        image, remark = _what_is_left(data, header, scale), "it is cut short or damaged"
    if image is None:
        if header.width * header.height > FEW and not memory.alone():
            raise MemoryError  # which some decoders do not tell from damage
        reason = undecodable(data[:64].tobytes())
        damaged = reason in (None, NO_PICTURE)
        raise UnreadablePicture("it is damaged or not a picture" if damaged else f"it is {reason}")
    return Picture(_as_8_bit(image), scale, remark, annotated)


def _is_heic(head):
    """Whether a file's first 64 bytes are those of HEIC."""
    return head[4:8] == b"ftyp" and head[8:12] in HEIC and b"avif" not in head


def undecodable(head):
    """What a file is that cannot be decoded, from its first 64 bytes; None if it can be."""
    brand = head[8:12] if head[4:8] == b"ftyp" else None
    if _is_heic(head):
        return None if _heif() else "HEIC, not decoded here: pip install pillow-heif"
    if brand in (b"avif", b"avis", *HEIC):
        return None
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return "JPEG XL, not decoded here"
    riff = head[8:12] if head.startswith(b"RIFF") else None
    if brand or riff == b"AVI " or head.startswith((b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"FLV")):
        return "a video"
    if riff == b"WEBP" or head.startswith(SIGNATURES):
        return None
    return NO_PICTURE if head else "empty"


def is_animation(path, head):
    """Whether a picture file holds several frames that a video reader shows: GIF and APNG.

    Args:
        path: of the file.
        head: its first bytes.
    """
    if not head.startswith((b"GIF8", b"\x89PNG")):
        return False
    try:
        with _pillow(), Image.open(path, formats=["GIF", "PNG"]) as image:
            return getattr(image, "is_animated", False)
    except Exception:  # of many kinds, for damaged files: who reads it will say so
        return False


def marked(encoded):
    """A JPEG or PNG file with `MARK` in it, by which later runs know it.

    Args:
        encoded: (N,) uint8.

    Returns:
        List of the parts of the file, so that nothing is copied.
    """
    if encoded[0] == 0xFF:  # JPEG: a comment, after the start of the image
        place, mark = 2, b"\xff\xfe" + (len(MARK) + 2).to_bytes(2, "big") + MARK
    else:  # PNG: a text, after the header
        text = b"tEXtComment\0" + MARK
        length, crc = len(text) - 4, zlib.crc32(text)
        place, mark = 33, length.to_bytes(4, "big") + text + crc.to_bytes(4, "big")
    return [encoded[:place].data, mark, encoded[place:].data]


@dataclasses.dataclass(frozen=True)
class _Header:
    """What is known of a picture before it is decoded; without a format if Pillow cannot say.

    Attributes:
        held: bytes per pixel that its decoder holds.
        orientation: EXIF's number, of a format in which OpenCV does not turn pictures upright.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    held: float = 0.0
    orientation: int = 1


def _header(data):
    """The `_Header` of the bytes of a picture file."""
    if data[8:12].tobytes() == b"WEBP":  # of which Pillow would take the memory for all of it
        return _Header("WEBP", *_webp_size(data[12:30].tobytes()), HELD["WEBP"])
    formats = FORMATS + ["HEIF"] * (_is_heic(data[:64].tobytes()) and _heif())
    try:
        with _pillow(), Image.open(io.BytesIO(memoryview(data)), formats=formats) as image:
            name = "JPEG" if image.format == "MPO" else image.format
            held = HELD.get(name, HELD_ELSE)
            if name == "JPEG" and image.info.get("progressive"):  # held as coefficients, 2 bytes
                most = max(h * v for _, h, v, _ in image.layer)
                held = sum(2 * h * v / most for _, h, v, _ in image.layer)
            orientation = image.getexif().get(0x0112, 1) if name == "AVIF" else 1
            return _Header(name, *image.size, held, orientation)
    except Exception:  # of many kinds, for damaged files: OpenCV has the last word
        return _Header()


def _webp_size(chunk):
    """Width and height in the first chunk of a WebP file, of 18 bytes (RFC 9649)."""
    if chunk.startswith(b"VP8X"):
        sides = int.from_bytes(chunk[12:15], "little"), int.from_bytes(chunk[15:18], "little")
        return sides[0] + 1, sides[1] + 1
    if chunk.startswith(b"VP8L"):
        bits = int.from_bytes(chunk[9:13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    sides = int.from_bytes(chunk[14:16], "little"), int.from_bytes(chunk[16:18], "little")
    return sides[0] & 0x3FFF, sides[1] & 0x3FFF


def _scale(header, size):
    """By how much a picture is reduced while it is read, for its memory; claims that.

    Args:
        header: `_Header`.
        size: of the file in bytes.
    """
    pixels = header.width * header.height
    what = f"{header.width} x {header.height} pixels"
    if pixels > memory.largest() * 10**6:
        raise UnreadablePicture(f"it is too large: {what}, {memory.largest()} megapixels are read")
    scales = [1, 2, 4, 8] if pixels <= FULL else [2, 4, 8]
    copies = 6 if header.format == "JPEG" else 3  # bytes per pixel: OpenCV makes one for Python
    needs = [size + int(pixels * (header.held + copies / scale**2)) for scale in scales]
    most = memory.most(alone=True)
    scale, need = next(
        ((scale, need) for scale, need in zip(scales, needs) if need <= most),
        (scales[-1], needs[-1]),
    )
    try:
        memory.claim(need, f"it is too large: {what} of {header.format}")
    except memory.TooLarge as error:
        raise UnreadablePicture(str(error)) from error
    return scale


def _by_opencv(data, header, scale):
    """The pixels as OpenCV decodes them, upright; None if it cannot."""
    flags = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    flag = flags.get(scale, cv2.IMREAD_REDUCED_COLOR_8)
    if scale == 1:
        flag = cv2.IMREAD_COLOR
        if header.format != "PNG":  # its decoder makes 8 bits of 16 itself
            flag |= cv2.IMREAD_ANYDEPTH
    try:
        image = cv2.imdecode(data, flag)
    except cv2.error as error:
        if "nsufficient memory" in str(error):
            raise MemoryError from error
        raise UnreadablePicture(str(error).strip().splitlines()[0]) from error
    return None if image is None else _upright(image, header.orientation)


def _what_is_left(data, header, scale):
    """The pixels of a file that is cut short, as far as they are there; None if there are none."""
    if header.format == "JPEG":  # its end is what OpenCV misses
        image = _by_opencv(np.append(data, np.frombuffer(b"\xff\xd9", np.uint8)), header, scale)
        if image is not None:
            return image
    if data[8:12].tobytes() == b"WEBP":  # is read when it is as long as it says
        missing = int.from_bytes(data[4:8].tobytes(), "little") + 8 - len(data)
        if 0 < missing < 3 * len(data):
            return _by_opencv(np.append(data, np.zeros(missing, np.uint8)), header, scale)
    if header.format in ("", "AVIF", "WEBP") or scale != 1:
        return None
    with contextlib.suppress(UnreadablePicture):
        return _by_pillow(data)


def _by_pillow(data):
    """(H, W, 3) uint8 BGR as Pillow decodes a picture, upright, even if its end is missing."""
    try:
        with _pillow(), Image.open(io.BytesIO(memoryview(data))) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return cv2.cvtColor(np.asarray(upright), cv2.COLOR_RGB2BGR)
    except MemoryError:
        raise
    except Exception as error:  # of many kinds
        raise UnreadablePicture("it is damaged or not a picture") from error


@contextlib.contextmanager
def _pillow():
    """Let Pillow, in the block, read large pictures (limits are ours) and those cut short."""
    with _pillow_lock:
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, True
        try:
            with warnings.catch_warnings(action="ignore"):
                yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


@functools.cache
def _heif():
    """Whether HEIC can be read; pillow-heif is imported with the first such picture."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _upright(image, orientation):
    """A picture turned as EXIF's orientation says, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image = cv2.transpose(image)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(image, flips[orientation]) if orientation in flips else image


def _as_8_bit(image):
    """(H, W, 3) of any type as uint8; floating point is linear light, in which 1 is white."""
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        image = np.nan_to_num(image.astype(np.float32))
        return (255 * np.clip(image, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return image
