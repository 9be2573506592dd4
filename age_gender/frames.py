"""Pictures, cameras and video files as frames: one iterator with one kind of item."""

import os
import re
import time
import urllib.parse
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from age_gender import system
from age_gender.command_line import UserError, log, printable
from age_gender.listing import OUTPUT, counted
from age_gender.pictures import read
from age_gender.processes import attempt
from age_gender.video_reader import CAPTURE_OPTIONS, ONLY, Clock, images, open_capture, open_file

NOMINAL_RATE = 30.0  # frames per second of a camera, and of a video that does not state its own
CAMERA_SIZE = 640, 480  # as the original asks for
SLOWEST, FASTEST = 0.001, 1000.0  # frames per second; what is stated beyond is a mistake
STREAMS = "http https rtmp rtmps rtp rtsp rtsps srt tcp udp".split()  # noqa: SIM905
STREAM_PROTOCOLS = [*STREAMS, "crypto", "httpproxy", "srtp", "tls"]  # no files of this machine
STREAM_TIMEOUT = 10_000  # milliseconds that the server of a stream has to answer
TRANSPORT = "rtsp_transport;tcp"  # as OpenCV's default


class Frame(NamedTuple):
    """A picture of a source.

    Attributes:
        name: what results are reported under.
        image: (H, W, 3) uint8 BGR.
        number: from 1.
        time: seconds by the source's own clock, for intervals between its frames: the position in
            a video file, else when it was read.
        read: when it was read, in seconds of `time.monotonic`, which goes on when the system's
            clock is set.
    """

    name: str
    image: np.ndarray
    number: int
    time: float
    read: float

    @classmethod
    def now(cls, name, image, number):
        """A frame that is read now, of a source without a clock of its own."""
        moment = time.monotonic()
        return cls(name, image, number, moment, moment)

    @property
    def date(self):
        """When it was read, in seconds since 1970, by the system's clock as it is set now."""
        return time.time() - time.monotonic() + self.read


class PictureFolder:
    """The pictures of a folder. Iterating reads them, and logs what is not read.

    Args:
        listing: `listing.Listing`.

    Attributes:
        exit_code: 0 if all could be read, else a code of `system`.
    """

    def __init__(self, listing):
        self._listing = listing
        self._outcomes = {}  # of the pictures that were read, by number: None or why they are not

    def __len__(self):
        return len(self._listing.pictures)

    def __iter__(self):
        for number in range(1, len(self) + 1):
            frame, _ = self.read(number)
            if frame is not None:
                yield frame
        self.log_left_out()

    def name(self, number):
        """The name of a picture, by its number from 1."""
        return self._listing.name(self._listing.pictures[number - 1])

    def read(self, number):
        """Read a picture: (`Frame`, None), or (None, why it is not read), which is logged once."""
        name = self.name(number)
        picture, problem = attempt(read, self._listing.pictures[number - 1])
        if problem is None and picture.annotated:
            problem = OUTPUT
        remark = None if problem else picture.remark
        if number not in self._outcomes:
            if problem not in (None, OUTPUT):
                log(f"skipped {printable(name)}: {problem}")
            elif remark:
                log(f"{printable(name)}: {remark}: what is left of it is read")
        self._outcomes[number] = problem
        return (None, problem) if problem else (Frame.now(name, picture.image, number), None)

    def log_left_out(self):
        """Log how many files are left out, and why."""
        reasons = [reason for _, reason in self._listing.left_out]
        reasons += [problem for problem in self._outcomes.values() if problem == OUTPUT]
        if reasons:
            log(f"left out: {counted(reasons)}")

    @property
    def exit_code(self):
        problems = [problem for problem in self._outcomes.values() if problem != OUTPUT]
        if not any(problems):
            return 0
        return system.ALL_FAILED if all(problems) else system.SOME_FAILED


def open_source(text, size=None):
    """The `Camera` or `VideoFile` that an index, a path or an address names.

    A file is taken for a file whatever its name looks like. Raises `UserError` if it is a video
    that cannot be read; a camera is opened only when it is iterated over, with ``size`` as in
    `Camera`.
    """
    text = str(text)
    if text.isascii() and text.isdigit():
        return Camera(int(text), size)
    scheme = re.match(r"(?i)([a-z][a-z0-9+.-]*)://", text)
    device = re.match(r"/dev/(video|v4l/)", text) or Path(text).is_char_device()
    if Path(text).is_file() or not (scheme or device):
        return VideoFile(text)
    if device or scheme[1].lower() in STREAMS:
        return Camera(text, size)
    if scheme[1].lower() == "file":
        from urllib.request import url2pathname  # which loads all of HTTP

        return VideoFile(url2pathname(urllib.parse.urlsplit(text).path))
    raise UserError(
        f"{scheme[1]}:// is no address that can be read: it may begin with {', '.join(STREAMS)}"
    )


class Camera:
    """A camera, or a stream of the network. Iterating opens it and yields frames until it fails.

    Args:
        source: index of a camera, path of its device, or address of a stream.
        size: width and height in pixels that a camera is asked for; None for `CAMERA_SIZE`.

    Attributes:
        size: as the argument.
        is_stream: it is of the network, whose pictures have the size that they have.
        live: frames come at their own speed and cannot wait.
        rate: nominal frames per second.
        name: what it is called; an address is without user and password.
    """

    live = True
    rate = NOMINAL_RATE

    def __init__(self, source, size=None):
        self.source = source
        self.is_stream = "://" in str(source)
        self.size = size
        self.name = f"stream {without_password(source)}" if self.is_stream else f"camera {source}"

    def __iter__(self):
        with open_capture(*self._target()) as capture:
            if not capture.isOpened():
                raise UserError(f"no {self.name}: {self._remedy()}")
            if not self.is_stream:
                width, height = self.size or CAMERA_SIZE
                capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
                capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            for number, image in images(capture, self.name):
                if number == 1 and self.size not in (None, image.shape[1::-1]):
                    given = "x".join(map(str, image.shape[1::-1]))
                    log(f"{self.name} has no {width}x{height}: its pictures are {given}")
                yield Frame.now(self.name, image, number)
        raise UserError(f"{self.name} delivers no more pictures: connect it again")

    def _target(self):
        """The arguments of cv2.VideoCapture, and FFmpeg's options."""
        if self.is_stream:
            timeouts = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
            limits = [number for each in timeouts for number in (each, STREAM_TIMEOUT)]
            options = os.environ.get(CAPTURE_OPTIONS, TRANSPORT)
            allowed = ONLY.format(",".join(STREAM_PROTOCOLS))
            return (self.source, cv2.CAP_FFMPEG, limits), f"{options}|{allowed}"
        if isinstance(self.source, int):
            return (self.source,), None
        device = os.path.realpath(self.source)  # by-id and by-path are links to /dev/videoN
        index = re.fullmatch(r"/dev/video(\d+)", device)
        return ((int(index[1]),) if index else (device, cv2.CAP_V4L2)), None

    def _remedy(self):
        if self.is_stream:
            return "check its address, user and password, and the network"
        return "connect one, or give the index of another, a video file or a folder of pictures"


def without_password(address):
    """An address as it may be shown: without user, password and query, whatever it looks like."""
    simple = re.fullmatch(
        r"(\w+://)(?:[^@/?#]*@)?([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?(/[\w./~+-]*)?(?:[?#;&][^@]*)?",
        address,
    )
    if simple is None:
        return f"{address.partition('://')[0]}://..."
    return "".join(part or "" for part in simple.groups())


class VideoFile:
    """A video file. Iterating opens it and yields its frames.

    Attributes:
        live: False: each frame waits until it is asked for.
        rate: frames per second as the file states it, else `NOMINAL_RATE`.
    """

    live = False

    def __init__(self, path):
        self.path = str(path)
        self._name = printable(self.path)
        if not Path(path).is_file():
            kind = "is no file" if Path(path).exists() else "does not exist"
            raise UserError(f"{self._name} {kind}: give a camera index or a video file")
        with open_file(self.path) as capture:
            if not capture.isOpened():
                raise UserError(f"{self._name} is not a video that OpenCV can read")
            rate = capture.get(cv2.CAP_PROP_FPS)
            frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.rate = rate if SLOWEST <= rate <= FASTEST else NOMINAL_RATE
        self._lasts = max(frames, 0) / self.rate

    def __iter__(self):
        number, clock, lasts = 0, Clock(self._name, self.rate), self._lasts
        with open_file(self.path) as capture:
            for number, image in images(capture, self._name):
                if clock.last is None:  # Matroska's length counts from zero, positions do not
                    lasts -= max(capture.get(cv2.CAP_PROP_PTS), 0) / self.rate
                position = clock.position(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                yield Frame(f"frame {number}", image, number, position, time.monotonic())
        if not number:
            raise UserError(f"{self._name} holds no frame that OpenCV can read")
        if clock.last + clock.step < 0.95 * lasts - 1:
            log(
                f"warning: {self._name} should last {lasts:.1f} s, and its last frame that "
                f"can be read is at {clock.last:.1f} s: it is damaged or cut short"
            )
