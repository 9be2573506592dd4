"""The keys of the kiosk: captures, after consent if it is asked for, and saved frames."""

import time

from age_gender.captures.records import make_records, now
from age_gender.captures.saved import SavedFrames
from age_gender.captures.sender import not_saved
from age_gender.live.player import Shown
from age_gender.output.drawing import annotated

CAPTURE, SAVE, YES, NO = ord(" "), ord("s"), ord("y"), ord("n")
MESSAGE_SECONDS = 3.0  # that a message stays on the screen


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
        self._saved = SavedFrames(output_dir)
        self._save_faces = save_faces
        self._embeddings = embeddings
        self._ask = consent
        self._immediate = immediate
        self._asking = None  # the key that waits for an answer
        self._key = None  # the key that waits for its frame
        self._since = 0.0
        self._consent = None
        self._text, self._until = None, 0.0
        self._pending = 0  # captures and frames that are being stored
        self._failed = 0

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
                self.show("nothing is stored")
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
        if not analysis.detected:
            self.show("no face to capture")
            return False
        self._pending += 1
        try:
            self._keep(key, analysis)
        except Exception as error:  # of whatever class: the next capture is made all the same
            self._sender.outcomes.put(not_saved(f"frame {analysis.frame.number}", error))
        return True

    def _keep(self, key, analysis):
        """Let the sender store a capture, or save a frame."""
        frame_id = self._sender.outbox.frame_id()
        records = make_records(analysis, frame_id, self._save_faces, self._consent)
        if key == CAPTURE:
            return self._sender.submit(records, frame_id)
        picture = annotated(Shown(analysis.frame, analysis.faces, None, None))
        self._sender.store(self._saved.folder, lambda: self._saved.add(picture, records))

    def message(self):
        """The text for the screen, or None."""
        while not self._sender.outcomes.empty():
            outcome = self._sender.outcomes.get()
            self.show(outcome.text)
            self._pending -= 1
            self._failed += not outcome.saved
        if self._asking is not None:
            stored = ["estimates"] + ["pictures"] * self._save_faces
            stored += ["embeddings"] * self._embeddings
            return f"Store the {', '.join(stored)} of these faces? y / n"
        if self._pending:
            return "saving"
        return self._text if time.monotonic() < self._until else None

    def unsaved(self):
        """How many captures and frames were not saved, or are not yet."""
        self.message()
        return self._failed + self._pending

    def show(self, text):
        """Show a message on the screen for a while."""
        self._text, self._until = text, time.monotonic() + MESSAGE_SECONDS
