import pytest

from age_gender.detection import views
from age_gender.detection.views import View


def searched(height, width, detail, widths):
    """Factor and turns of the views that are needed where faces of these widths are found."""
    of_picture = views.of_picture(height, width, detail)
    return [(round(view.factor, 2), view.turns) for view in of_picture if view.needed(widths)]


UP, QUARTERS, EIGHTHS = (0,), views.QUARTERS, views.EIGHTHS


@pytest.mark.parametrize(
    "size, detail, widths, expected",
    [
        ((480, 640), "low", [], [(0.8, UP)]),
        ((3000, 4000), "low", [], [(0.26, UP)]),
        ((480, 640), "normal", [], [(0.8, UP), (1.6, UP), (0.5, QUARTERS)]),
        ((480, 640), "normal", [150], [(0.8, UP)]),
        ((480, 640), "normal", [110], [(0.8, UP), (1.6, UP)]),
        ((480, 640), "normal", [150, 160], [(0.8, UP), (1.6, UP)]),
        ((720, 1280), "normal", [150], [(0.8, UP), (1.6, UP)]),
        ((720, 1280), "normal", [190], [(0.8, UP)]),
        ((1080, 1920), "normal", [], [(1.33, UP), (0.33, QUARTERS), (2.0, UP)]),
        ((3000, 4000), "normal", [], [(0.64, UP), (0.16, QUARTERS), (0.96, UP)]),
        ((3000, 4000), "normal", [900], [(0.64, UP)]),
        ((480, 640), "high", [150], [(2.0, UP)]),
        ((480, 640), "high", [], [(2.0, UP), (0.8, EIGHTHS)]),
        ((1080, 1920), "high", [150], [(1.33, UP), (2.0, UP)]),
        ((3000, 4000), "high", [900], [(0.64, UP), (1.25, UP)]),
    ],
)
def test_views_of_a_picture(size, detail, widths, expected):
    assert searched(*size, detail, widths) == expected


def test_views_of_the_frames_of_a_video_alternate_unless_one_kind_is_wanted():
    def factors(detail):
        return [views.of_frame(1280, detail, number) for number in range(4)]

    assert factors("low") == [[View(0.8)]] * 4
    assert factors("normal") == [[View(0.8)], [View(1.6)]] * 2
    assert factors("high") == [[View(2.0)]] * 4


@pytest.mark.parametrize(
    "height, width, factor",
    [(480, 640, 2), (1, 9000, 1.25), (3000, 4000, 1.25), (5773, 8660, 1.25), (2049, 100, 1.25)],
)
def test_tiles_cover_a_picture_and_overlap_by_a_face_that_was_not_seen(height, width, factor):
    tiles = views.tiles(height, width, factor)
    unseen = views.LEAST / min(views.WHOLE_SIDE / max(height, width), views.ENLARGED)
    for length, spans in ((height, {t[:2] for t in tiles}), (width, {t[2:] for t in tiles})):
        spans = sorted(spans)
        assert spans[0][0] == 0 and spans[-1][1] == length
        assert all((end - start) * factor <= views.TILE + factor for start, end in spans)
        for (_, end), (start, _) in zip(spans, spans[1:]):
            assert end - start >= 1.4 * unseen


def test_what_fits_is_one_tile():
    assert views.tiles(960, 1280, 2) == [(0, 960, 0, 1280)]
