"""Finds faces in a picture, or in the frames of a video.

The detector is dlib's HOG detector (Dalal and Triggs, CVPR 2005); `views` says where it is run, and
`landmarks` whether it is right where it is not certain.
"""

import os
from pathlib import Path

import cv2
import dlib

from age_gender.detection import landmarks, turning, views
from age_gender.detection.face import SAME, Face, around, in_order

# What dlib.get_frontal_face_detector().save() writes: that takes 0.26 s to be made anew, this 1 ms.
DETECTOR = Path(__file__).with_name("frontal_faces.svm")
SMALLEST = 16  # shorter side in pixels of what is searched: less holds no part of a face
LEAST_SCORE = -0.2  # of detections that are considered
CERTAIN = 0.5  # detections with at least this score are not checked by their landmarks
STEADIER = 0.025  # of their drift where a face is less likely: with scores below 0, and turned
AROUND = 1.0  # a known face is searched this many widths around its box,
NEAR_SIZE = 100  # at a scale at which it is this many pixels wide
FILTERS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


class FaceFinder:
    """The detector, and the cuts by landmarks.

    Args:
        detail: how small faces are searched for, one of `views.DETAILS`.
    """

    def __init__(self, detail="normal"):
        self._detail = detail
        self._frames = 0
        landmarks.model_file(landmarks.MODEL)  # raises UserError, before any face is found
        self._detector = dlib.fhog_object_detector(os.fsencode(DETECTOR))

    def find(self, image):
        """Find the faces in a picture (H, W, 3) uint8 BGR.

        Returns:
            A list of `Face`, from left to right.
        """
        return self._through(image, views.of_picture(*image.shape[:2], self._detail))

    def find_in_frame(self, image, known):
        """Find the faces in a frame of a video; on the average in less time than `find`.

        Args:
            image: (H, W, 3) uint8 BGR.
            known: list of `Face` of the last frame, which may be too small for this search.

        Returns:
            A list of `Face` like that of `find`.
        """
        of_frame = views.of_frame(max(image.shape[:2]), self._detail, self._frames)
        self._frames += 1
        found = self._through(image, of_frame)
        unseen = [face for face in known if all(face.overlap(each) < SAME for each in found)]
        return in_order(found + self.find_near(image, unseen))

    def find_near(self, image, known):
        """Find faces again around their boxes in the last frame; faster than `find`.

        Args:
            image: (H, W, 3) uint8 BGR.
            known: list of `Face` of the last frame.

        Returns:
            A list of `Face` like that of `find`.
        """
        found = []
        for face in known:
            left, top, right, bottom = around(image, face, 0.5 + AROUND)
            if right <= left or bottom <= top:
                continue
            part = image[top:bottom, left:right]
            near = self._search(part, NEAR_SIZE / face.width, (face.turn,))
            found += [each.moved(left, top) for each in near]
        return in_order(found)

    def _through(self, image, all_views):
        """The faces in those of a picture's views that are needed."""
        found = []
        for view in all_views:
            if not view.needed([face.width for face in found]):
                continue
            for top, bottom, left, right in views.tiles(*image.shape[:2], view.factor):
                part = self._search(image[top:bottom, left:right], view.factor, view.turns)
                found += [face.moved(left, top) for face in part]
            found = in_order(found)
        return found

    def _search(self, image, factor, turns):
        """The faces that the detector finds in a picture resized by ``factor``.

        Args:
            image: (H, W, 3) uint8 BGR.
            factor: of the view.
            turns: degrees by which the faces are turned clockwise that are searched for.
        """
        if min(image.shape[:2]) * factor < SMALLEST:
            return []
        grey = turning.grey(image, factor)
        faces = []
        for turn in turns:
            view = turning.turned(grey, turn)
            boxes, scores, _ = self._detector.run(view, 0, LEAST_SCORE)
            for box, score in zip(boxes, scores):
                if self._is_face(view, box, score, turn):
                    face = Face(box.left(), box.top(), box.width(), box.height(), round(score, 3))
                    face = face.turned(-turn, view.shape, grey.shape)
                    faces.append(face.scaled(1 / factor))
        return faces

    def _is_face(self, view, box, score, turn):
        if turn and score < 0:
            return False
        if score >= CERTAIN and not turn:
            return True
        most = STEADIER if turn or score < 0 else landmarks.STEADY
        return landmarks.drift(view, box) <= most

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
        part = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2RGB)
        moved = dlib.translate_rect(face.rectangle(), dlib.point(-left, -top))
        chip = landmarks.chip(part, moved)
        chip = cv2.resize(chip, (size, size), interpolation=FILTERS[resize])
        return cv2.cvtColor(chip, cv2.COLOR_RGB2BGR)
