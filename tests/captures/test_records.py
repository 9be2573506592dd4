import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest

from age_gender import frames
from age_gender.captures.records import json_lines, make_records, parse, without_biometrics
from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame
from age_gender.live.analyst import Analysis
from age_gender.live.worker import AnalysedFace
from age_gender.pictures import decode_picture


def analysis(faces=2, embedding=None):
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    found = []
    for number, estimate in enumerate([Estimate(33.333, 0.25), Estimate(61.0, 0.75)][:faces]):
        face = Face(-5 + 60 * number, 10, 50, 50, 1.25)
        found.append(AnalysedFace(number + 4, face, estimate, estimate, embedding))
    return Analysis(Frame("camera 0", image, 7, 0.0, 100.0), found)


def test_records_follow_the_contract(monkeypatch):
    clock = SimpleNamespace(time=lambda: 1790000002.0, monotonic=lambda: 101.5)
    monkeypatch.setattr(frames, "time", clock)  # the frame was read 1.5 seconds ago
    first, second = make_records(analysis(), 1790000000500)
    assert first == {
        "key": 179000000050001,
        "datetime": "2026-09-21T14:13:20.500+00:00",
        "frame_id": 1790000000500,
        "frame_face_id": 1,
        "predicted_ages": 33.3,
        "predicted_genders": "F",
        "gender_probability": 0.75,
        "identity": 4,
        "left": 0,
        "top": 10,
        "width": 45,
        "height": 50,
        "score": 1.25,
        "source": "camera 0",
        "frame": 7,
        "has_face": False,
        "has_embedding": False,
    }
    assert second["key"] == 179000000050002 and second["predicted_genders"] == "M"
    assert second["frame_face_id"] == 2


def test_pictures_embeddings_and_consent_are_there_only_when_asked_for():
    embedding = [0.5] * 128
    (record,) = make_records(analysis(1, embedding), 5, True, "2026-01-01T00:00:00+00:00")
    assert record["has_face"] and record["has_embedding"]
    assert record["embedding"] == embedding and record["consent"] == "2026-01-01T00:00:00+00:00"
    assert decode_picture(base64.b64decode(record["face_jpeg"])).shape == (50, 45, 3)
    printed = json.loads(json_lines(without_biometrics([record])))
    assert "face_jpeg" not in printed and "embedding" not in printed and printed["has_face"]


@pytest.mark.parametrize(
    "content, reason",
    {
        b"": "it is empty",
        b'{"key": 1}\n{"key"': "line 2 is not JSON",
        b"\0" * 100: "line 1 is not JSON",
        b"\xff\xfe": "line 1 is not JSON",
        b"[" * 100000: "line 1 is not JSON",
        b"root:x:0:0:root:/root:/bin/bash": "line 1 is not JSON",
        b'{"name": 1}': "line 1 is not a record with a key",
        b"[1]": "line 1 is not a record with a key",
    }.items(),
)
def test_what_is_no_capture_is_noticed(content, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        parse(content)
    assert parse(b'{"key": 1}\n') == [{"key": 1}]
