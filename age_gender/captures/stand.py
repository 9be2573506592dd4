"""The window of a stand: frames with the kiosk's caption, and keys."""

from age_gender.live.player import mirrored
from age_gender.live.window import NO_KEY, PICTURE_SIZE, Window, screen_size
from age_gender.output.caption import captioned
from age_gender.output.drawing import annotated
from age_gender.output.placing import Memory

FOR_VISITORS = ("age", "interval", "gender")  # parts of labels in full screen


class Stand:
    """Shows frames and acts on keys.

    Args:
        kiosk: `kiosk.Kiosk`.
        pictures: each frame is a picture, which stays until a key is pressed.
        full_screen: the window fills the screen.
        mirror: frames are shown as in a mirror.
        parts: of the labels, see `labels.labels`; None for what suits the window.
    """

    def __init__(self, kiosk, pictures=False, full_screen=False, mirror=False, parts=None):
        self._kiosk = kiosk
        self._pictures = pictures
        self._full_screen = full_screen
        self._mirror = mirror
        self._parts = FOR_VISITORS if parts is None and full_screen else parts
        self._labels = None if pictures else Memory()

    def show(self, frames, retention, notices):
        """Show frames until they or the user end.

        Args:
            frames: iterable of `player.Shown`.
            retention: `outbox.Retention`, applied after each.
            notices: function that returns what else is to be said, a list of texts.
        """
        with Window("result", self._full_screen) as window:
            for shown in frames:
                if not self._handle(window, shown, notices):
                    return
                retention.apply()

    def _handle(self, window, shown, notices):
        """Show a frame and act on the key, until the next frame's turn; False if the user quits."""
        while True:
            self._kiosk.see(shown)
            for notice in notices():
                self._kiosk.show(notice)
            message = self._kiosk.message()
            wait = self._pictures and message is None
            key = window.show(self._drawn(shown, message), wait_for_key=wait)
            if key is None:
                return False
            taken = self._kiosk.press(key)
            if not self._pictures or (key != NO_KEY and not taken):
                return True

    def _drawn(self, shown, message):
        if self._pictures and not self._full_screen:
            return annotated(shown, PICTURE_SIZE, message, self._parts)
        caption = self._kiosk.caption(shown.message)
        return captioned(
            mirrored(shown) if self._mirror else shown,
            caption,
            screen_size() if self._full_screen else None,
            self._parts,
            self._labels,
            self._kiosk.counting(),
            self._kiosk.flashing(),
        )
