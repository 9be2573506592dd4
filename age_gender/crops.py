"""Whether pictures that are taken for faces, cut already, are whole photographs instead.

A sample of them is searched for faces. In an aligned chip the detector's box takes 0.78 of the
side or more, in a face cut with a margin of 0.4 0.45 or more, in portraits and other photographs
0.36 or less.
"""

from pathlib import Path

import cv2
import numpy as np

from age_gender.faces import FaceFinder
from age_gender.messages import log, some
from age_gender.pictures import read_picture

SAMPLE = 20  # pictures
SMALLEST = 100  # pixels of the longer side; photographs are larger, and smaller faces unclear
SIDES = (200, 400)  # pixels at which a sample is searched, the second if the first shows no face
SHARE = 0.37  # of the picture's sides, below which a face has not been cut out of it
RARE = 0.1  # share of the sample in which a cut face is not seen for what it is
FEW = 5  # pictures without a face that say nothing


def whole_photographs(folder, names):
    """Which of a sample of pictures look like whole photographs.

    Args:
        folder: of the pictures.
        names: of the pictures, relative to it; unreadable ones say nothing.

    Returns:
        (names of those in which every face is small, of those in which none is found, how many
        were searched).
    """
    finder = None
    small, without, searched = [], [], 0
    for number in np.unique(np.linspace(0, len(names) - 1, SAMPLE).astype(int)):
        try:
            image = read_picture(Path(folder) / names[number])
        except Exception:  # who reads it for good says what is wrong with it
            continue
        if max(image.shape[:2]) < SMALLEST:
            continue
        finder = finder or FaceFinder("high")  # whose views do not depend on what is found
        searched += 1
        share = _share(image, finder)
        if share is None:
            without.append(names[number])
        elif share < SHARE:
            small.append(names[number])
    return small, without, searched


def _share(image, finder):
    """The largest face's side in parts of the picture's; None if there is no face."""
    for side in SIDES:
        factor = side / max(image.shape[:2])
        height, width = (max(1, round(factor * each)) for each in image.shape[:2])
        view = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        if found := finder.find(view):
            area = max(face.width * face.height for face in found)
            return (area / (height * width)) ** 0.5
    return None


def warn_of_whole_photographs(folder, names, remedy):
    """Log a warning if pictures that should be faces, cut already, are not.

    Args:
        folder, names: as in `whole_photographs`.
        remedy: what to do then, the end of the line.
    """
    small, without, searched = whole_photographs(folder, names)
    if len(small) > RARE * searched:
        what = f"look like whole photographs, not like faces that are cut out: {some(small)}"
    elif len(without) == searched >= FEW:
        what = f"show no face at all: {some(without)}"
    else:
        return
    log(f"warning: of {searched} pictures that were tried, those {what}: {remedy}")
