import dataclasses
import hashlib
import json
import os

import dlib
import numpy as np
import pytest

from age_gender.conversion.metadata import POINTS, describe
from age_gender.detection import landmarks
from age_gender.detection.landmarks import CHIP
from age_gender.faces import FaceFinder
from age_gender.weights import Description
from wide_resnet import WideResNet


@pytest.fixture
def weight_file(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.hdf5")
    path.write_bytes(b"numbers")
    return path


def test_everything_that_cutting_needs_is_described(weight_file):
    description = Description(
        WideResNet(32, 10, 1),
        crop="aligned",
        margin=None,
        resize="area",
        gender_order="male,female",
        data="faces",
        terms="free",
        interval_level=0.9,
        interval_factor=1.5,
        interval_quantiles="0 0.0500 0.9500, 50 0.1000 0.9750",
    )
    said = describe(weight_file, description, "rgb", True)
    assert said.pop("program").startswith("age-gender-estimation 1.")
    assert said == {
        "network": "WideResNet 10-1 for 32 px faces",
        "image_size": 32,
        "colour_order": "rgb",
        "crop": "aligned",
        "chip_size": 200,
        "chip_padding": 0.2,
        "chip_points": POINTS,
        "resize": "area",
        "gender_order": "female,male",  # whatever the weight file's
        "interval_level": 0.9,
        "interval_factor": 1.5,
        "interval_quantiles": [[0, 0.05, 0.95], [50, 0.1, 0.975]],
        "precision": "float16",
        "data": "faces",
        "terms": "free",
        "source": "caf\\udce9.hdf5",
        "source_sha256": hashlib.sha256(b"numbers").hexdigest(),
    }


def test_margin_takes_the_place_of_the_alignment_and_what_is_unknown_is_left_out(weight_file):
    said = describe(weight_file, Description(margin=0.3), "bgr", False)
    assert (said["crop"], said["margin"], said["colour_order"]) == ("margin", 0.3, "bgr")
    assert said["precision"] == "float32"
    assert not {"chip_size", "chip_points", "interval_level", "interval_factor"} & said.keys()


@pytest.mark.parametrize("factor", [float("inf"), float("nan")])
def test_interval_that_is_no_number_is_left_out_of_json(weight_file, factor):
    said = describe(
        weight_file, dataclasses.replace(Description(), interval_factor=factor), "rgb", False
    )
    assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_points_are_where_dlib_puts_them(astronaut):
    """A similarity takes no face onto the mean face exactly, but close to it."""
    finder = FaceFinder()
    rgb = np.ascontiguousarray(astronaut[20:240, 110:330, ::-1])  # which is searched faster
    (face,) = finder.find(rgb)
    chip = landmarks.chip(rgb, face.rectangle())
    predictor = dlib.shape_predictor(
        landmarks.model_file("shape_predictor_68_face_landmarks.dat")  # has the mouth
    )
    box = dlib.rectangle(*(round(CHIP * part) for part in (0.2, 0.2, 0.8, 0.8)))
    found = np.array([(point.x, point.y) for point in predictor(chip, box).parts()]) / CHIP
    parts = [found[36:42].mean(0), found[42:48].mean(0), found[30], found[48], found[54]]
    np.testing.assert_allclose(parts, list(POINTS.values()), atol=0.07)
