"""The keys of the kiosk: captures, after consent if it is asked for, and saved frames."""

import csv
import io
import time

import cv2

from age_gender.captures.records import json_lines, make_records, now, without_biometrics
from age_gender.command_line import log
from age_gender.files import atomic_write
from age_gender.live.player import Shown
from age_gender.output.drawing import annotated
from age_gender.output.tables import BOX, INTERVAL, TABLES

CAPTURE, SAVE, YES, NO = ord(" "), ord("s"), ord("y"), ord("n")
MESSAGE_SECONDS = 3.0  # that a message stays on the screen
COLUMNS = [
    *("key", "datetime", "frame_id", "frame_face_id", "predicted_ages", "predicted_genders"),
    *("gender_probability", "identity", *BOX, "score", "source", "frame"),
    *(*INTERVAL, "consent"),
]


class Kiosk:
    """Takes keys and analyses, and captures or saves frames.

    A capture is of the first frame that is read after the key, so that consent is given before the
    picture is taken.

    Args:
        sender: `sender.Sender`.
        output_dir: folder for saved frames.
        save_faces, embeddings: what captures hold beside estimates.
        consent: ask before each capture.
        immediate: a frame that was read before the key will do: it is a picture, or no key was
            pressed.

    Attributes:
        requested: whether a key waits for its frame.
    """

    def __init__(
        self,
        sender,
        output_dir,
        save_faces=False,
        embeddings=False,
        consent=False,
        immediate=False,
    ):
        self._sender = sender
        self._output_dir = output_dir
        self._save_faces = save_faces
        self._embeddings = embeddings
        self._ask = consent
        self._immediate = immediate
        self._asking = None  # the key that waits for an answer
        self._key = None  # the key that waits for its frame
        self._since = 0.0
        self._consent = None
        self._text, self._until = None, 0.0
        self._pending = 0  # captures that are being stored

    @property
    def requested(self):
        return self._key is not None

    def needs_embeddings(self):
        """Whether the next frame must be analysed with embeddings."""
        return self._embeddings and (self._immediate or self.requested)

    def press(self, key):
        """Take a key; return False if it is none of the kiosk's."""
        if self._asking is not None and key in (YES, NO):
            if key == YES:
                self.request(self._asking, now())
            else:
                self._show("nothing is stored")
            self._asking = None
            return True
        if key not in (CAPTURE, SAVE):
            return False
        if self._ask:
            self._asking = key
        else:
            self.request(key)
        return True

    def request(self, key=CAPTURE, consent=None):
        """Capture (`CAPTURE`) or save (`SAVE`) the next frame."""
        self._key, self._consent, self._since = key, consent, time.monotonic()

    def see(self, shown):
        """Take what is shown; capture or save it if that was requested.

        Args:
            shown: `player.Shown`.

        Returns:
            Whether there was a face to capture or save.
        """
        analysis = shown.analysis
        if not self.requested or analysis is None:
            return False
        if not self._immediate and analysis.frame.read < self._since:
            return False
        key, self._key = self._key, None
        if not analysis.faces:
            self._show("no face to capture")
            return False
        frame_id = self._sender.outbox.frame_id()
        records = make_records(analysis, frame_id, self._save_faces, self._consent)
        if key == SAVE:
            self._save(analysis, records)
        else:
            self._sender.submit(records, frame_id)
            self._pending += 1
        return True

    def _save(self, analysis, records):
        """Save the annotated frame, and add its records to the tables."""
        picture = annotated(Shown(analysis.frame, analysis.faces, None, None))
        path = self._output_dir / f"{records[0]['frame_id']}.jpg"
        records = without_biometrics(records)
        table, lines = (self._output_dir / name for name in TABLES)
        try:
            self._output_dir.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as partial:
                partial.write_bytes(cv2.imencode(".jpg", picture)[1])
            text = io.StringIO(newline="")  # written at once, so that no row is incomplete
            writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
            if not table.exists() or not table.stat().st_size:
                writer.writeheader()
            writer.writerows(records)
            with open(table, "a", newline="", encoding="utf-8") as file:
                file.write(text.getvalue())
            with open(lines, "a", encoding="utf-8") as file:
                file.write(json_lines(records))
        except OSError as error:
            log(f"not saved: {self._output_dir}: {error.strerror}")
            self._show(f"NOT SAVED: {error.strerror}")
            return
        self._show(f"saved: {path}")

    def message(self):
        """The text for the screen, or None."""
        while not self._sender.outcomes.empty():
            self._show(self._sender.outcomes.get().text)
            self._pending -= 1
        if self._asking is not None:
            stored = ["estimates"] + ["pictures"] * self._save_faces
            stored += ["embeddings"] * self._embeddings
            return f"Store the {', '.join(stored)} of these faces? y / n"
        if self._pending:
            return "saving"
        return self._text if time.monotonic() < self._until else None

    def _show(self, text):
        self._text, self._until = text, time.monotonic() + MESSAGE_SECONDS
