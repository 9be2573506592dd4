import cv2
import dlib
import numpy as np
import pytest

from age_gender.detection.finder import DETECTOR
from age_gender.faces import Cut, Embedder, Face, FaceFinder, upright


@pytest.fixture(scope="module")
def portrait(astronaut):
    """The astronaut's face and what is around it, (200, 200, 3); the face has 0.5 of that."""
    return astronaut[20:220, 120:320]


@pytest.fixture(scope="module")
def closer(astronaut):
    """The astronaut from nearer."""
    return np.ascontiguousarray(astronaut[:300, 50:400])


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


def scene(height, width, portrait, *places):
    """A grey picture with the portrait at (left, top, width of the face)."""
    image = np.full((height, width, 3), 128, np.uint8)
    for left, top, size in places:
        side = 2 * size
        small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        image[top : top + side, left : left + side] = small
    return image


def found(detail, image):
    return [(face.left, face.top) for face in FaceFinder(detail).find(image)]


@pytest.mark.parametrize(
    "size, places, low, normal, high",
    [
        ((320, 640), [(400, 20, 45)], 0, 1, 1),
        ((320, 640), [(10, 10, 150), (400, 20, 45)], 1, 1, 2),
        ((320, 640), [(10, 10, 110), (400, 20, 45)], 1, 2, 2),
        ((300, 1920), [(10, 10, 140), (800, 20, 60)], 1, 2, 2),
        ((200, 3200), [(10, 10, 90), (3000, 20, 55)], 0, 1, 2),
    ],
)
def test_each_setting_finds_faces_of_its_sizes(portrait, size, places, low, normal, high):
    image = scene(*size, portrait, *places)
    assert len(found("low", image)) == low
    assert len(found("normal", image)) == normal
    assert len(found("high", image)) == high


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_picture_gives_the_same_face_and_the_same_cuts(finder, closer, turn):
    turned = np.ascontiguousarray(np.rot90(closer, -turn // 90))
    (face,), (upright_face,) = finder.find(turned), finder.find(closer)
    assert face.turn == turn
    expected = upright_face.turned(-turn, closer.shape, turned.shape)
    assert face.overlap(expected) > 0.7
    for cut in (Cut("aligned", None, 64, "linear"), Cut("margin", 0.4, 64, "linear")):
        same = cut.faces(finder, closer, [upright_face])
        np.testing.assert_array_equal(cut.faces(finder, turned, [expected]), same)
        again = cut.faces(finder, turned, [face])
        assert np.corrcoef(again.ravel(), same.ravel())[0, 1] > 0.9
    assert FaceFinder("low").find(turned) == []


@pytest.mark.parametrize("turn", [135, 225])
def test_a_face_turned_by_an_eighth_is_found_and_cut_upright(portrait, turn):
    image = scene(320, 320, portrait, (60, 60, 100))
    matrix = cv2.getRotationMatrix2D((159.5, 159.5), -turn, 1)
    turned = cv2.warpAffine(image, matrix, (320, 320), borderValue=(128, 128, 128))
    finder, cut = FaceFinder("high"), Cut("aligned", None, 64, "linear")
    (face,) = finder.find(turned)
    assert face.turn == turn
    (expected,) = finder.find(image)
    cuts = cut.faces(finder, turned, [face]), cut.faces(finder, image, [expected])
    assert np.corrcoef(*(each.ravel() for each in cuts))[0, 1] > 0.9


def test_a_turned_face_is_found_again_near_where_it_was(finder, closer):
    turned = np.ascontiguousarray(np.rot90(closer))
    (face,) = finder.find(turned)
    (again,) = finder.find_near(turned, [face.moved(10, -10)])
    assert again.turn == face.turn == 270 and again.overlap(face) > 0.6


def test_what_is_around_a_face_is_cut_at_the_border_of_the_picture():
    image = np.arange(100 * 80 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 80, 3)
    face = Face(50, 10, 20, 20, 1.0, 90)
    part, placed = upright(image, face)
    assert part.shape == (51, 51, 3) and placed.turn == 0
    assert (placed.left, placed.top) == (face.top, 80 - 70)
    assert upright(image, placed)[0] is image


def test_small_faces_in_a_video_are_found_by_every_second_search_and_kept(portrait):
    image = scene(320, 640, portrait, (10, 10, 150), (400, 20, 45))
    finder = FaceFinder()
    first = finder.find_in_frame(image, [])
    second = finder.find_in_frame(image, first)
    third = finder.find_in_frame(image, second)
    assert [len(first), len(second), len(third)] == [1, 2, 2]


def test_embeddings_of_a_turned_face_are_those_of_the_person(finder, closer):
    embedder = Embedder()
    turned = np.ascontiguousarray(np.rot90(closer))
    (one,), (other,) = (embedder(image, finder.find(image)) for image in (closer, turned))
    assert np.linalg.norm(np.subtract(one, other)) < 0.3  # 0.6 and more between persons


def test_saved_detector_is_dlibs(tmp_path):
    dlib.get_frontal_face_detector().save(str(tmp_path / "saved.svm"))
    assert (tmp_path / "saved.svm").read_bytes() == DETECTOR.read_bytes()
