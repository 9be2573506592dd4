"""What a converted network says of itself: how to cut faces for it, and what it was made of."""

import hashlib
import math

from age_gender import installation
from age_gender.detection.landmarks import CHIP, PADDING
from age_gender.genders import ORDER

COLOURS = ("rgb", "bgr")  # order of the channels of faces
# Where an alignment takes five points of a face, in parts of the chip's side from its left and
# top: the points of the mean face of dlib's get_face_chip, with PADDING.
POINTS = {
    "left_eye": (0.3039, 0.2971),  # middle of the eye on the left of the picture
    "right_eye": (0.6820, 0.2971),
    "nose_tip": (0.4929, 0.5112),
    "left_mouth": (0.3244, 0.7002),  # its corners
    "right_mouth": (0.6615, 0.7002),
}


def describe(path, description, colour, half):
    """The metadata of a converted network: a dict of what JSON knows.

    Args:
        path: of the weight file.
        description: its `weights.Description`.
        colour: one of COLOURS.
        half: whether the numbers are stored in half precision.
    """
    if description.crop == "aligned":
        crop = {"chip_size": CHIP, "chip_padding": PADDING, "chip_points": POINTS}
    else:
        crop = {"margin": description.margin}
    intervals = {
        name: float(value)
        for name in ("interval_level", "interval_factor")
        if (value := getattr(description, name)) is not None and math.isfinite(value)
    }
    if description.interval_quantiles is not None:
        groups = description.interval_rule().groups
        intervals["interval_quantiles"] = [list(group) for group in groups]
    with open(path, "rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "network": str(description.network),
        "image_size": description.image_size,
        "colour_order": colour,
        "crop": description.crop,
        **crop,
        "resize": description.resize,
        "gender_order": ORDER,
        **({"mirrored": True} if description.mirrored else {}),
        **intervals,
        "precision": "float16" if half else "float32",
        "data": _text(description.data),
        "terms": _text(description.terms),
        "source": _text(path.name),
        "source_sha256": checksum,
        "program": f"age-gender-estimation {installation.version()}",
    }


def _text(value):
    """Text without what UTF-8 has no bytes for, which names of files may hold."""
    return str(value).encode("utf-8", "backslashreplace").decode()
