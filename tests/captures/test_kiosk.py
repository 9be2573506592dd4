import csv
import json
import time

import numpy as np
import pytest

from age_gender.captures import sender as captures
from age_gender.captures.kiosk import CAPTURE, NO, SAVE, YES, Kiosk
from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame
from age_gender.live.analyst import Analysis, Seen
from age_gender.live.player import Shown


class Made:
    """Takes captures and says at once that they are saved."""

    def __init__(self, folder):
        self.outbox = captures.Outbox(folder)
        self.taken = []
        self.outcomes = captures.queue.SimpleQueue()

    def take(self, records, frame_id):
        self.taken.append(records)


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path / "outbox")


def shown(age=0.0, faces=1, embedding=None):
    """A frame that was read ``age`` seconds ago."""
    frame = Frame("camera 0", np.full((300, 400, 3), 90, np.uint8), 4, time.time() - age)
    seen = [
        Seen(2, Face(100, 100, 60, 60, 1.5), Estimate(30.0, 0.9), Estimate(28.0, 0.9), embedding)
    ] * faces
    return Shown(frame, seen, Analysis(frame, seen), None)


def test_space_captures_the_first_frame_after_it(made, tmp_path):
    stand = Kiosk(made, tmp_path)
    assert not stand.press(ord("x")) and not stand.press(YES)
    assert not stand.see(shown())
    assert stand.press(CAPTURE) and stand.wanted
    assert not stand.see(shown(age=1.0)) and not stand.see(shown()._replace(analysis=None))
    assert stand.see(shown()) and not stand.wanted
    assert stand.message() == "saving"
    made.outcomes.put(captures.Outcome(True, "saved: 1 face"))
    assert stand.message() == "saved: 1 face"
    ((record,),) = made.taken
    assert record["predicted_ages"] == 30.0 and "consent" not in record
    assert not record["has_face"] and "face_jpeg" not in record


def test_message_goes_after_a_while(made, tmp_path, monkeypatch):
    stand = Kiosk(made, tmp_path)
    stand.press(CAPTURE)
    assert not stand.see(shown(faces=0))
    assert stand.message() == "no face to capture" and made.taken == []
    now = time.time()
    monkeypatch.setattr("age_gender.captures.kiosk.time.time", lambda: now + 5)
    assert stand.message() is None


def test_consent_is_asked_for_first_and_recorded(made, tmp_path):
    stand = Kiosk(made, tmp_path, save_faces=True, embeddings=True, consent=True)
    for key in (CAPTURE, SAVE):
        assert stand.press(key) and not stand.wanted
        assert not stand.see(shown())
        assert stand.message() == (
            "Store the estimates, pictures, embeddings of these faces? y / n"
        )
        assert stand.press(NO) and not stand.see(shown())
        assert stand.message() == "nothing is stored"
    assert made.taken == [] and not list(tmp_path.glob("*.jpg"))
    stand.press(CAPTURE)
    stand.press(YES)
    assert stand.see(shown(embedding=[0.5] * 128))
    ((record,),) = made.taken
    assert record["consent"] <= captures.now() and record["has_face"] and record["has_embedding"]


def test_s_saves_the_picture_and_its_records(made, tmp_path):
    stand = Kiosk(made, tmp_path / "saved", save_faces=True)
    for _ in range(2):
        stand.press(SAVE)
        assert stand.see(shown(faces=2))
    assert stand.message().startswith(f"saved: {tmp_path}/saved/")
    assert len(list((tmp_path / "saved").glob("*.jpg"))) == 2
    with open(tmp_path / "saved" / "results.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    lines = (tmp_path / "saved" / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [row["key"] for row in rows] == [str(record["key"]) for record in records]
    assert len(rows) == 4 and rows[0]["predicted_ages"] == "30.0" and rows[0]["left"] == "100"
    assert "face_jpeg" not in records[0] and made.taken == []
    from age_gender.frames import read_picture

    picture = read_picture(next((tmp_path / "saved").glob("*.jpg")))
    assert picture.shape == (300, 400, 3) and picture.std() > 5  # something is drawn on it


def test_frame_that_cannot_be_saved_is_said(made, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    stand = Kiosk(made, tmp_path / "file")
    stand.press(SAVE)
    stand.see(shown())
    assert stand.message().startswith("NOT SAVED: ")
    assert capsys.readouterr().err.startswith(f"not saved: {tmp_path}/file: ")
