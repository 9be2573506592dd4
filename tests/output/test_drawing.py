import numpy as np
import pytest

from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame
from age_gender.live.player import Shown
from age_gender.live.worker import AnalysedFace
from age_gender.output import drawing
from age_gender.output.labels import label
from age_gender.output.placing import Memory, Placer


def changed(image, before):
    height, width = before.shape[:2]
    return np.any(image[:height, :width] != before, axis=2)


def letters_of(image):
    """Where an image has the white of the letters, which are smoothed at their edges."""
    return image.min(axis=2) > 180


@pytest.mark.parametrize("size", [(200, 200), (480, 640), (3000, 4000)])
@pytest.mark.parametrize("where", [(0.4, 0.4), (0, 0), (0.79, 0), (0, 0.79), (0.79, 0.79)], ids=str)
def test_label_stays_in_the_picture_and_off_the_face(size, where):
    height, width = size
    picture = np.full((height, width, 3), 100, np.uint8)
    side = int(0.2 * min(size))
    box = (int(where[0] * width), int(where[1] * height), side, side)
    image = drawing.annotate(picture, [box], ["34, F"])
    assert image.shape == picture.shape
    left, top, w, h = box
    marked = changed(image, picture)
    line = 0.1 * side  # the frame itself may cover this much of the face's edge
    inner = marked[int(top + line) : int(top + h - line), int(left + line) : int(left + w - line)]
    assert not inner.any()
    marked[top : top + h, left : left + w] = False
    letters = letters_of(image)
    assert letters.sum() > 20
    rows = np.flatnonzero(letters.any(axis=1))
    assert rows[-1] - rows[0] + 1 >= max(7, min(size) // 50)  # readable


def test_face_that_fills_the_picture_gets_a_strip_below():
    picture = np.full((64, 64, 3), 100, np.uint8)
    image = drawing.annotate(picture, [(0, 0, 64, 64)], ["34, F"])
    height, width = image.shape[:2]
    assert width == drawing.SMALLEST and height > drawing.SMALLEST
    assert np.all(image[20:180, 20:180] == 100)


def test_narrow_picture_still_holds_its_label():
    image = drawing.annotate(np.zeros((400, 20, 3), np.uint8), [(0, 0, 20, 400)], ["100, M"])
    letters = np.argwhere(letters_of(image))
    assert image.shape[0] > 400 and image.shape[1] > 40
    assert letters[:, 1].max() < image.shape[1] - 1


def test_crowd_keeps_every_label_apart():
    picture = np.full((600, 800, 3), 100, np.uint8)
    boxes = [(x, y, 60, 60) for x in range(100, 700, 90) for y in range(100, 500, 90)]
    image = drawing.annotate(picture, boxes, ["34, F"] * len(boxes))
    letters = drawing.annotate(picture, boxes[:1], ["34, F"])
    assert letters_of(image).sum() >= 0.95 * letters_of(letters).sum() * len(boxes)


def test_picture_without_faces_is_a_copy():
    picture = np.full((300, 300, 3), 100, np.uint8)
    image = drawing.annotate(picture, [], [])
    assert np.array_equal(image, picture) and image is not picture


def test_message_stands_at_the_bottom_and_fits():
    frame = Frame.now("camera 0", np.full((480, 640, 3), 90, np.uint8), 1)
    estimate = Estimate(30.0, 0.9)
    faces = [AnalysedFace(1, Face(200, 100, 80, 80, 1.5), estimate, estimate)]
    plain = drawing.annotated(Shown(frame, faces, None, None))
    assert (plain[400:] == 90).all() and (plain != 90).any()
    for text in ("saved", "a long line that says what went wrong and what to do about it " * 2):
        told = drawing.annotated(Shown(frame, faces, None, None), message=text)
        assert (told[:400] == plain[:400]).all()
        assert (told[440:] > 200).all(2).sum() > 50
        assert not (told[:, 630:] > 200).any()  # it ends within the picture
    assert (frame.image == 90).all()
    small = drawing.annotated(Shown(frame, faces, None, "no camera 0"), longer=320)
    assert small.shape == (240, 320, 3) and (small[-20:] != 90).any()


@pytest.mark.parametrize("size", [(1, 8000), (8000, 1), (1, 1), (3, 20000)])
@pytest.mark.parametrize("cropped", [False, True])
def test_line_of_a_picture_can_be_drawn_on_and_shown(size, cropped):
    image = np.full((*size, 3), 200, np.uint8)
    estimate = Estimate(30.0, 0.2)
    face = AnalysedFace(0, Face(0, 0, size[1], size[0]), estimate, estimate)
    faces = [face] if cropped else []
    boxes, labels = [(0, 0, size[1], size[0])] * cropped, [label(estimate)] * cropped
    assert drawing.annotate(image, boxes, labels).size
    assert drawing.annotated(Shown(Frame.now("line", image, 1), faces, None, None), 640).size


def test_picture_of_ones_own_is_drawn_on_in_place():
    image = np.full((400, 400, 3), 200, np.uint8)
    assert drawing.annotate(image, [(50, 50, 90, 90)], ["F 30"], in_place=True) is image
    assert (image != 200).any()


def faces_at(*boxes, identity=0, detected=True):
    estimate = Estimate(34.0, 0.03)
    faces = [AnalysedFace(identity, Face(*box), estimate, estimate) for box in boxes]
    for face in faces:
        face.detected = detected
    return faces


def blue(image):
    """Where an image has the colour of labels and boxes."""
    return (image == drawing.COLOUR).all(axis=2)


@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (3000, 4000), (1280, 720)])
def test_letters_grow_with_the_picture_and_labels_leave_foreheads_free(size):
    height, width = size
    box = (width // 3, height // 3, min(size) // 9, min(size) // 9)
    image = drawing.annotate(np.full((*size, 3), 100, np.uint8), [box], ["M 0.97"])
    letters = image.min(axis=2) > 110
    x, y, w, h = box
    letters[y - 9 : y + h + 9, x - 9 : x + w + 9] = False  # the box has a white line too
    rows = np.flatnonzero(letters.any(axis=1))
    assert rows[-1] - rows[0] + 1 >= max(10, min(size) // 60)
    assert not blue(image)[y - int(0.4 * h) : y - h // 8, x : x + w].any()


def test_labels_of_a_crowd_are_off_every_head_and_nearest_to_their_own():
    boxes = [(x, y, 60, 60) for y in range(60, 700, 110) for x in range(30, 1200, 130)]
    placer = Placer((1280, 720), boxes)
    taken = []
    for index, (x, y, w, h) in enumerate(boxes):
        place = placer.place(index, None, [(120, 28), (80, 20)], anywhere=False)
        if place is None:
            continue
        (left, top), step = place
        width, height = [(120, 28), (80, 20)][step]
        assert 0 <= left <= 1280 - width and 0 <= top <= 720 - height
        for a, b, c, d in [(x, y - 0.4 * h, w, 1.4 * h) for x, y, w, h in boxes] + taken:
            assert not (left < a + c and a < left + width and top < b + d and b < top + height)
        middle = np.array([left + width / 2, top + height / 2])
        distances = [np.hypot(*(middle - (x + w / 2, y + h / 2))) for x, y, w, h in boxes]
        assert np.argmin(distances) == index
        taken.append((left, top, width, height))
    assert len(taken) > len(boxes) / 2


def test_label_in_a_video_keeps_its_side_and_size_until_it_no_longer_fits():
    memory = Memory()
    image = np.full((480, 640, 3), 100, np.uint8)

    def label_at(left, side=100):
        shown = Shown(
            Frame.now("clip", image, 1), faces_at((left, 200, side, side), identity=7), *[None] * 2
        )
        marked = blue(drawing.annotated(shown, memory=memory))
        marked[190 : 210 + side, left - 10 : left + side + 10] = False
        rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
        return columns[0] > left, rows[-1] - rows[0]

    right, height = label_at(300)
    assert right
    assert label_at(320, 112) == (True, height)  # grows when the face has grown by a quarter
    assert not label_at(460)[0]
    assert not label_at(420)[0]  # and stays on that side
    assert label_at(420, 160)[1] > height


def test_picture_of_a_video_keeps_its_size():
    shown = Shown(
        Frame.now("clip", np.zeros((480, 640, 3), np.uint8), 1),
        faces_at((0, 0, 640, 480), identity=1),
        None,
        None,
    )
    assert drawing.annotated(shown, memory=Memory()).shape == (480, 640, 3)
    assert drawing.annotated(shown).shape[0] > 480


def test_face_that_is_followed_by_its_movement_has_a_dashed_box():
    image = np.full((480, 640, 3), 100, np.uint8)
    whole, dashed = (
        blue(
            drawing.annotated(
                Shown(
                    Frame.now("clip", image, 1),
                    faces_at((200, 200, 100, 100), detected=detected),
                    *[None] * 2,
                )
            )
        )[200, 200:300].sum()
        for detected in (True, False)
    )
    assert whole == 100 and 40 < dashed < 70
