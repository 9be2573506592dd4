"""The keys of the kiosk: captures, after consent if it is asked for, and saved frames."""

import math
import time

from age_gender.captures.records import make_records, now
from age_gender.captures.saved import SavedFrames
from age_gender.captures.sender import not_saved
from age_gender.live.player import LOADING, Shown
from age_gender.live.texts import ENGLISH, Texts
from age_gender.output.caption import Caption
from age_gender.output.drawing import annotated
from age_gender.output.placing import Memory

CAPTURE, SAVE, YES, NO = ord(" "), ord("s"), ord("y"), ord("n")
MESSAGE_SECONDS = 3.0  # that a message stays on the screen
ASKED_SECONDS = 60.0  # that a question waits for its answer: the visitor has left
REPEATED = 1.0  # seconds without the key that asked, before it counts as an answer: it may be held
FLASH_SECONDS = 0.15


class Kiosk:
    """Takes keys and analyses, and captures or saves frames.

    A capture is of the first frame that is read after the key, or after the countdown that the key
    starts, so that consent is given before the picture is taken.

    Args:
        sender: `sender.Sender`.
        output_dir: folder for saved frames.
        save_faces, embeddings: what captures hold beside estimates.
        consent: ask before each capture.
        immediate: a frame that was read before the key will do: it is a picture, or no key was
            pressed.
        texts: `texts.Texts` for the visitor; None for English.
        countdown: seconds between key and capture.
        sends: captures leave this machine.

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
        texts=None,
        countdown=0.0,
        sends=False,
    ):
        self._sender = sender
        self._saved = SavedFrames(output_dir)
        self._save_faces = save_faces
        self._embeddings = embeddings
        self._ask = consent
        self._immediate = immediate
        self._texts = texts or Texts(ENGLISH)
        self._countdown = countdown
        self._sends = sends
        self._asking = None  # the key that waits for an answer
        self._asked = 0.0  # when that key was pressed last
        self._key = None  # the key that waits for its frame
        self._since = 0.0
        self._consent = None
        self._flashed = -FLASH_SECONDS
        self._text, self._until = None, 0.0
        self._pending = 0  # captures and frames that are being stored
        self._failed = 0

    @property
    def requested(self):
        return self._key is not None

    def needs_embeddings(self):
        """Whether the next frame must be analysed with embeddings."""
        return self._embeddings and (self._immediate or (self.requested and not self.counting()))

    def counting(self):
        """Whole seconds until the capture, or 0 if none is counted down to."""
        return max(0, math.ceil(self._since - time.monotonic())) if self.requested else 0

    def flashing(self):
        """Whether a frame has been captured in this moment."""
        return time.monotonic() - self._flashed < FLASH_SECONDS

    def press(self, key):
        """Take a key; return False if it is none of the kiosk's."""
        key = ord(chr(key).lower()) if 0 < key < 128 else key
        if self._asking is not None:
            answer = self._answer(key)
            if answer is not None:
                if answer:
                    self.request(self._asking, now())
                else:
                    self.show(self._texts.nothing_stored)
                self._asking = None
                return True
        elif self.counting() and key in self._keys(False):
            self._key = None
            self.show(self._texts.nothing_stored)
            return True
        if key not in (CAPTURE, SAVE):
            return False
        if self._ask:
            self._asking, self._asked = key, time.monotonic()
        else:
            self.request(key)
        return True

    def _answer(self, key):
        """Whether a key says yes or no, else None."""
        pressed, before = time.monotonic(), self._asked
        if key == self._asking:
            self._asked = pressed
            if pressed - before < REPEATED:
                return None
        return next((yes for yes in (True, False) if key in self._keys(yes)), None)

    def _keys(self, yes):
        """The keys for yes or no: those of the language, and y or n always."""
        named = self._texts.yes_key if yes else self._texts.no_key
        return ord(named.lower()), YES if yes else NO

    def request(self, key=CAPTURE, consent=None):
        """Capture (`CAPTURE`) or save (`SAVE`) the next frame, after the countdown."""
        self._key, self._consent = key, consent
        self._since = time.monotonic() + (self._countdown if key == CAPTURE else 0)

    def see(self, shown):
        """Take what is shown; capture or save it if that was requested.

        Args:
            shown: `player.Shown`.

        Returns:
            Whether there was a face to capture or save.
        """
        analysis = shown.analysis
        if not self.requested or analysis is None or self.counting():
            return False
        if not self._immediate and analysis.frame.read < self._since:
            return False
        key, self._key = self._key, None
        if not analysis.detected:
            self.show(self._texts.no_face)
            return False
        self._pending += 1
        self._flashed = time.monotonic()
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
        picture = annotated(Shown(analysis.frame, analysis.faces, None, None), memory=Memory())
        self._sender.store(self._saved.folder, lambda: self._saved.add(picture, records))

    def message(self):
        """The text for the screen, or None."""
        while not self._sender.outcomes.empty():
            outcome = self._sender.outcomes.get()
            if outcome.saved:
                self.show(f"{self._texts.saved} {outcome.text}".strip())
            else:
                self.show(f"{self._texts.not_saved}: {outcome.text}")
            self._pending -= 1
            self._failed += not outcome.saved
        if self._asking is not None and time.monotonic() - self._asked > ASKED_SECONDS:
            self._asking = None
        if self._asking is not None:
            return self._texts.question(*self._asked_for())
        if self._pending:
            return self._texts.saving
        return self._text if time.monotonic() < self._until else None

    def _asked_for(self):
        """Whether a photo, and whether an embedding, would be stored."""
        if self._asking == SAVE:  # a picture of the whole frame, without the embedding
            return True, False
        return self._save_faces, self._embeddings

    def caption(self, problem=None):
        """The `caption.Caption` below the picture; ``problem`` is the message of the player."""
        texts, message = self._texts, self.message()
        if self._asking is not None:
            away = self._sends and self._asking == CAPTURE
            keys = (texts.yes_key, texts.yes), (texts.no_key, texts.no)
            return Caption(message, texts.is_sent if away else texts.stays_here, keys, True)
        if message is not None:
            return Caption(message)
        if problem is not None:
            return Caption(texts.loading if problem == LOADING else texts.no_camera, texts.intro)
        if self.counting():
            return Caption(texts.look, keys=((texts.no_key, texts.cancel),))
        promise = texts.nothing_without_consent if self._ask else texts.nothing_without_key
        effect = texts.keep_photo if self._save_faces else texts.keep
        return Caption(texts.intro, promise, ((texts.space_key, effect),))

    def unsaved(self):
        """How many captures and frames were not saved, or are not yet."""
        self.message()
        return self._failed + self._pending

    def show(self, text):
        """Show a message on the screen for a while."""
        self._text, self._until = text, time.monotonic() + MESSAGE_SECONDS
