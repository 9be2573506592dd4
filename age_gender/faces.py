"""Faces of a picture, cut the way the weights were trained on them, and their embeddings."""

import dataclasses

import cv2
import dlib
import numpy as np

from age_gender.detection import landmarks
from age_gender.detection.face import Face, upright
from age_gender.detection.finder import FILTERS, FaceFinder

__all__ = ["Cut", "Embedder", "Face", "FaceFinder", "upright", "whole", "with_margin"]


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
        return [self._of_face(*upright(rgb, face)) for face in found]

    def _of_face(self, rgb, face):
        shape = self._landmarks(rgb, face.rectangle())
        return list(self._network.compute_face_descriptor(rgb, shape))

    def of_chips(self, chips):
        """Embeddings (N, 128) of N chips that dlib's get_face_chip cut, (150, 150, 3) uint8 RGB."""
        return np.array(self._network.compute_face_descriptor(chips))


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

    def examine(self, image, finder, near=None, everywhere=False):
        """Find the faces of a picture and cut them.

        Args:
            image: (H, W, 3) uint8 BGR.
            finder: a `FaceFinder`; None if the picture is a face already.
            near: list of `Face` of the last frame, if it is a frame of a video; None for a picture.
            everywhere: search the whole frame, not only around these faces.

        Returns:
            (list of N `Face`, (N, size, size, 3) uint8 BGR).
        """
        if finder is None:
            height, width = image.shape[:2]
            return [Face(0, 0, width, height)], whole(image, self.size, self.resize)[None]
        if near is None:
            found = finder.find(image)
        elif everywhere:
            found = finder.find_in_frame(image, near)
        else:
            found = finder.find_near(image, near)
        return found, self.faces(finder, image, found)

    def faces(self, finder, image, found):
        """Cut N faces out of a picture: (N, size, size, 3) uint8 BGR."""
        reach = max(self.margin or 0, 1)
        cuts = [self._cut(finder, *upright(image, face, reach)) for face in found]
        return np.array(cuts, np.uint8).reshape(-1, self.size, self.size, 3)

    def _cut(self, finder, image, face):
        if self.crop == "aligned":
            return finder.aligned(image, face, self.size, self.resize)
        return with_margin(image, face, self.margin, self.size, self.resize, self.beyond)
