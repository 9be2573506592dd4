"""The sound of a video file, for the video that is written of its pictures.

A second reader of the file gives the packets of its first audio track as far as the pictures have
come, so that the memory it takes does not grow. A codec that MP4 holds is copied, any other becomes
AAC.
"""

import contextlib
import io
from fractions import Fraction

from age_gender.command_line import UserError, log, printable
from age_gender.video_reader import ffmpeg_file

COPIED = {"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"}
BIT_RATE = 64_000  # per second and channel, of AAC that is made here
RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}  # others become the last
RUN_UP = 0.5  # seconds before the first picture that are decoded for what follows
RESTART = 1.0  # seconds back that are no mere disorder


@contextlib.contextmanager
def open_sound(path):
    """Yield the `Sound` of a video file; None without one, or with a warning if it is unreadable.

    Args:
        path: of the video file; None for no sound.
    """
    with contextlib.ExitStack() as stack:
        yield None if path is None else _sound(path, stack)


def _sound(path, stack):
    try:
        with _reader(path) as container:
            if not container.streams.audio or not container.streams.video:
                return None
            copied = _can_be_copied(container)
        return Sound(stack.enter_context(_reader(path)), printable(str(path)), copied)
    except (UserError, *_errors()) as error:
        _warn(printable(str(path)), error)
        return None


def _errors():
    import av  # slow to import

    return OSError, av.FFmpegError, ValueError, RuntimeError


@contextlib.contextmanager
def _reader(path):
    import av

    with ffmpeg_file(path) as (address, options):
        with av.open(address, options=options, metadata_errors="ignore") as container:
            yield container


def _can_be_copied(container):
    """Whether MP4 takes the audio of an open file as it is, by its first packet."""
    import av

    stream = container.streams.audio[0]
    coder = stream.codec_context
    if coder is None or not coder.sample_rate:
        raise ValueError("its codec is unknown")
    codec = coder.codec.canonical_name
    if codec not in COPIED or (codec == "aac" and not coder.extradata):  # as in MPEG-TS
        return False
    try:
        with av.open(io.BytesIO(), "w", format="mp4") as trial:
            made = trial.add_stream_from_template(stream)
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream, packet.pts, packet.dts = made, 0, 0
                    trial.mux(packet)
                    break
    except _errors():
        return False
    return True


def _warn(name, error):
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    log(f"warning: the sound of {name} cannot be read ({reason}): the video has no more of it")


class Sound:
    """The first audio track of a video file.

    Its times are those of the container, of which the pictures have theirs. After an error it warns
    once and gives nothing more.

    Args:
        container: the file, opened by PyAV.
        name: of the file, for the warning.
        copied: packets are copied; else they become AAC.

    Attributes:
        start: time of the first written picture, as `frames.Frame` has it; set before `packets`.
    """

    def __init__(self, container, name, copied):
        self.start = 0.0
        self._container, self._name, self._copied = container, name, copied
        self._stream = container.streams.audio[0]
        pictures = container.streams.best("video")
        self._zero = float((pictures.start_time or 0) * pictures.time_base)
        self._end = None  # of the newest packet that was read, in seconds
        self._waiting = None  # the packet behind the time that was asked for
        self._ended = False
        self._track = None  # stream of the written file
        self._written = -1  # dts of its newest packet

    def add_to(self, container):
        """Add the track to a file, before its first packet; after an error there is none."""
        try:
            if self._copied:
                self._track = container.add_stream_from_template(self._stream)
            else:
                coder = self._stream.codec_context
                rate = coder.sample_rate if coder.sample_rate in RATES else max(RATES)
                channels = 1 if coder.channels == 1 else 2
                self._track = container.add_stream("aac", rate=rate)
                self._track.codec_context.layout = "mono" if channels == 1 else "stereo"
                self._track.codec_context.bit_rate = BIT_RATE * channels
        except _errors() as error:
            self.fail(error)

    def fail(self, error):
        """Warn of an error, and give nothing more."""
        if not self._ended:
            _warn(self._name, error)
        self._ended, self._waiting = True, None

    def packets(self, until, last=False):
        """Yield the packets up to a time, for `mux`.

        Args:
            until: seconds since the first picture.
            last: nothing is asked for any more.
        """
        if self._track is None:
            return
        try:
            for packet in self._read(until):
                yield from self._placed([packet] if self._copied else self._encoded(packet))
            if last and not self._copied and self._written >= 0:
                yield from self._placed(self._track.encode(None))
        except _errors() as error:
            self.fail(error)

    def _read(self, until):
        """Yield packets of the source, with times (seconds since the first picture) in order."""
        while not self._ended:
            packet = self._waiting or next(self._container.demux(self._stream), None)
            self._waiting = None
            if packet is None or (packet.dts is None and not packet.size):
                self._ended = True
                return
            begin = self._begin(packet)
            if begin >= until:
                self._waiting = packet
                return
            length = float((packet.duration or 0) * packet.time_base)
            if self._end is not None and begin < self._end - length - RESTART:
                raise ValueError(f"its times go back at {self._end:.1f} s")
            self._end = begin + length
            if begin > -RUN_UP - length:
                yield packet

    def _begin(self, packet):
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None:
            return self._end or 0.0
        return float(stamp * packet.time_base) - self._zero - self.start

    def _encoded(self, packet):
        begin = self._begin(packet)
        try:
            frames = packet.decode()
        except _errors():  # the next one may be whole
            return
        for frame in frames:
            if frame.pts is not None:
                begin = float(frame.pts * frame.time_base) - self._zero - self.start
            frame.time_base = Fraction(1, frame.sample_rate)
            frame.pts = round(begin * frame.sample_rate)
            begin += frame.samples / frame.sample_rate
            yield from self._track.encode(frame)

    def _placed(self, packets):
        """Those packets that begin with the first picture or later, in the track's time."""
        for packet in packets:
            if self._copied:
                stamp = round(self._begin(packet) / packet.time_base)
                packet.pts = packet.dts = stamp
            if packet.dts is None or packet.pts < 0 or packet.dts <= self._written:
                continue
            self._written = packet.dts
            packet.stream = self._track
            yield packet
