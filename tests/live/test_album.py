import types

import cv2
import numpy as np
import pytest

from age_gender import listing
from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import PictureFolder
from age_gender.live import album, window
from age_gender.live.analyst import Analysis
from age_gender.live.worker import AnalysedFace


class Analyst:
    """Finds a face in each picture, one at a time; ``deaf`` at pictures at which it ends."""

    ready = True

    def __init__(self, deaf=()):
        self.seen, self._deaf, self._frame = [], deaf, None

    @property
    def idle(self):
        return self._frame is None

    def submit(self, frame):
        self.seen.append(frame.number)
        self._frame = None if frame.number in self._deaf else frame

    def poll(self):
        frame, self._frame = self._frame, None
        estimate = Estimate(30.0, 0.9)
        face = AnalysedFace(0, Face(5, 5, 20, 20, 1.0), estimate, estimate)
        return None if frame is None else Analysis(frame, [face])


@pytest.fixture
def folder(tmp_path):
    for number in range(1, 15):
        shade = np.full((60, 80, 3), number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), shade)
    return PictureFolder(listing.list_pictures(tmp_path))


def test_next_picture_is_analysed_ahead_and_earlier_ones_are_not_read_again(folder, monkeypatch):
    analyst = Analyst()
    pictures = album.Album(folder, analyst, (1000, 1000))
    assert pictures.title(2) == "03.png - 3 of 14"
    first = pictures.image(0)
    assert first.shape == (480, 640, 3)
    for _ in range(4):
        pictures.analyse(0)
    assert analyst.seen == [1, 2] and (pictures.image(0) != first).any()
    monkeypatch.setattr(folder, "read", lambda number: pytest.fail("read again"))
    assert pictures.image(1) is pictures.image(1) and pictures.image(0) is not None


def test_memory_holds_few_pictures_however_many_are_looked_at(folder):
    pictures = album.Album(folder, Analyst(), (300, 300))
    for place in range(len(pictures)):
        assert max(pictures.image(place).shape) == 300
        pictures.analyse(place)
    assert len(pictures._images) <= album.KEPT and len(pictures._frames) <= 3


def test_picture_at_which_the_analysis_ends_is_left_after_two_tries(folder):
    analyst = Analyst(deaf=[1])
    pictures = album.Album(folder, analyst, (100, 100))
    for _ in range(6):
        assert pictures.image(0) is not None
        pictures.analyse(0)
    assert analyst.seen[:3] == [1, 1, 2]


def test_unreadable_picture_is_shown_as_such_and_own_output_is_left_out(tmp_path, folder, capsys):
    from age_gender.pictures import marked

    encoded = cv2.imencode(".png", np.zeros((60, 80, 3), np.uint8))[1]
    (tmp_path / "02.png").write_bytes(b"".join(marked(encoded)))
    (tmp_path / "03.png").write_bytes(b"broken")
    keys = iter([window.RIGHT, window.NO_KEY, window.LEFT, window.END, ord("x")])
    titles = []

    def show(image, title, pause):
        titles.append(title)
        return next(keys)

    pictures = album.Album(folder, Analyst(), (1000, 1000))
    assert not album.browse(pictures, types.SimpleNamespace(show=show))
    assert titles == [
        *("01.png - 1 of 14", "03.png - 2 of 13", "03.png - 2 of 13", "01.png - 1 of 13"),
        "14.png - 13 of 13",
    ]
    assert capsys.readouterr().err == "skipped 03.png: it is damaged or not a picture\n"
    assert folder.exit_code == 3
