"""Finds faces in a picture and cuts them the way the weights were trained on them.

The detector is dlib's HOG detector (Dalal and Triggs, CVPR 2005).
"""

import dataclasses
import os
from pathlib import Path

import cv2
import dlib
import numpy as np

from age_gender.detection import landmarks

SEARCH_SIZE = 2560  # longer side in pixels at which pictures are searched; faces need 80 there
SMALLEST = 16  # shorter side in pixels of what is searched there: less holds no part of a face
MOST_ENLARGED = 2  # largest factor by which small pictures are enlarged for the search
CERTAIN = 0.5  # detections with at least this score are not checked by their landmarks
AROUND = 1.0  # a known face is searched this many widths around its box,
NEAR_SIZE = 100  # at a scale at which it is this many pixels wide
# What dlib.get_frontal_face_detector().save() writes: that takes 0.26 s to be made anew, this 1 ms.
DETECTOR = Path(__file__).with_name("detection") / "frontal_faces.svm"
SAME = 0.3  # overlap above which two boxes are of one face
FILTERS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


@dataclasses.dataclass(frozen=True)
class Face:
    """A detected face: its box in pixels of the whole picture, which it may exceed."""

    left: int
    top: int
    width: int
    height: int
    score: float | None = None  # confidence of the detector; None if none was run

    def scaled(self, factor):
        """The same face in the picture resized by ``factor``."""
        numbers = (self.left, self.top, self.width, self.height)
        return Face(*(round(number * factor) for number in numbers), self.score)

    def moved(self, right, down):
        """The same face, moved by so many pixels."""
        return dataclasses.replace(self, left=self.left + right, top=self.top + down)

    def overlap(self, other):
        """Intersection over union of two boxes, 0 to 1."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        shared = max(across, 0) * max(down, 0)
        return shared / (self.width * self.height + other.width * other.height - shared)

    def inside(self, image):
        """The part of the box inside ``image``: (left, top, width, height)."""
        height, width = image.shape[:2]
        left, top = max(self.left, 0), max(self.top, 0)
        right = min(self.left + self.width, width)
        bottom = min(self.top + self.height, height)
        return left, top, max(right - left, 1), max(bottom - top, 1)

    def rectangle(self):
        """The box as a dlib rectangle, whose right and bottom are the last pixels inside."""
        return dlib.rectangle(
            self.left, self.top, self.left + self.width - 1, self.top + self.height - 1
        )


class FaceFinder:
    """The detector, which is loaded in 0.03 s, and the cuts by landmarks."""

    def __init__(self):
        landmarks.model_file(landmarks.MODEL)  # raises UserError, before any face is found
        self._detector = dlib.fhog_object_detector(os.fsencode(DETECTOR))

    def find(self, image):
        """Find the faces in a picture (H, W, 3) uint8 BGR.

        Returns:
            A list of `Face`, from left to right.
        """
        found = self._search(image, min(SEARCH_SIZE / max(image.shape[:2]), MOST_ENLARGED))
        return sorted(found, key=lambda face: (face.left, face.top))

    def _search(self, image, factor):
        """The faces that the detector finds in a picture resized by ``factor``."""
        if min(image.shape[:2]) * factor < SMALLEST:
            return []
        view = cv2.resize(
            image,
            None,
            fx=factor,
            fy=factor,
            interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR,
        )
        view = cv2.cvtColor(view, cv2.COLOR_BGR2RGB)
        boxes, scores, _ = self._detector.run(view, 0, 0.0)
        faces = []
        for box, score in zip(boxes, scores):
            if score < CERTAIN and landmarks.drift(view, box) > landmarks.STEADY:
                continue
            face = Face(box.left(), box.top(), box.width(), box.height(), round(score, 3))
            faces.append(face.scaled(1 / factor))
        return faces

    def find_near(self, image, known):
        """Find faces again around their boxes in the last frame; faster than `find`.

        Args:
            image: (H, W, 3) uint8 BGR.
            known: list of `Face` of the last frame.

        Returns:
            A list of `Face` like that of `find`.
        """
        height, width = image.shape[:2]
        found = []
        for face in known:
            reach = int(AROUND * face.width)
            left, top = max(face.left - reach, 0), max(face.top - reach, 0)
            right = min(face.left + face.width + reach, width)
            bottom = min(face.top + face.height + reach, height)
            if right <= left or bottom <= top:
                continue
            factor = NEAR_SIZE / face.width
            around = self._search(image[top:bottom, left:right], factor)
            found += [near.moved(left, top) for near in around]
        return sorted(_distinct(found), key=lambda face: (face.left, face.top))

    def aligned(self, image, face, size, resize="linear"):
        """Cut a face, rotated and scaled by its landmarks as in UTKFace's chips.

        Args:
            image: (H, W, 3) uint8 BGR.
            face: a `Face` in it.
            size: side of the result in pixels.
            resize: OpenCV's filter, "linear" or "area".

        Returns:
            (size, size, 3) uint8 BGR, black beyond the picture.
        """
        height, width = image.shape[:2]
        reach = face.width  # enough for a chip of this padding at any rotation
        left, top = max(face.left - reach, 0), max(face.top - reach, 0)
        right = min(face.left + face.width + reach, width)
        bottom = min(face.top + face.height + reach, height)
        around = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2RGB)
        moved = dlib.translate_rect(face.rectangle(), dlib.point(-left, -top))
        chip = landmarks.chip(around, moved)
        chip = cv2.resize(chip, (size, size), interpolation=FILTERS[resize])
        return cv2.cvtColor(chip, cv2.COLOR_RGB2BGR)


class Embedder:
    """Face embeddings of dlib's recognition network, the same as those of face_recognition."""

    def __init__(self):
        self._landmarks = landmarks.predictor()
        self._network = landmarks.load(
            dlib.face_recognition_model_v1, "dlib_face_recognition_resnet_model_v1.dat"
        )

    def __call__(self, image, found):
        """Embeddings of N `Face` in a picture (H, W, 3) uint8 BGR: N lists of 128 numbers."""
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        shapes = [self._landmarks(rgb, face.rectangle()) for face in found]
        return [list(self._network.compute_face_descriptor(rgb, shape)) for shape in shapes]

    def of_chips(self, chips):
        """Embeddings (N, 128) of N chips that dlib's get_face_chip cut, (150, 150, 3) uint8 RGB."""
        return np.array(self._network.compute_face_descriptor(chips))


def _distinct(found):
    """The faces without those that overlap one of higher score, found by an adjacent search."""
    kept = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(face.overlap(other) < SAME for other in kept):
            kept.append(face)
    return kept


def with_margin(image, face, margin, size, resize="linear", beyond=False):
    """Cut a face's box with a margin around it, as the original does.

    The cut is clipped at the picture's border and resized without keeping its aspect ratio; or the
    border is replicated, as in the original's tool for UTKFace's raw pictures.

    Args:
        image: (H, W, 3) uint8 BGR.
        face: a `Face` in it.
        margin: on each side, in widths and heights of the box.
        size: side of the result in pixels.
        resize: OpenCV's filter, "linear" or "area".
        beyond: replicate the picture's border instead of clipping the cut.

    Returns:
        (size, size, 3) uint8 BGR.
    """
    height, width = image.shape[:2]
    x1, y1, w, h = face.left, face.top, face.width, face.height
    x2, y2 = x1 + w, y1 + h
    left, right = int(x1 - margin * w), int(x2 + margin * w)
    top, bottom = int(y1 - margin * h), int(y2 + margin * h)
    if beyond:
        rows = np.clip(np.arange(top, bottom + 1), 0, height - 1)
        columns = np.clip(np.arange(left, right + 1), 0, width - 1)
        return whole(image[rows[:, None], columns], size, resize)
    left, right, top, bottom = (
        max(left, 0),
        min(right, width - 1),
        max(top, 0),
        min(bottom, height - 1),
    )
    return whole(image[top : bottom + 1, left : right + 1], size, resize)


def whole(image, size, resize="linear"):
    """Resize a picture that is a face already to (size, size, 3)."""
    return cv2.resize(image, (size, size), interpolation=FILTERS[resize])


@dataclasses.dataclass(frozen=True)
class Cut:
    """How faces are cut for the network; small enough to be sent to another process."""

    crop: str  # "margin" or "aligned"
    margin: float
    size: int  # pixels
    resize: str
    beyond: bool = False  # replicate the picture's border instead of clipping a margin

    @classmethod
    def of(cls, description, margin=None):
        """The cut that weights were trained on, or one with a user's own ``margin``."""
        if margin is None:
            crop, margin = description.crop, description.margin
        else:
            crop = "margin"
        return cls(crop, margin, description.image_size, description.resize)

    def examine(self, image, finder, near=None):
        """Find the faces of a picture and cut them.

        Args:
            image: (H, W, 3) uint8 BGR.
            finder: a `FaceFinder`; None if the picture is a face already.
            near: list of `Face` of the last frame to search around; None to search everywhere.

        Returns:
            (list of N `Face`, (N, size, size, 3) uint8 BGR).
        """
        if finder is None:
            height, width = image.shape[:2]
            return [Face(0, 0, width, height)], whole(image, self.size, self.resize)[None]
        found = finder.find(image) if near is None else finder.find_near(image, near)
        return found, self.faces(finder, image, found)

    def faces(self, finder, image, found):
        """Cut N faces out of a picture: (N, size, size, 3) uint8 BGR."""
        cuts = [
            finder.aligned(image, face, self.size, self.resize)
            if self.crop == "aligned"
            else with_margin(image, face, self.margin, self.size, self.resize, self.beyond)
            for face in found
        ]
        return np.array(cuts, np.uint8).reshape(-1, self.size, self.size, 3)
