import cv2
import numpy as np
import pytest

from age_gender import faces, weights
from age_gender.faces import Cut, Face, FaceFinder


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


def test_astronaut_has_one_face_and_the_patch_is_none(finder, astronaut):
    found = finder.find(astronaut)
    assert len(found) == 1
    assert abs(found[0].left + found[0].width / 2 - 220) < 15
    assert abs(found[0].top + found[0].height / 2 - 121) < 15


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_face(finder, seed):
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.random((480 >> k, 640 >> k, 3)) * 2**k, (640, 480)) for k in range(6)]
    noise = cv2.normalize(sum(layers), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    assert finder.find(noise) == []


def test_large_picture_gives_boxes_in_its_own_pixels(finder, astronaut):
    large = cv2.resize(astronaut, None, fx=7, fy=7)
    (small_face,), (face,) = finder.find(astronaut), finder.find(large)
    assert face.width == pytest.approx(7 * small_face.width, rel=0.15)
    assert face.left == pytest.approx(7 * small_face.left, rel=0.15)


def test_face_at_the_border_is_found_and_cut(finder, astronaut):
    (face,) = finder.find(astronaut)
    cropped = astronaut[:, face.left + 12 :]
    (at_border,) = finder.find(cropped)
    left, top, width, height = at_border.inside(cropped)
    assert left >= 0 and width <= at_border.width
    assert finder.aligned(cropped, at_border, 64).shape == (64, 64, 3)
    assert faces.with_margin(cropped, at_border, 0.4, 64).shape == (64, 64, 3)


def test_aligned_cut_stands_upright(finder, astronaut):
    """A face turned by 20 degrees is cut like the same face upright."""
    (face,) = finder.find(astronaut)
    upright = finder.aligned(astronaut, face, 64).astype(float)
    matrix = cv2.getRotationMatrix2D((220, 121), 20, 1)
    turned = cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    (turned_face,) = finder.find(turned)
    again = finder.aligned(turned, turned_face, 64).astype(float)
    assert np.corrcoef(upright.ravel(), again.ravel())[0, 1] > 0.9


def test_aligned_cut_gives_back_utkfaces_chips(finder, shared, tmp_path):
    """A chip on a larger canvas, found and cut, is the chip again."""
    import tarfile

    with tarfile.open(shared / "utkface_1.tar") as tar:
        members = [tar.next() for _ in range(60)]
        files = [tar.extractfile(member) for member in members if member.name.endswith(".jpg")]
        chips = [cv2.imdecode(np.frombuffer(file.read(), np.uint8), 1) for file in files]
    correlations = []
    for chip in chips:
        canvas = cv2.copyMakeBorder(chip, 100, 100, 100, 100, cv2.BORDER_CONSTANT, value=[128] * 3)
        for face in finder.find(canvas):
            again = finder.aligned(canvas, face, 200)
            correlations.append(np.corrcoef(chip.ravel(), again.ravel())[0, 1])
    assert len(correlations) > 0.9 * len(chips)
    assert np.median(correlations) > 0.9  # they were cut by other landmarks


def _originals_cut(image, d, margin, size):
    """The margin crop as the original program's arithmetic has it."""
    h, w = image.shape[:2]
    x1, y1, x2, y2 = d.left(), d.top(), d.right() + 1, d.bottom() + 1
    xw1 = max(int(x1 - margin * d.width()), 0)
    yw1 = max(int(y1 - margin * d.height()), 0)
    xw2 = min(int(x2 + margin * d.width()), w - 1)
    yw2 = min(int(y2 + margin * d.height()), h - 1)
    return cv2.resize(image[yw1 : yw2 + 1, xw1 : xw2 + 1], (size, size))


@pytest.mark.parametrize("box", [(100, 120, 61, 60), (-8, -3, 50, 55), (470, 480, 60, 60)])
@pytest.mark.parametrize("margin", [0, 0.2, 0.4])
def test_margin_cut_is_the_originals(astronaut, box, margin):
    face = Face(*box)
    np.testing.assert_array_equal(
        faces.with_margin(astronaut, face, margin, 64),
        _originals_cut(astronaut, face.rectangle(), margin, 64),
    )


def test_weights_decide_the_cut_unless_a_margin_is_given():
    aligned = weights.Description(crop="aligned", margin=None)
    assert Cut.of(aligned) == Cut("aligned", None, 64, "linear")
    assert Cut.of(aligned, 0.2) == Cut("margin", 0.2, 64, "linear")
    assert Cut.of(weights.Description()) == Cut("margin", 0.4, 64, "linear")


def test_face_is_found_near_where_it_was_and_only_there(astronaut):
    finder = faces.FaceFinder()
    (face,) = finder.find(astronaut)
    for right, down in ((0, 0), (40, -30)):
        moved = np.roll(astronaut, (down, right), (0, 1))
        (again,) = finder.find_near(moved, [face, face.moved(5, 5)])  # both see the same face
        assert again.overlap(face.moved(right, down)) > 0.6
    assert finder.find_near(np.roll(astronaut, 250, 1), [face]) == []
    assert finder.find_near(astronaut, [face.moved(-900, 0)]) == []
    assert finder.find_near(astronaut, []) == []


def test_overlap_of_boxes():
    box = faces.Face(0, 0, 10, 10)
    assert box.overlap(box) == 1
    assert box.overlap(box.moved(5, 0)) == pytest.approx(1 / 3)
    assert box.overlap(box.moved(10, 0)) == box.overlap(box.moved(20, 20)) == 0
