import numpy as np
import pytest

from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame
from age_gender.live.player import Shown
from age_gender.live.worker import AnalysedFace
from age_gender.output.caption import Caption, captioned
from age_gender.output.drawing import COLOUR

LONG = Caption(
    "a question for visitors, however long it becomes " * 4, "a detail", (("Y", "yes"),), True
)


def shown(height=480, width=640):
    """A frame whose pixels are bright, so that what is drawn shows."""
    estimate = Estimate(30.0, 0.9)
    faces = [AnalysedFace(1, Face(width // 3, height // 3, 60, 60, 1.5), estimate, estimate)]
    frame = Frame.now("camera 0", np.full((height, width, 3), 200, np.uint8), 1)
    return Shown(frame, faces, None, "not drawn")


@pytest.mark.parametrize("caption", [Caption("a line"), LONG])
@pytest.mark.parametrize("size", [None, (1280, 720), (1920, 1080), (720, 1280), (320, 240)])
def test_caption_is_below_the_picture_and_inside_the_screen(size, caption):
    image = captioned(shown(), caption, size)
    height, width = image.shape[:2]
    assert (width, height) == (size or (640, height))
    foot = image[-height // 6 :]
    assert (foot.min(axis=2) > 230).sum() > 20  # letters
    assert not (foot[:, [0, 1, -2, -1]].min(axis=2) > 230).any()
    assert ((foot == COLOUR).all(axis=2).mean() > 0.3) == caption.asks
    assert (image == 200).all(axis=2).sum() >= 0.3 * width * height


def test_number_and_flash_are_on_the_picture_alone():
    plain, counted, flashed = (
        captioned(shown(), Caption("a line"), **options)
        for options in ({}, {"counting": 3}, {"flashing": True})
    )
    assert (plain[:240] == counted[:240]).all() and (plain[240:480] != counted[240:480]).any()
    assert (plain[480:] == counted[480:]).all() and (plain[480:] == flashed[480:]).all()
    assert flashed[:480].mean() > plain[:480].mean() + 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2160, 3840)])
def test_frame_of_any_shape_fits(shape):
    assert captioned(shown(*shape), LONG, (1280, 720)).shape == (720, 1280, 3)
    assert captioned(shown(*shape), LONG).shape[1] >= shape[1]
