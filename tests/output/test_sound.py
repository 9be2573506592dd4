from fractions import Fraction

import av
import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.frames import open_source
from age_gender.live.analyst import Analysis
from age_gender.live.player import Shown
from age_gender.output.video import open_recording
from helpers.disk import limited_files

RATE, FRAMES, FLASH = 10, 30, 1.5  # frames per second, their number, seconds of flash and click


def write_clip(path, codec, seconds=FRAMES / RATE, offset=0.0, rate=48000, coder="mpeg4"):
    """A clip with a white picture and a click at `FLASH`; ``offset``: time of its first picture."""
    click = np.zeros(round(seconds * rate), np.float32)
    click[round(FLASH * rate) : round((FLASH + 0.01) * rate)] = 0.9
    with av.open(str(path), "w") as made:
        pictures = made.add_stream(coder, rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 1000)
        track = made.add_stream(codec, rate=rate)
        track.codec_context.layout = "mono"
        frames = [(round(n * rate / RATE), n) for n in range(FRAMES)]
        for begin, number in frames:
            image = np.full((48, 64, 3), 255 if number == FLASH * RATE else 0, np.uint8)
            picture = av.VideoFrame.from_ndarray(image, format="bgr24")
            picture.pts = round((offset + number / RATE) * 1000)
            picture.time_base = Fraction(1, 1000)
            made.mux(pictures.encode(picture))
            piece = click[begin : begin + rate // RATE]
            if len(piece):
                samples = av.AudioFrame.from_ndarray(piece[None], format="fltp", layout="mono")
                samples.rate, samples.time_base = rate, Fraction(1, rate)
                samples.pts = begin + round(offset * rate)
                made.mux(track.encode(samples))
        made.mux(pictures.encode(None))
        made.mux(track.encode(None))
    return path


def steps(path):
    """Seconds from each of the sound's packets to the next, but the last of them."""
    with av.open(str(path)) as made:
        times = [float(p.dts * p.time_base) for p in made.demux(audio=0) if p.dts is not None]
    return np.diff(times)[:-1]


def record(path, folder, first=1, last=FRAMES):
    """Write the frames of a clip from one number to another, as they are."""
    with open_recording(folder, RATE, sound_of=path) as recording:
        for frame in open_source(path):
            if first <= frame.number <= last:
                shown = Shown(frame, [], Analysis(frame, []), None)
                recording.add(shown, frame.image)
    return folder / "video.mp4"


def heard(path):
    """(codec, seconds of the flash, seconds of the click, seconds of sound) of a video."""
    with av.open(str(path)) as made:
        codec = made.streams.audio[0].codec_context.codec.canonical_name
        flash = next(
            f.time for f in made.decode(video=0) if f.to_ndarray(format="gray").mean() > 99
        )
    with av.open(str(path)) as made:
        pieces = [(f.time, f.sample_rate, f.to_ndarray()[0]) for f in made.decode(audio=0)]
    loud = [
        time
        + np.abs(
            samples / np.iinfo(samples.dtype).max if samples.dtype.kind == "i" else samples
        ).argmax()
        / rate
        for time, rate, samples in pieces
        if np.abs(samples.astype(float)).max() > (0.3 if samples.dtype.kind == "f" else 9000)
    ]
    return codec, flash, loud[0], pieces[-1][0] + len(pieces[-1][2]) / pieces[-1][1]


def warning(path, reason):
    return f"warning: the sound of {path} cannot be read ({reason}): the video has no more of it\n"


CLIPS = [
    ("clip.mp4", "aac", "aac"),
    ("clip.mkv", "aac", "aac"),
    ("clip.ts", "aac", "aac"),
    ("clip.mkv", "libmp3lame", "mp3"),
    ("clip.mkv", "ac3", "ac3"),
    ("clip.mkv", "eac3", "eac3"),
    ("clip.mkv", "libopus", "opus"),
    ("clip.mov", "alac", "alac"),
    ("clip.mkv", "flac", "flac"),
    ("clip.avi", "pcm_s16le", "aac"),
    ("clip.mkv", "pcm_s16le", "aac"),
    ("clip.mkv", "mp2", "aac"),
]


@pytest.mark.parametrize("first", [1, 8])
@pytest.mark.parametrize(("name", "codec", "written"), CLIPS)
def test_sound_goes_with_the_pictures(tmp_path, capsys, name, codec, written, first):
    made = record(write_clip(tmp_path / name, codec), tmp_path / "out", first)
    found, flash, click, end = heard(made)
    assert found == written
    assert np.ptp(steps(made)) < 2e-3  # Matroska's times are whole milliseconds
    assert flash == pytest.approx(FLASH - (first - 1) / RATE, abs=0.01)
    assert click == pytest.approx(flash, abs=0.05)
    assert end == pytest.approx((FRAMES - first + 1) / RATE, abs=0.1)
    assert capsys.readouterr().err == ""


def test_sound_that_begins_later_or_ends_earlier_stays_where_it_is(tmp_path):
    """And a file whose times do not begin at zero."""
    short = record(write_clip(tmp_path / "a.mkv", "flac", seconds=2.0), tmp_path / "short")
    assert heard(short)[1:] == pytest.approx((FLASH, FLASH, 2.0), abs=0.05)
    shifted = record(write_clip(tmp_path / "b.mkv", "mp2", offset=7.0), tmp_path / "shifted")
    assert heard(shifted)[1:] == pytest.approx((FLASH, FLASH, 3.0), abs=0.05)


@pytest.mark.parametrize("rate", [44100, 96000])
def test_sound_of_any_rate_becomes_aac(tmp_path, rate):
    made = record(write_clip(tmp_path / "a.mkv", "pcm_s16le", rate=rate), tmp_path / "out")
    assert heard(made)[:3] == ("aac", FLASH, pytest.approx(FLASH, abs=0.05))
    with av.open(str(made)) as container:
        assert container.streams.audio[0].rate == min(rate, 48000)


def test_recording_that_is_stopped_has_sound_up_to_there(tmp_path):
    made = record(write_clip(tmp_path / "a.mp4", "aac"), tmp_path / "out", last=20)
    assert heard(made)[3] == pytest.approx(2.0, abs=0.05)


def test_file_that_was_not_closed_has_sound_in_its_fragments(tmp_path):
    path = write_clip(tmp_path / "a.mp4", "aac")
    with open_recording(tmp_path / "out", RATE, sound_of=path) as recording:
        for frame in open_source(path):
            recording.add(Shown(frame, [], Analysis(frame, []), None), frame.image)
            if frame.number == 25:
                (tmp_path / "cut.mp4").write_bytes((tmp_path / "out/video.mp4.part").read_bytes())
    _, flash, click, end = heard(tmp_path / "cut.mp4")
    assert np.ptp(steps(tmp_path / "cut.mp4")) < 2e-3
    assert (flash, click, end) == pytest.approx((FLASH, FLASH, 2.4), abs=0.05)


def test_full_disk_keeps_pictures_and_sound(tmp_path):
    path = write_clip(tmp_path / "a.mkv", "pcm_s16le")
    with limited_files(20_000), pytest.raises(OSError, match="frames are kept"):
        record(path, tmp_path / "out")
    with av.open(str(tmp_path / "out" / "video.mp4")) as made:
        kinds = [packet.stream.type for packet in made.demux() if packet.size]
    assert 1 < kinds.count("video") < FRAMES and kinds.count("audio") > 20


def test_broken_sound_is_one_warning_and_the_video_goes_on(tmp_path, capsys):
    path = write_clip(tmp_path / "a.mkv", "flac")
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_NONE"))
    made = record(path, tmp_path / "out")
    with av.open(str(made)) as container:
        assert not container.streams.audio and len(list(container.decode(video=0))) == FRAMES
    assert capsys.readouterr().err == warning(path, "its codec is unknown")


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.mp4"])
def test_damaged_sound_stops_no_video(tmp_path, capsys, name):
    rng, path = np.random.default_rng(0), tmp_path / name
    whole = write_clip(path, "aac" if name == "a.mp4" else "mp2").read_bytes()
    for trial in range(15):
        content = bytearray(whole)
        for place in rng.integers(len(whole) // 3, len(whole) * 9 // 10, size=3 + 10 * trial):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            pictures = sum(1 for _ in open_source(path))
        except UserError:
            continue
        capsys.readouterr()
        with open_recording(tmp_path / f"out{trial}", RATE, sound_of=path) as recording:
            for frame in open_source(path):
                recording.add(Shown(frame, [], Analysis(frame, []), None), frame.image)
        assert recording.frames == pictures
        assert capsys.readouterr().err.count("warning: the sound of") <= 1


def test_video_without_sound_has_none(tmp_path, capsys):
    path = tmp_path / "a.mp4"
    with open_recording(tmp_path / "first", RATE) as recording:
        for frame in open_source(write_clip(path, "aac")):
            recording.add(Shown(frame, [], Analysis(frame, []), None), frame.image)
    silent = tmp_path / "first" / "video.mp4"
    made = record(silent, tmp_path / "out")
    with av.open(str(made)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert capsys.readouterr().err == ""
