"""Draws boxes and labels on a picture, readable at any size and never on a face."""

import cv2

COLOUR = (200, 90, 20)  # BGR, of boxes and of the background of labels
TEXT_COLOUR = (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT = 22  # of a capital letter at scale 1, in pixels
SMALLEST = 200  # longer side in pixels to which smaller pictures are enlarged before drawing


def annotate(image, boxes, labels, in_place=False):
    """Draw boxes and labels on a copy of a picture.

    A label goes above, below or beside its box, inside the picture and off all faces and other
    labels. If there is no such position, it goes into a strip below the picture, with a number that
    is repeated in the corner of the box.

    Args:
        image: (H, W, 3) uint8 BGR.
        boxes: list of (left, top, width, height), inside the picture.
        labels: list of as many texts.
        in_place: draw on ``image`` itself where its size stays.

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
    letters = [_letter(box, min(width, height)) for box in boxes]
    for (left, top, w, h), letter in zip(boxes, letters):
        line = max(1, letter // 6)
        cv2.rectangle(image, (left, top), (left + w - 1, top + h - 1), COLOUR, line)
    occupied = list(boxes)
    strip = []
    for number, (box, label, letter) in enumerate(zip(boxes, labels, letters), 1):
        size = _label_size(label, letter)
        positions = _positions(box, size, width, height)
        position = next((each for each in positions if _free(each, size, occupied)), None)
        if position is None:
            strip.append(f"{number}: {label}" if len(boxes) > 1 else label)
            if len(boxes) > 1:
                _draw_number(image, number, box)
            continue
        occupied.append((*position, *size))
        _write(image, label, position, letter)
    return _with_strip(image, strip, min(letters)) if strip else image


def annotated(shown, longer=None, message=None):
    """Draw what a `player.Shown` holds: a new picture.

    Args:
        shown: the frame and its faces.
        longer: longer side of the result in pixels; None for that of the frame.
        message: a line at the bottom; None for the message of ``shown``, if it has one.
    """
    image = shown.frame.image
    factor = longer / max(image.shape[:2]) if longer else 1
    if factor != 1:
        size = [max(1, round(side * factor)) for side in image.shape[1::-1]]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    boxes = [each.face.scaled(factor).inside(image) for each in shown.faces]
    picture = annotate(image, boxes, [each.estimate.label for each in shown.faces])
    if message or shown.message:
        draw_message(picture, message or shown.message)
    return picture


def draw_message(image, text):
    """Write a line of text across the bottom of a picture, in place."""
    height, width = image.shape[:2]
    letter = min(max(9, height // 32), max(6, FONT_HEIGHT * width // (20 * max(len(text), 1))))
    top = height - 3 * letter
    cv2.rectangle(image, (0, top), (width - 1, height - 1), (0, 0, 0), cv2.FILLED)
    foot = (letter, height - letter)
    cv2.putText(image, text, foot, FONT, letter / FONT_HEIGHT, TEXT_COLOUR, 1, cv2.LINE_AA)


def _letter(box, shorter):
    """Height of the letters for a face: an eighth of the face, within limits set by the picture."""
    return min(max(box[2] // 8, 9, shorter // 100), max(9, shorter // 20))


def _draw_number(image, number, box):
    """Write a number into the top left corner of a box, a sixth of its height, in place."""
    left, top, width, height = box
    scale = min(width, height) / 6 / FONT_HEIGHT
    foot = (left + max(1, width // 20), top + max(6, height // 4))
    for colour, thickness in ((COLOUR, 3), (TEXT_COLOUR, 1)):
        cv2.putText(image, str(number), foot, FONT, scale, colour, thickness, cv2.LINE_AA)


def _label_size(text, letter):
    """Width and height of a label with its background."""
    scale, thickness = letter / FONT_HEIGHT, max(1, letter // 8)
    (width, _), _ = cv2.getTextSize(text, FONT, scale, thickness)
    return width + letter, 2 * letter


def _positions(box, size, width, height):
    """Positions of a label inside the picture, best first: above, below, right, left."""
    left, top, w, h = box
    along = min(max(left, 0), width - size[0])
    beside = min(max(top, 0), height - size[1])
    ending = left + w - size[0]
    positions = [
        (along, top - size[1]),
        (along, top + h),
        (ending, top - size[1]),
        (ending, top + h),
        (left + w, beside),
        (left - size[0], beside),
        (along, top - 2 * size[1]),
        (along, top + h + size[1]),
    ]
    return [
        (x, y) for x, y in positions if 0 <= x <= width - size[0] and 0 <= y <= height - size[1]
    ]


def _free(position, size, occupied):
    """Whether a label overlaps none of the occupied boxes."""
    x, y = position
    return not any(
        x < left + w and left < x + size[0] and y < top + h and top < y + size[1]
        for left, top, w, h in occupied
    )


def _write(image, text, position, letter):
    """Write a label with its background, in place."""
    x, y = position
    width, height = _label_size(text, letter)
    scale, thickness = letter / FONT_HEIGHT, max(1, letter // 8)
    cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), COLOUR, cv2.FILLED)
    foot = (x + letter // 2, y + height - letter // 2)
    cv2.putText(image, text, foot, FONT, scale, TEXT_COLOUR, thickness, cv2.LINE_AA)


def _with_strip(image, labels, letter):
    """The picture with labels in a strip below it, in as many lines as they need."""
    height, width = image.shape[:2]
    positions = []
    x, y = 0, height
    for label in labels:
        w, h = _label_size(label, letter)
        if x and x + w > width:
            x, y = 0, y + h
        positions.append((x, y))
        x += w + letter
    wider = max(
        0, *(x + _label_size(label, letter)[0] - width for label, (x, _) in zip(labels, positions))
    )
    image = cv2.copyMakeBorder(
        image, 0, y + 2 * letter - height, 0, wider, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
    for label, position in zip(labels, positions):
        _write(image, label, position, letter)
    return image
