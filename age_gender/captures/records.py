"""The records of a capture: what is stored of each face in a frame."""

import base64
import datetime
import json
import time

import cv2

from age_gender.output.tables import face_row

BIOMETRIC = ("face_jpeg", "embedding")  # stored, but not printed


def now():
    """The current time as records state it: ISO 8601, UTC."""
    return _iso(time.time())


def _iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def make_records(analysis, frame_id, save_faces=False, consent=None):
    """The records of the faces that are detected in a frame.

    Args:
        analysis: `analyst.Analysis`; embeddings are stored if it has them.
        frame_id: milliseconds since 1970.
        save_faces: also store a picture of each face.
        consent: when the person agreed, ISO 8601; None if nobody was asked.

    Returns:
        List of dicts for JSON. Ages are in years, boxes in pixels.
    """
    records = []
    image = analysis.frame.image
    for number, each in enumerate(analysis.detected, 1):
        box = left, top, width, height = each.face.inside(image)
        row = face_row({}, box, each.face.score, each.estimate)
        record = {
            "key": frame_id * 100 + number,
            "datetime": _iso(analysis.frame.date),
            "frame_id": frame_id,
            "frame_face_id": number,
            "predicted_ages": row.pop("age"),
            "predicted_genders": row.pop("gender"),
            "gender_probability": row.pop("probability"),
            "identity": each.identity,
            **row,
            "source": analysis.frame.name,
            "frame": analysis.frame.number,
            "has_face": save_faces,
            "has_embedding": each.embedding is not None,
        }
        if consent is not None:
            record["consent"] = consent
        if save_faces:
            record["face_jpeg"] = _jpeg(image[top : top + height, left : left + width])
        if each.embedding is not None:
            record["embedding"] = each.embedding
        records.append(record)
    return records


def _jpeg(image):
    return base64.b64encode(cv2.imencode(".jpg", image)[1]).decode()


def without_biometrics(records):
    """Records without pictures and embeddings, to be printed."""
    return [
        {key: value for key, value in record.items() if key not in BIOMETRIC} for record in records
    ]


def parse(content):
    """The records of a capture's file.

    Args:
        content: bytes, which may be anything.

    Raises `ValueError` where they are no records, with the reason.
    """
    records = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number} is not JSON") from error
        if not isinstance(record, dict) or "key" not in record:
            raise ValueError(f"line {number} is not a record with a key")
        records.append(record)
    if not records:
        raise ValueError("it is empty")
    return records


def json_lines(records):
    """Records as lines of JSON."""
    return "".join(json.dumps(record) + "\n" for record in records)
