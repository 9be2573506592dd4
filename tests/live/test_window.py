import time

import pytest

from age_gender.command_line import UserError
from age_gender.live import window
from helpers import ROOT
from helpers.pictures import write_video

ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from age_gender.live import window
with window.Window("result") as shown:
    while shown.show(np.full((300, 400, 3), 90, np.uint8), wait_for_key=True) is not None:
        pass
"""


@pytest.fixture
def demo(start, tiny_weights):
    """Start demo.py with options."""

    def with_options(*options):
        return start(ROOT / "demo.py", "--weight_file", tiny_weights[0], *options)

    return with_options


def test_any_key_goes_to_the_next_picture_and_the_last_ends(demo, start, pictures):
    process = demo("--image_dir", pictures)
    start.press("space")
    time.sleep(1)
    assert process.poll() is None
    start.press("n")
    assert process.wait(10) == 0, process.stderr.read()
    assert process.stderr.read() == ""


@pytest.mark.parametrize("key", ["Escape", "q"])
def test_escape_and_q_end_it(start, key):
    process = start("-c", ALONE, ROOT)
    start.press("space")
    time.sleep(0.3)
    assert process.poll() is None
    start.press(key)
    assert process.wait(10) == 0, process.stderr.read()


def test_closing_the_window_ends_it(start):
    process = start("-c", ALONE, ROOT)
    start.close()
    assert process.wait(10) == 0, process.stderr.read()


def test_video_plays_to_its_end(demo, tmp_path, astronaut):
    process = demo("--source", write_video(tmp_path / "clip.avi", astronaut, 8))
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_without_a_display_one_line_says_what_works(monkeypatch):
    for display in ("", ":4711"):
        monkeypatch.setenv("DISPLAY", display)
        with pytest.raises(UserError) as error:
            window.require_display("do otherwise")
        assert str(error.value) == "no display to open a window on: do otherwise"
