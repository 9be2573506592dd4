"""Draws boxes and labels on a picture, readable at any size and never on a face."""

import cv2

from age_gender.output import text
from age_gender.output.labels import labels
from age_gender.output.placing import Placer

COLOUR = (176, 72, 16)  # BGR, of boxes and of the background of labels
HALO = (255, 255, 255)  # around the lines of boxes, which show on any picture then
SMALLEST = 200  # longer side in pixels to which smaller pictures are enlarged before drawing
LEAST, MOST = 60, 22  # letters are from 1/60 to 1/22 of the shorter side of a picture,
OF_FACE = 8  # in between 1/8 of the width of the face,
SMALLEST_LETTER = 10  # but no less than so many pixels


def annotate(image, boxes, labels, in_place=False, numbers=None, dashed=(), memory=None):
    """Draw boxes and labels on a copy of a picture.

    A label goes beside, below or above its face, inside the picture and off all heads and other
    labels, smaller where there is little room. If there is no such position, it goes into a strip
    below the picture, and the number of the face is written at its box. With a ``memory``, as for a
    video, the picture keeps its size: the label goes where it hides least of the faces.

    Args:
        image: (H, W, 3) uint8 BGR.
        boxes: list of (left, top, width, height), inside the picture.
        labels: list of as many texts.
        in_place: draw on ``image`` itself where its size stays.
        numbers: list of the numbers of the faces; None for 1, 2, 3 ...
        dashed: indices of the boxes to draw with dashed lines.
        memory: `placing.Memory`, which keeps the side and the size of the label of each number from
            picture to picture.

    Returns:
        The picture, larger than ``image`` if that is tiny or a strip was needed.
    """
    factor = max(SMALLEST / max(image.shape[:2]), 1)
    if factor > 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
        boxes = [tuple(int(number * factor) for number in box) for box in boxes]
    elif not in_place:
        image = image.copy()
    height, width = image.shape[:2]
    numbers = list(range(1, len(boxes) + 1)) if numbers is None else numbers
    for index, box in enumerate(boxes):
        _draw_box(image, box, index in dashed)
    placer = Placer((width, height), boxes, memory)
    letters = [_letter(box, min(width, height)) for box in boxes]
    if memory is not None:
        letters = [memory.letter(*each) for each in zip(numbers, letters)]
    strip = []
    for index in placer.order(numbers):
        number, label, letter = numbers[index], labels[index], letters[index]
        if not label or _placed(image, placer, index, number, label, letter, memory is not None):
            continue
        strip.append((index, label, number))
        if len(boxes) > 1:
            left, top, _, h = boxes[index]
            small = max(round(0.62 * letter), SMALLEST_LETTER)
            _write(image, str(number), (left, top + h - 2 * small), small)
    if memory is not None:
        memory.forget(numbers)
    return _with_strip(image, _lines(strip, len(boxes)), min(letters)) if strip else image


def annotated(shown, longer=None, message=None, parts=None, memory=None):
    """Draw what a `player.Shown` holds: a new picture.

    Args:
        shown: the frame and its faces.
        longer: longer side of the result in pixels; None for that of the frame.
        message: a line at the bottom; None for the message of ``shown``, if it has one.
        parts: see `labels.labels`.
        memory: see `annotate`.
    """
    image = shown.frame.image
    factor = longer / max(image.shape[:2]) if longer else 1
    if factor != 1:
        size = [max(1, round(side * factor)) for side in image.shape[1::-1]]
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        image = cv2.resize(image, size, interpolation=way)
    boxes = [each.face.scaled(factor).inside(image) for each in shown.faces]
    tracked = any(each.identity for each in shown.faces)
    numbers = [each.identity for each in shown.faces] if tracked else None
    picture = annotate(
        image,
        boxes,
        labels([each.estimate for each in shown.faces], parts, numbers),
        in_place=image is not shown.frame.image,
        numbers=numbers,
        dashed=[n for n, each in enumerate(shown.faces) if not each.detected],
        memory=memory,
    )
    if message or shown.message:
        draw_message(picture, message or shown.message)
    return picture


def draw_message(image, message):
    """Write a line of text across the bottom of a picture, in place."""
    height, width = image.shape[:2]
    margin = max(1, min(height // 32, width // 32))
    letter = text.fitting(message, width - 2 * margin, max(9, height // 32))
    cv2.rectangle(image, (0, height - 3 * letter), (width - 1, height - 1), (0, 0, 0), cv2.FILLED)
    text.draw(image, message, margin, height - letter, letter)


def _letter(box, shorter):
    """Height of the capital letters for a face, in a picture with such a shorter side."""
    letter = min(max(box[2] // OF_FACE, shorter // LEAST), shorter // MOST)
    return max(letter, SMALLEST_LETTER)


def _placed(image, placer, index, number, label, letter, anywhere):
    """Write a label where the placer has room, in place; return whether it has.

    The arguments after the placer are those of `Placer.place`, with the size of the letters.
    """
    letters = [max(round(letter * share), min(letter, SMALLEST_LETTER)) for share in (1, 0.8, 0.62)]
    sizes = [_label_size(label, each) for each in letters]
    place = placer.place(index, number, sizes, anywhere)
    if place is None:
        return False
    position, step = place
    _write(image, label, position, letters[step])
    return True


def _label_size(label, letter):
    """Width and height of a label with its background."""
    return text.width_of(label, letter) + letter, 2 * letter


def _draw_box(image, box, dashed):
    """Draw the lines of a box, in place."""
    left, top, width, height = box
    line = max(1, round(min(image.shape[:2]) / 400))
    for colour, out in ((HALO, line), (COLOUR, 0)):
        x, y, right, bottom = left - out, top - out, left + width - 1 + out, top + height - 1 + out
        corners = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)]
        for start, end in zip(corners, corners[1:]):
            for piece in _dashes(start, end) if dashed else [(start, end)]:
                cv2.line(image, *piece, colour, line)


def _dashes(start, end, count=6):
    """Pieces of a line with gaps between them, one at either end: list of (start, end)."""
    steps = 2 * count - 1

    def at(step):
        return tuple(a + (b - a) * step // steps for a, b in zip(start, end))

    return [(at(step), at(step + 1)) for step in range(0, steps, 2)]


def _write(image, label, position, letter):
    """Write a label with its background, in place."""
    x, y = position
    width, height = _label_size(label, letter)
    cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), COLOUR, cv2.FILLED)
    text.draw(image, label, x + letter // 2, y + (height + letter) // 2, letter)


def _lines(strip, count):
    """The labels in the strip, in the order of the faces, with their numbers if there are others.

    Args:
        strip: list of (index, label, number).
        count: number of faces in the picture.
    """
    for _, label, number in sorted(strip):
        numbered = count == 1 or label.partition(":")[0] == str(number)
        yield label if numbered else f"{number}: {label}"


def _with_strip(image, labels, letter):
    """The picture with labels in a strip below it, in as many lines as they need."""
    height, width = image.shape[:2]
    placed = []
    x, y = 0, height
    for label in labels:
        w, h = _label_size(label, letter)
        if x and x + w > width:
            x, y = 0, y + h
        placed.append((label, (x, y), x + w))
        x += w + letter
    wider = max(0, *(end - width for *_, end in placed)) if placed else 0
    image = cv2.copyMakeBorder(
        image, 0, y + 2 * letter - height, 0, wider, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
    for label, position, _ in placed:
        _write(image, label, position, letter)
    return image
