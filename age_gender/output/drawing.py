"""Boxes and labels drawn on a picture: readable at any size, and never on a face."""

import cv2

COLOUR = (200, 90, 20)  # BGR, of boxes and of the ground of labels
TEXT = (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT = 22  # pixels of a capital letter at scale 1
SMALLEST = 200  # a picture with a shorter longer side is enlarged before it is drawn on


def annotate(image, boxes, labels):
    """Draw boxes and labels on a copy of a picture.

    A label stands above its box, or below or beside it, where it lies in the picture and on no
    face and no other label. Where there is no such place it goes into a strip below the picture,
    with a small number in the corner of the box that says whose it is.

    Args:
        image: (H, W, 3) uint8 BGR.
        boxes: list of (left, top, width, height), inside the picture.
        labels: as many texts.

    Returns:
        A new picture; larger than ``image`` where that is tiny or a strip was needed.
    """
    factor = max(SMALLEST / max(image.shape[:2]), 1)
    if factor > 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
        boxes = [tuple(int(number * factor) for number in box) for box in boxes]
    else:
        image = image.copy()
    height, width = image.shape[:2]
    letters = [_letter(box, min(width, height)) for box in boxes]
    for (left, top, w, h), letter in zip(boxes, letters):
        line = max(1, letter // 6)
        cv2.rectangle(image, (left, top), (left + w - 1, top + h - 1), COLOUR, line)
    taken = list(boxes)
    homeless = []
    for number, (box, label, letter) in enumerate(zip(boxes, labels, letters), 1):
        size = _label_size(label, letter)
        place = next(
            (place for place in _places(box, size, width, height) if _free(place, size, taken)),
            None,
        )
        if place is None:
            homeless.append(f"{number}: {label}" if len(boxes) > 1 else label)
            if len(boxes) > 1:
                _number(image, number, box)
            continue
        taken.append((*place, *size))
        _write(image, label, place, letter)
    return _with_strip(image, homeless, min(letters)) if homeless else image


def annotated(shown, longer=None, message=None):
    """What there is to see of a `live.Shown`: a new picture.

    Args:
        shown: the frame and the faces in it.
        longer: its longer side in pixels; None for that of the frame.
        message: a line at its foot; None for its own, if it has one.
    """
    image = shown.frame.image
    factor = longer / max(image.shape[:2]) if longer else 1
    if factor != 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    boxes = [seen.face.scaled(factor).inside(image) for seen in shown.seen]
    picture = annotate(image, boxes, [seen.estimate.label for seen in shown.seen])
    if message or shown.message:
        banner(picture, message or shown.message)
    return picture


def banner(image, text):
    """Write a line of text across the foot of a picture, in place."""
    height, width = image.shape[:2]
    letter = min(max(9, height // 32), max(6, FONT_HEIGHT * width // (20 * max(len(text), 1))))
    top = height - 3 * letter
    cv2.rectangle(image, (0, top), (width - 1, height - 1), (0, 0, 0), cv2.FILLED)
    foot = (letter, height - letter)
    cv2.putText(image, text, foot, FONT, letter / FONT_HEIGHT, TEXT, 1, cv2.LINE_AA)


def _letter(box, shorter):
    """Height of a face's letters: an eighth of the face, in a picture's reasonable bounds."""
    return min(max(box[2] // 8, 9, shorter // 100), max(9, shorter // 20))


def _number(image, number, box):
    """Write a number into the top left corner of a box, a sixth of its height."""
    left, top, width, height = box
    scale = min(width, height) / 6 / FONT_HEIGHT
    foot = (left + max(1, width // 20), top + max(6, height // 4))
    for colour, thickness in ((COLOUR, 3), (TEXT, 1)):
        cv2.putText(image, str(number), foot, FONT, scale, colour, thickness, cv2.LINE_AA)


def _label_size(text, letter):
    """Width and height of a label with letters of that height, with its ground."""
    scale, thickness = letter / FONT_HEIGHT, max(1, letter // 8)
    (width, _), _ = cv2.getTextSize(text, FONT, scale, thickness)
    return width + letter, 2 * letter


def _places(box, size, width, height):
    """Where a label may stand, the best first: above, below, right, left; all in the picture."""
    left, top, w, h = box
    along = min(max(left, 0), width - size[0])
    beside = min(max(top, 0), height - size[1])
    ending = left + w - size[0]
    places = [
        (along, top - size[1]),
        (along, top + h),
        (ending, top - size[1]),
        (ending, top + h),
        (left + w, beside),
        (left - size[0], beside),
        (along, top - 2 * size[1]),
        (along, top + h + size[1]),
    ]
    return [(x, y) for x, y in places if 0 <= x <= width - size[0] and 0 <= y <= height - size[1]]


def _free(place, size, taken):
    x, y = place
    return not any(
        x < left + w and left < x + size[0] and y < top + h and top < y + size[1]
        for left, top, w, h in taken
    )


def _write(image, text, place, letter):
    x, y = place
    width, height = _label_size(text, letter)
    scale, thickness = letter / FONT_HEIGHT, max(1, letter // 8)
    cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), COLOUR, cv2.FILLED)
    foot = (x + letter // 2, y + height - letter // 2)
    cv2.putText(image, text, foot, FONT, scale, TEXT, thickness, cv2.LINE_AA)


def _with_strip(image, labels, letter):
    """The picture with a strip below it that holds labels, in as many lines as they need."""
    height, width = image.shape[:2]
    places = []
    x, y = 0, height
    for label in labels:
        w, h = _label_size(label, letter)
        if x and x + w > width:
            x, y = 0, y + h
        places.append((x, y))
        x += w + letter
    wider = max(
        0, *(x + _label_size(label, letter)[0] - width for label, (x, _) in zip(labels, places))
    )
    image = cv2.copyMakeBorder(
        image, 0, y + 2 * letter - height, 0, wider, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
    for label, place in zip(labels, places):
        _write(image, label, place, letter)
    return image
