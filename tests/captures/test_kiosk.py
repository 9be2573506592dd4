import csv
import json
import queue
import time
from types import SimpleNamespace

import numpy as np
import pytest

from age_gender.captures.kiosk import CAPTURE, NO, SAVE, YES, Kiosk
from age_gender.captures.outbox import Outbox
from age_gender.captures.records import now
from age_gender.captures.sender import Outcome, not_saved
from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame
from age_gender.live.analyst import Analysis
from age_gender.live.player import LOADING, Shown
from age_gender.live.texts import Texts
from age_gender.live.worker import AnalysedFace


class FakeSender:
    """Takes captures and only keeps them."""

    def __init__(self, folder):
        self.outbox = Outbox(folder)
        self.taken = []
        self.outcomes = queue.SimpleQueue()

    def submit(self, records, frame_id):
        self.taken.append(records)

    def store(self, folder, work):
        try:
            self.outcomes.put(Outcome(True, work()))
        except OSError as error:
            self.outcomes.put(not_saved(folder, error))


@pytest.fixture
def sender(tmp_path):
    return FakeSender(tmp_path / "outbox")


def shown(age=0.0, faces=1, embedding=None):
    """A frame that was read ``age`` seconds ago."""
    frame = Frame("camera 0", np.full((300, 400, 3), 90, np.uint8), 4, 0.0, time.monotonic() - age)
    face, estimate = Face(100, 100, 60, 60, 1.5), Estimate(30.0, 0.9)
    found = [AnalysedFace(2, face, estimate, Estimate(28.0, 0.9), embedding)] * faces
    return Shown(frame, found, Analysis(frame, found), None)


def test_space_captures_the_first_frame_after_it(sender, tmp_path):
    kiosk = Kiosk(sender, tmp_path)
    assert not kiosk.press(ord("x")) and not kiosk.press(YES)
    assert not kiosk.see(shown())
    assert kiosk.press(CAPTURE) and kiosk.requested
    assert not kiosk.see(shown(age=1.0)) and not kiosk.see(shown()._replace(analysis=None))
    assert kiosk.see(shown()) and not kiosk.requested
    assert kiosk.message() == "Saving …"
    sender.outcomes.put(Outcome(True, ""))
    assert kiosk.message() == "Saved. Thank you!"
    ((record,),) = sender.taken
    assert record["predicted_ages"] == 30.0 and "consent" not in record
    assert not record["has_face"] and "face_jpeg" not in record


def test_message_goes_after_a_while(sender, tmp_path, monkeypatch):
    kiosk = Kiosk(sender, tmp_path)
    kiosk.press(CAPTURE)
    assert not kiosk.see(shown(faces=0))
    assert "come in front of the camera" in kiosk.message() and sender.taken == []
    now = time.monotonic()
    monkeypatch.setattr("age_gender.captures.kiosk.time.monotonic", lambda: now + 5)
    assert kiosk.message() is None


def test_consent_is_asked_for_first_and_recorded(sender, tmp_path):
    kiosk = Kiosk(sender, tmp_path, save_faces=True, embeddings=True, consent=True)
    for key in (CAPTURE, SAVE):
        assert kiosk.press(key) and not kiosk.requested
        assert not kiosk.see(shown())
        assert (
            kiosk.message()
            == {
                CAPTURE: "May we keep your photo, the estimate, and numbers by which your face "
                "can be recognised?",
                SAVE: "May we keep your photo and the estimate?",
            }[key]
        )
        assert kiosk.press(NO) and not kiosk.see(shown())
        assert kiosk.message() == "Nothing is stored."
    assert sender.taken == [] and not list(tmp_path.glob("*.jpg"))
    kiosk.press(CAPTURE)
    kiosk.press(YES)
    assert kiosk.see(shown(embedding=[0.5] * 128))
    ((record,),) = sender.taken
    assert record["consent"] <= now() and record["has_face"] and record["has_embedding"]


def test_s_saves_the_picture_and_its_records(sender, tmp_path):
    kiosk = Kiosk(sender, tmp_path / "saved", save_faces=True)
    for _ in range(2):
        kiosk.press(SAVE)
        assert kiosk.see(shown(faces=2))
    assert kiosk.message().startswith(f"Saved. Thank you! {tmp_path}/saved/")
    assert len(list((tmp_path / "saved").glob("*.jpg"))) == 2
    with open(tmp_path / "saved" / "results.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    lines = (tmp_path / "saved" / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [row["key"] for row in rows] == [str(record["key"]) for record in records]
    assert len(rows) == 4 and rows[0]["predicted_ages"] == "30.0" and rows[0]["left"] == "100"
    assert "face_jpeg" not in records[0] and sender.taken == []
    from age_gender.pictures import read_picture

    picture = read_picture(next((tmp_path / "saved").glob("*.jpg")))
    assert picture.shape == (300, 400, 3) and picture.std() > 5  # something is drawn on it


def test_frame_that_cannot_be_saved_is_said(sender, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    kiosk = Kiosk(sender, tmp_path / "file")
    kiosk.press(SAVE)
    kiosk.see(shown())
    assert kiosk.message().startswith("NOT SAVED: ")
    assert capsys.readouterr().err.startswith(f"not saved: {tmp_path}/file: ")


def test_a_capture_that_cannot_be_made_is_said_and_counted(sender, tmp_path, monkeypatch, capsys):
    kiosk = Kiosk(sender, tmp_path, save_faces=True)
    with monkeypatch.context() as broken:
        broken.setattr("age_gender.captures.kiosk.make_records", lambda *_: 1 / 0)
        kiosk.press(CAPTURE)
        assert kiosk.see(shown())
    assert kiosk.message() == "NOT SAVED: ZeroDivisionError: division by zero"
    assert capsys.readouterr().err == "not saved: frame 4: ZeroDivisionError: division by zero\n"
    kiosk.press(CAPTURE)
    assert kiosk.see(shown()) and len(sender.taken) == 1
    assert kiosk.unsaved() == 2  # one is not stored yet
    sender.outcomes.put(Outcome(True, ""))
    assert kiosk.unsaved() == 1


def test_the_clock_may_be_set(sender, tmp_path, monkeypatch):
    kiosk = Kiosk(sender, tmp_path)
    kiosk.press(CAPTURE)
    for jump in (24 * 3600, -3600):
        now = time.time() + jump
        monkeypatch.setattr("age_gender.captures.kiosk.time.time", lambda now=now: now)
        assert not kiosk.see(shown(age=1.0)) and kiosk.requested
        assert kiosk.see(shown())
        kiosk.press(CAPTURE)


def test_embeddings_are_needed_for_requested_frames_alone(sender, tmp_path):
    kiosk = Kiosk(sender, tmp_path, embeddings=True)
    assert not kiosk.needs_embeddings()
    kiosk.press(CAPTURE)
    assert kiosk.needs_embeddings()
    assert Kiosk(sender, tmp_path, embeddings=True, immediate=True).needs_embeddings()
    assert not Kiosk(sender, tmp_path, immediate=True).needs_embeddings()


def test_picture_that_was_read_before_the_key_is_captured_at_once(sender, tmp_path):
    kiosk = Kiosk(sender, tmp_path, immediate=True)
    kiosk.press(CAPTURE)
    assert kiosk.see(shown(age=1.0)) and len(sender.taken) == 1


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by adding to its ``now``, for the kiosk."""
    clock = SimpleNamespace(now=time.monotonic())
    monkeypatch.setattr("age_gender.captures.kiosk.time.monotonic", lambda: clock.now)
    return clock


def read_at(moment, faces=1):
    frame = Frame("camera 0", np.full((300, 400, 3), 90, np.uint8), 4, 0.0, moment)
    return shown(faces=faces)._replace(analysis=Analysis(frame, shown(faces=faces).faces))


def test_countdown_runs_before_the_frame_that_is_captured_is_read(sender, tmp_path, clock):
    kiosk = Kiosk(sender, tmp_path, embeddings=True, countdown=3)
    kiosk.press(CAPTURE)
    counted = []
    for _ in range(3):
        counted.append(kiosk.counting())
        assert not kiosk.see(read_at(clock.now)) and not kiosk.needs_embeddings()
        assert kiosk.caption().text == "Please look at the camera."
        clock.now += 1
    assert counted == [3, 2, 1] and kiosk.counting() == 0 and kiosk.needs_embeddings()
    assert not kiosk.see(read_at(clock.now - 0.5)) and not kiosk.flashing()
    assert kiosk.see(read_at(clock.now)) and kiosk.flashing() and len(sender.taken) == 1
    clock.now += 1
    assert not kiosk.flashing()


def test_no_cancels_the_countdown(sender, tmp_path, clock):
    kiosk = Kiosk(sender, tmp_path, consent=True, countdown=3)
    kiosk.press(CAPTURE)
    kiosk.press(YES)
    assert kiosk.counting() == 3
    assert kiosk.press(NO) and not kiosk.requested
    clock.now += 4
    assert not kiosk.see(read_at(clock.now)) and sender.taken == []


@pytest.mark.parametrize(
    "language, yes, no",
    [("en", "y", "n"), ("de", "jJy", "nN"), ("fr", "oOY", "n"), ("es", "sy", "n")],
)
def test_visitors_answer_in_their_language_or_with_y(language, yes, no, sender, tmp_path):
    kiosk = Kiosk(sender, tmp_path, consent=True, texts=Texts(language))
    for key in no:
        kiosk.press(CAPTURE)
        assert kiosk.press(ord(key)) and not kiosk.requested
        assert kiosk.message() == Texts(language).nothing_stored
    for key in yes:
        kiosk.press(CAPTURE)
        assert kiosk.caption().asks and not kiosk.press(ord("x"))
        assert kiosk.press(ord(key)) and kiosk.requested
        assert kiosk.see(shown())
    assert len(sender.taken) == len(yes)


def test_key_that_is_held_is_no_answer_to_its_own_question(sender, tmp_path, clock):
    kiosk = Kiosk(sender, tmp_path, consent=True, texts=Texts("es"))
    for _ in range(50):  # s saves, and is the key of yes
        assert kiosk.press(SAVE) and not kiosk.requested
        clock.now += 0.5
    clock.now += 1
    assert kiosk.press(SAVE) and kiosk.requested


def test_question_that_nobody_answers_goes(sender, tmp_path, clock):
    kiosk = Kiosk(sender, tmp_path, consent=True)
    kiosk.press(CAPTURE)
    clock.now += 59
    assert kiosk.caption().asks
    clock.now += 2
    assert not kiosk.caption().asks
    assert not kiosk.press(YES) and not kiosk.requested


def test_caption_says_what_is_stored_and_where(sender, tmp_path):
    kiosk = Kiosk(sender, tmp_path, save_faces=True, consent=True, sends=True)
    idle = kiosk.caption()
    assert idle.detail == "Nothing is stored unless you agree."
    assert idle.keys == (("Space", "take a photo"),) and not idle.asks
    kiosk.press(CAPTURE)
    asked = kiosk.caption()
    assert asked.asks and asked.text == "May we keep your photo and the estimate?"
    assert asked.detail == "It will be sent to the organiser's server."
    assert asked.keys == (("Y", "yes"), ("N", "no"))
    kiosk.press(SAVE)
    assert kiosk.caption().detail == "Everything stays on this computer."
    unasked = Kiosk(sender, tmp_path).caption()
    assert unasked.detail == "Nothing is stored unless a key is pressed."
    assert (
        Kiosk(sender, tmp_path).caption("no camera 0: trying again").text.startswith("There is no")
    )
    assert Kiosk(sender, tmp_path).caption(LOADING).text == "Just a moment …"
