"""Writes a video whose frames have times of their own, and keeps what is whole when that fails.

H.264 in an MP4 file, by FFmpeg's libraries (PyAV): unlike OpenCV's writer it takes any times, and
says when the disk is full. Until it is closed the file consists of fragments, each of which can be
played without those behind it, with all frames but the newest; closing it makes it an ordinary MP4
file.
"""

import contextlib
import os
import struct
from fractions import Fraction

import cv2

from age_gender.command_line import UserError, log
from age_gender.files import replace, sync

TICKS = 60000  # per second, at most 65535 in MPEG-4; they divide the usual rates
H264 = "libx264"
# About as good as MPEG-4 of QUALITY and smaller (1280 x 720, a test picture: 40.1 dB and 18.5 kB a
# frame against 40.4 dB and 28.2 kB, 5.9 ms against 4.0); without a delay, for `keep_whole`.
H264_OPTIONS = {"preset": "superfast", "crf": "20", "tune": "zerolatency"}
QUALITY = 3  # quantiser of MPEG-4, from 1 (best) to 31
BT601 = 6  # FFmpeg's number of the colours that its conversion from BGR gives
LONGEST = 1000.0  # seconds that one frame is shown; MPEG-4 allows an hour
FRAGMENTS = {"movflags": "hybrid_fragmented+frag_every_frame"}
# No picture waits for sound that does not come, and sound that begins later stays there. A fragment
# for each packet that comes would give some of the sound's packets the time of the next one.
WITH_SOUND = {
    "movflags": "hybrid_fragmented",
    "frag_duration": "1000",  # microseconds
    "max_interleave_delta": "1",
    "avoid_negative_ts": "disabled",
}
INDEX_IN_FRONT = {"movflags": "faststart", "avoid_negative_ts": "disabled"}


class VideoWriter:
    """A video file that is being written.

    Pictures of another size than the first are resized to it; an odd row or column is left out.

    Args:
        path: the file, replaced if it exists.
        rate: frames per second, for how long the last frame is shown.
        sound: `sound.Sound`; None for none.

    Attributes:
        frames: how many it was given; a longer pause than `LONGEST` has frames of its own.
    """

    def __init__(self, path, rate, sound=None):
        self.path = path
        self.frames = 0
        self._sound = sound
        self._duration = max(round(TICKS / rate), 1)
        self._file = _File(path)
        self._container = self._picture = None
        self._tick = -1  # of the newest frame

    @property
    def error(self):
        """The `OSError` at which the file stopped to grow, or None."""
        return self._file.error

    def write(self, picture, seconds):
        """Add a picture.

        Args:
            picture: (H, W, 3) uint8 BGR.
            seconds: since the first picture, later than those before.

        Raises `OSError` where the file cannot grow; then only `close` may follow.
        """
        if self._container is None:
            self._open(picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2)
        width, height = self._size
        if (picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2) == (height, width):
            picture = picture[:height, :width]
        else:
            picture = cv2.resize(picture, self._size)
        tick, pause = max(round(seconds * TICKS), self._tick + 1), round(LONGEST * TICKS)
        self._mux_sound(tick)
        while self._picture is not None and tick - self._tick > pause:
            self._encode(self._picture, self._tick + pause)
        self._picture = picture
        self._encode(picture, tick)

    def close(self):
        """Finish the file on the disk; if it could not grow, as far as it is whole.

        Raises `OSError` if that cannot be done.
        """
        try:
            if self._container is not None:
                with contextlib.suppress(OSError, self._failure):  # `error` has the reason
                    self._finish()
            if self.error is not None:
                self._file.keep_whole()
            sync(self._file.raw)
        finally:
            self._file.raw.close()

    def _open(self, width, height):
        import av  # slow to import

        self._size = (width, height)
        self._failure = av.FFmpegError
        self._to_frame = av.VideoFrame.from_ndarray
        options = WITH_SOUND if self._sound else FRAGMENTS
        self._container = av.open(self._file, "w", format="mp4", options=options)
        if H264 in av.codecs_available:
            self._stream = self._container.add_stream(H264, rate=30, options=H264_OPTIONS)
        else:
            log("warning: PyAV has no H.264 encoder here: MPEG-4 instead, which no browser plays")
            self._stream = self._container.add_stream("mpeg4", rate=30)
            self._stream.codec_context.qmin = self._stream.codec_context.qmax = QUALITY
        coder = self._stream.codec_context
        coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
        coder.colorspace = BT601
        coder.time_base = self._stream.time_base = Fraction(1, TICKS)
        try:
            coder.open()
        except av.FFmpegError as error:
            raise UserError(
                f"{self.path}: a video cannot have {width} x {height} pixels: give a smaller one"
            ) from error
        if self._sound is not None:
            self._sound.add_to(self._container)

    def _encode(self, picture, tick):
        frame = self._to_frame(picture, format="bgr24")
        frame.pts, frame.time_base = tick, Fraction(1, TICKS)
        self._mux(self._stream.encode(frame))
        self.frames += 1
        self._tick = tick

    def _mux(self, packets):
        for packet in packets:
            packet.duration = self._duration
            try:
                self._container.mux(packet)
            except (OSError, self._failure) as error:
                failed = self.error or OSError(error.errno, error.strerror, str(self.path))
                raise failed from error
        if self.error is not None:
            raise self.error

    def _mux_sound(self, tick, last=False):
        if self._sound is None:
            return
        for packet in self._sound.packets(tick / TICKS, last):
            try:
                self._container.mux(packet)
            except (OSError, self._failure) as error:
                if self.error is not None:
                    raise self.error from error
                self._sound.fail(error)
                return

    def _finish(self):
        try:
            if self.error is None:
                self._mux_sound(self._tick + self._duration, last=True)
                self._mux(self._stream.encode(None))
        finally:
            self._container.close()


class _File:
    """The file that FFmpeg writes to; after the first error nothing is written any more.

    Attributes:
        raw: the open file.
        error: that error, or None.
    """

    def __init__(self, path):
        self.raw = open(path, "wb+", buffering=0)  # noqa: SIM115
        self.error = None
        self._path = str(path)

    def write(self, data):
        if self.error is not None:
            raise self.error
        left = memoryview(data)
        try:
            while left:
                left = left[self.raw.write(left) :]
        except OSError as error:
            self.error = OSError(error.errno, error.strerror, self._path)
            raise self.error from error
        return len(data)

    def seek(self, offset, whence=os.SEEK_SET):
        return self.raw.seek(offset, whence)

    def tell(self):
        return self.raw.tell()

    def seekable(self):
        return True

    def keep_whole(self):
        """Cut the file behind the last fragment (a moof box and its mdat) that is whole."""
        size, at, whole = os.fstat(self.raw.fileno()).st_size, 0, 0
        while at + 8 <= size:
            self.raw.seek(at)
            length, kind = struct.unpack(">I4s", self.raw.read(8))
            at += max(length, 8)
            if kind == b"mdat" and at <= size:
                whole = at
        self.raw.truncate(whole)


def move_index_forward(path):
    """Rewrite a complete video with its index in front, so that it can be played while it loads.

    Where that fails, as on a disk without room for two of it, the video stays as it is.
    """
    import av  # slow to import

    made = f"{os.path.abspath(path)}.front"
    try:
        _rewrite(path, made)
        if count_frames(made) == count_frames(path):
            with open(made, "rb+") as file:
                sync(file)
            replace(made, path)
    except (OSError, ValueError, av.FFmpegError):
        pass
    finally:
        with contextlib.suppress(OSError):
            os.unlink(made)


def _rewrite(path, made):
    import av

    with open(path, "rb") as file, av.open(file) as source:
        with av.open(f"file:{made}", "w", format="mp4", options=INDEX_IN_FRONT) as target:
            tracks = [target.add_stream_from_template(each) for each in source.streams]
            for packet in source.demux():
                if packet.size:
                    packet.stream = tracks[packet.stream.index]
                    target.mux(packet)


def count_frames(path):
    """How many frames a video file holds; 0 if it is none."""
    import av  # slow to import

    try:
        with open(path, "rb") as file, av.open(file) as container:
            return sum(packet.size > 0 for packet in container.demux(video=0))
    except av.FFmpegError:
        return 0
