"""What the keys do at a stand: captures, asked for first if need be, and frames that are saved."""

import csv
import io
import time

from age_gender.captures import sender as captures
from age_gender.command_line import log
from age_gender.files import atomic_write
from age_gender.output import tables as results

CAPTURE, SAVE, YES, NO = ord(" "), ord("s"), ord("y"), ord("n")
SECONDS = 3.0  # that a message stays on the screen
COLUMNS = [
    *("key", "datetime", "frame_id", "frame_face_id", "predicted_ages", "predicted_genders"),
    *("gender_probability", "identity", *results.PLACE, "score", "source", "frame"),
    *(*results.INTERVAL, "consent"),
]


class Kiosk:
    """Takes keys and analyses, and makes captures of them.

    What is captured is the first frame that is read after the key: so an answer is given before
    the picture is taken.

    Args:
        made: `captures.Captures`.
        output_dir: folder for what is saved.
        save_faces, embeddings: what captures hold beside numbers.
        consent: ask before each.

    Attributes:
        wanted: whether a capture waits for its frame.
    """

    def __init__(self, made, output_dir, save_faces=False, embeddings=False, consent=False):
        self._made = made
        self._output_dir = output_dir
        self._save_faces = save_faces
        self._stored = ["estimates"] + ["pictures"] * save_faces + ["embeddings"] * embeddings
        self._ask = consent
        self._asking = None  # the key that an answer is awaited for
        self._kind = None  # the key of what is wanted
        self._since = 0.0
        self._consent = None
        self._text, self._until = None, 0.0
        self._pending = 0  # captures that are being kept

    @property
    def wanted(self):
        return self._kind is not None

    def press(self, key):
        """Take a key; False where it is none of its own."""
        if self._asking is not None and key in (YES, NO):
            if key == YES:
                self.want(self._asking, captures.now())
            else:
                self._tell("nothing is stored")
            self._asking = None
            return True
        if key not in (CAPTURE, SAVE):
            return False
        if self._ask:
            self._asking = key
        else:
            self.want(key)
        return True

    def want(self, kind=CAPTURE, consent=None):
        """Let the next frame be captured (`CAPTURE`) or saved (`SAVE`)."""
        self._kind, self._consent, self._since = kind, consent, time.time()

    def see(self, shown, at_once=False):
        """Take what is shown; capture or save it if that is wanted.

        Args:
            shown: `live.Shown`.
            at_once: a frame that was read before will do: it is a picture, or nobody pressed.

        Returns:
            Whether there was a face to capture or save.
        """
        analysis = shown.analysis
        if not self.wanted or analysis is None:
            return False
        if not at_once and analysis.frame.time < self._since:
            return False
        kind, self._kind = self._kind, None
        if not analysis.seen:
            self._tell("no face to capture")
            return False
        frame_id = self._made.outbox.frame_id()
        records = captures.records_of(analysis, frame_id, self._save_faces, self._consent)
        if kind == SAVE:
            self.save(analysis, records)
        else:
            self._made.take(records, frame_id)
            self._pending += 1
        return True

    def save(self, analysis, records):
        """Save a frame with what was drawn on it, and add its records to the tables."""
        import cv2

        from age_gender.live import player as live
        from age_gender.output import drawing

        picture = drawing.annotated(live.Shown(analysis.frame, analysis.seen, None, None))
        name = f"{records[0]['frame_id']}.jpg"
        numbers = captures.numbers_of(records)
        table, lines = (self._output_dir / each for each in results.TABLES)
        try:
            self._output_dir.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._output_dir / name) as partial:
                partial.write_bytes(cv2.imencode(".jpg", picture)[1])
            text = io.StringIO(newline="")  # written in one go, so that no row is torn
            writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
            if not table.exists() or not table.stat().st_size:
                writer.writeheader()
            writer.writerows(numbers)
            with open(table, "a", newline="", encoding="utf-8") as file:
                file.write(text.getvalue())
            with open(lines, "a", encoding="utf-8") as file:
                file.write(captures.lines_of(numbers))
        except OSError as error:
            log(f"not saved: {self._output_dir}: {error.strerror}")
            self._tell(f"NOT SAVED: {error.strerror}")
            return
        self._tell(f"saved: {self._output_dir / name}")

    def message(self):
        """What the screen says now, or None."""
        while not self._made.outcomes.empty():
            self._tell(self._made.outcomes.get().text)
            self._pending -= 1
        if self._asking is not None:
            return f"Store the {', '.join(self._stored)} of these faces? y / n"
        if self._pending:
            return "saving"
        return self._text if time.time() < self._until else None

    def _tell(self, text):
        self._text, self._until = text, time.time() + SECONDS
