import os

import cv2
import pytest

from age_gender.diagrams import diagram


def test_diagram_has_its_size_whatever_settings_lie_about(tmp_path, monkeypatch):
    import matplotlib

    monkeypatch.setenv("MPLBACKEND", "module://none")
    with matplotlib.rc_context({"savefig.dpi": 7, "figure.facecolor": "black"}):
        with diagram(tmp_path / "a.png", (4, 2), 2) as axes:
            assert len(axes) == 2
            axes[0].plot([1, 2], [3, 4])
        assert matplotlib.rcParams["savefig.dpi"] == 7
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture.shape == (240, 480, 3) and picture[0, 0].tolist() == [255, 255, 255]
    assert os.environ["MPLBACKEND"] == "module://none"


def test_diagram_that_cannot_be_drawn_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="dimension"), diagram(tmp_path / "a.png") as (axes,):
        axes.plot([1, 2], [3])
    assert list(tmp_path.iterdir()) == []
