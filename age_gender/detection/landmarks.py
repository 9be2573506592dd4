"""Five landmarks of a face, and the alignment by them.

They are found by dlib's 5-point predictor (Kazemi and Sullivan, CVPR 2014), of which the model
file comes with the package face_recognition_models: it takes a tenth of the memory and time of
the one of 68 points, and the estimates are as good.
"""

import functools
import importlib.util
import os
from pathlib import Path

import dlib
import numpy as np

from age_gender.errors import UserError

MODEL = "shape_predictor_5_face_landmarks.dat"
CHIP = 200  # side in pixels of an aligned chip before the resize, as in UTKFace
PADDING = 0.2  # of dlib's get_face_chip, by which UTKFace's were cut, with 68 points
# Where the points lie in UTKFace's chips, in parts of the side: medians over 586 chips of the
# training part, found at other sizes and angles. Their standard deviation is 0.02.
POINTS = (
    (0.761, 0.299),  # outer and inner corner of the eye on the right of the picture,
    (0.606, 0.308),
    (0.220, 0.299),  # of the eye on the left,
    (0.374, 0.308),
    (0.490, 0.588),  # and the base of the nose
)
# Most `drift` of a face: of 202 of UTKFace's with a score below 0.5, turned by up to 25 degrees,
# 197 are below, and of 43 detections that are none, 19 (by 68 points and their limit: 194 and 31).
STEADY = 0.04
MOVES = (
    (0, 0, 1),
    (0.1, 0, 1),
    (-0.1, 0, 1),
    (0, 0.1, 1),
    (0, -0.1, 1),
    (0, 0, 1.15),
    (0, 0, 0.87),
)

REINSTALL = "pip install --force-reinstall --no-deps face-recognition-models"


def model_file(name):
    """Path of a model file of the package face_recognition_models, without importing it.

    Raises `UserError` if there is none.
    """
    package = importlib.util.find_spec("face_recognition_models")
    if package is None:
        raise UserError("face_recognition_models is not installed: pip install -r requirements.txt")
    path = Path(package.submodule_search_locations[0]) / "models" / name
    if not path.is_file():
        raise UserError(f"{path} is missing: {REINSTALL}")
    return str(path)


def load(kind, name):
    """Load one of dlib's models.

    Args:
        kind: the model's class.
        name: of its file in the package face_recognition_models.

    Raises `UserError` if the file is missing or damaged.
    """
    path = model_file(name)
    try:
        return kind(os.fsencode(path))  # dlib takes other text than UTF-8 only as bytes
    except (RuntimeError, UnicodeError) as error:  # the latter of a message with such a path
        raise UserError(f"{path} cannot be read: {REINSTALL}") from error


@functools.cache
def predictor():
    """dlib's predictor of the five points, loaded once."""
    return load(dlib.shape_predictor, MODEL)


def drift(rgb, box):
    """How far the landmarks move when the box is moved a little, in widths of the box.

    On a face they are found in the same place from every box; on anything else they move with it.

    Args:
        rgb: (H, W, 3) uint8.
        box: dlib rectangle.
    """
    width, x, y = box.width(), box.center().x, box.center().y
    found = []
    for dx, dy, size in MOVES:
        half = width * size / 2
        cx, cy = x + dx * width, y + dy * width
        corners = (int(value) for value in (cx - half, cy - half, cx + half, cy + half))
        points = predictor()(rgb, dlib.rectangle(*corners)).parts()
        found.append([(point.x, point.y) for point in points])
    distance = np.array(found) - np.median(found, axis=0)
    return float(np.linalg.norm(distance, axis=2).mean() / width)


def chip(rgb, box, size=CHIP):
    """Cut a face so that its landmarks come to lie as in UTKFace's chips.

    Args:
        rgb: (H, W, 3) uint8.
        box: dlib rectangle of the face.
        size: side of the result in pixels.

    Returns:
        (size, size, 3) uint8 RGB, black beyond the picture.
    """
    target = dlib.dpoints([dlib.dpoint(size * x, size * y) for x, y in POINTS])
    points = predictor()(rgb, box).parts()
    points = dlib.dpoints([dlib.dpoint(point.x, point.y) for point in points])
    return dlib.extract_image_chip(
        rgb, dlib.chip_details(target, points, dlib.chip_dims(size, size))
    )
