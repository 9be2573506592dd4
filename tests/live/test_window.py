import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.live import window
from helpers import ROOT, until
from helpers.pictures import write_video

ALONE = """
import numpy as np
from age_gender.live import window
with window.Window("result") as shown:
    while shown.show(np.full((300, 400, 3), 90, np.uint8), wait_for_key=True) is not None:
        print("shown", flush=True)
"""


@pytest.fixture
def alone(on_screen, tmp_path, monkeypatch):
    """A window that shows the same picture again with every key."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")  # for other programs
    (tmp_path / "alone.py").write_text(ALONE)
    return on_screen(tmp_path / "alone.py")


@pytest.fixture
def demo(on_screen, tiny_weights):
    """Start demo.py with options."""

    def with_options(*options):
        return on_screen(ROOT / "demo.py", "--weight_file", tiny_weights[0], *options)

    return with_options


def test_pictures_are_gone_through_in_both_directions_and_the_last_ends(demo, pictures):
    (pictures / "3.png").write_bytes((pictures / "2.png").read_bytes())
    program = demo("--image_dir", pictures)
    for key, title in (
        ("Right", "2.png - 2 of 3"),
        ("Left", "1.png - 1 of 3"),
        ("End", "3.png - 3 of 3"),
        ("Shift_L", "3.png - 3 of 3"),
        ("BackSpace", "2.png - 2 of 3"),
        ("Home", "1.png - 1 of 3"),
        ("n", "2.png - 2 of 3"),
    ):
        program.press(key)
        until(lambda title=title: program.title() == title)
    program.press("space")
    program.press("space")
    assert program.wait() == 0, program.said()
    assert program.said() == ""


@pytest.mark.parametrize("key", ["Escape", "q"])
def test_escape_and_q_end_it(alone, key):
    alone.press("space")
    until(alone.printed)
    assert alone.running()
    alone.press(key)
    assert alone.wait() == 0, alone.said()
    assert alone.printed() == "shown\n"


def test_closing_the_window_ends_it(alone):
    alone.close()
    assert alone.wait() == 0, alone.said()


def test_video_plays_to_its_end(demo, tmp_path, astronaut):
    program = demo("--source", write_video(tmp_path / "clip.avi", astronaut, 8))
    assert program.wait() == 0
    assert program.said() == ""


def test_picture_larger_than_the_screen_fits_in_a_window_of_changeable_size(
    on_screen, tmp_path, monkeypatch
):
    (tmp_path / "alone.py").write_text(ALONE.replace("(300, 400, 3)", "(2160, 3840, 3)"))
    program = on_screen(tmp_path / "alone.py")
    width, height = until(program.size)
    assert 500 < width < 1024 and height < 768  # of the screen
    program.resize(600, 400)
    program.press("space")
    until(lambda: program.size() == (600, 400))
    program.press("q")
    assert program.wait() == 0, program.said()


def test_full_screen_fills_the_screen(on_screen, tmp_path):
    (tmp_path / "alone.py").write_text(ALONE.replace('"result"', '"result", full_screen=True'))
    program = on_screen(tmp_path / "alone.py")
    until(lambda: program.size() == (1024, 768))
    program.press("q")
    assert program.wait() == 0, program.said()


def test_screen_is_asked_for_its_size(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    assert window.screen_size.__wrapped__() == (1024, 768)
    monkeypatch.setenv("DISPLAY", ":4711")
    assert window.screen_size.__wrapped__() == window.SCREEN


@pytest.mark.parametrize("platform", ["offscreen", "wayland", "bogus"])
def test_platform_that_qt_is_told_to_use_elsewhere_is_not_used(display, monkeypatch, platform):
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setenv("QT_QPA_PLATFORM", platform)
    window.require_display("do otherwise")


def test_without_a_display_one_line_says_what_works(monkeypatch):
    for display in ("", ":4711"):
        monkeypatch.setenv("DISPLAY", display)
        with pytest.raises(UserError) as error:
            window.require_display("do otherwise")
        assert str(error.value) == "no display to open a window on: do otherwise"


def test_keys_of_all_systems_mean_the_same():
    for codes, key in {
        (0xFF51, 0x250000, 0xF702, 0x11FF51): window.LEFT,
        (0xFF53, 0x270000, 0xF703): window.RIGHT,
        (ord("s"), 0x100073): ord("s"),
        (-1, 0, 0xFFE1, 0x700000): window.NO_KEY,
    }.items():
        assert {window._key(code) for code in codes} == {key}


def test_picture_keeps_its_aspect_between_bars():
    image = np.full((30, 40, 3), 200, np.uint8)
    assert window.letterboxed(image, 40, 30) is image
    assert window.letterboxed(image, 81, 60).min() == 200
    wide = window.letterboxed(image, 200, 60)
    assert wide.shape == (60, 200, 3)
    assert not wide[:, :60].any() and not wide[:, 140:].any() and wide[:, 60:140].all()
