import numpy as np
import pytest

from age_gender.detection import turning


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_quarter_turn_moves_pixels_and_changes_none(degrees):
    image = np.random.default_rng(0).integers(0, 256, (5, 8, 3), np.uint8)
    np.testing.assert_array_equal(turning.turned(image, degrees), np.rot90(image, degrees // 90))


@pytest.mark.parametrize("degrees", [0, 45, 90, 135, 180, 225, 270, 315])
def test_a_point_is_where_its_pixels_are(degrees):
    image = np.zeros((60, 90), np.uint8)
    image[10:14, 70:74] = 255  # its centre is at 72, 12
    turned = turning.turned(image, degrees)
    x, y = turning.turned_point(72, 12, degrees, image.shape, turned.shape)
    rows, columns = np.nonzero(turned > 127)
    assert columns.mean() + 0.5 == pytest.approx(x, abs=0.3)
    assert rows.mean() + 0.5 == pytest.approx(y, abs=0.3)
    assert turning.turned_point(x, y, -degrees, turned.shape, image.shape) == pytest.approx(
        (72, 12)
    )


@pytest.mark.parametrize("factor", [0.5, 1, 2])
def test_a_grey_view_has_the_brightness_and_the_size(factor):
    image = np.full((40, 60, 3), (10, 200, 90), np.uint8)
    view = turning.grey(image, factor)
    assert view.shape == (40 * factor, 60 * factor) and view.dtype == np.uint8
    assert set(view.ravel()) == {145}  # 0.114, 0.587 and 0.299 of blue, green and red
