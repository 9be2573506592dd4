"""Pictures in a window: forward, back, each shown at once, and analysed ahead of the user."""

import collections

import numpy as np

from age_gender.frames import Frame
from age_gender.listing import OUTPUT
from age_gender.live.player import LOADING, Shown
from age_gender.live.window import END, HOME, LEFT, NO_KEY, PICTURE_SIZE
from age_gender.messages import printable
from age_gender.output.drawing import annotated

KEPT = 10  # pictures that are shown again without being read again
TRIES = 2  # at a picture at which the analysis ends
PAUSE = 30  # milliseconds between looks at the analysis
BACK_KEYS = (LEFT, ord("a"), ord("p"))  # every other character goes forward


class Album:
    """The pictures of a folder as they are to be shown, with or without the analysis yet.

    Args:
        folder: `frames.PictureFolder`.
        analyst: `analyst.Analyst` that does not track.
        room: width and height that a picture may take.
        parts: of the labels, as in `drawing.annotated`.
    """

    def __init__(self, folder, analyst, room, parts=None):
        self._folder = folder
        self._analyst = analyst
        self._room = room
        self._parts = parts
        self._numbers = list(range(1, len(folder) + 1))
        self._images = collections.OrderedDict()  # by number; None: to be drawn
        self._frames = {}  # by number, of those that are not analysed
        self._tries = collections.Counter()

    def __len__(self):
        return len(self._numbers)

    def title(self, place):
        """File name and place of a picture: "beach.jpg - 3 of 8"."""
        name = printable(self._folder.name(self._numbers[place]))
        return name if len(self) == 1 else f"{name} - {place + 1} of {len(self)}"

    def image(self, place):
        """What to show for a place, from 0; None if that is no picture, and no place any more."""
        number = self._numbers[place]
        if number not in self._images and not self._read(number):
            return None
        self._images.move_to_end(number)
        if self._images[number] is None:
            message = None if self._analyst.ready else LOADING
            self._images[number] = self._drawn(self._frames[number], message=message)
        return self._images[number]

    def analyse(self, place):
        """Take the analysis that has ended, and begin that of the picture that is needed next."""
        analysis = self._analyst.poll()
        if analysis is not None:
            message = analysis.problem and f"not analysed: {analysis.problem}"
            self._finish(analysis.frame, analysis.faces, message)
        near = [each for each in (place, place + 1, place - 1) if 0 <= each < len(self)]
        near = [self._numbers[each] for each in near]
        for number in self._frames.keys() - near:
            del self._frames[number], self._images[number]
        if not self._analyst.idle:
            return
        for number in near:
            if number not in self._images and not self._read(number):
                return
            if number in self._frames:
                return self._submit(self._frames[number])

    def _read(self, number):
        """Read a picture, so that it can be shown and analysed; whether it is one."""
        frame, problem = self._folder.read(number)
        if problem == OUTPUT:
            self._numbers.remove(number)
            return False
        if frame is None:
            card = Frame.now("", np.zeros((480, PICTURE_SIZE, 3), np.uint8), number)
            self._finish(card, message=f"not read: {problem}")
        else:
            self._frames[number] = frame
            self._images[number] = None
        return True

    def _submit(self, frame):
        self._tries[frame.number] += 1
        if self._tries[frame.number] > TRIES:
            self._finish(frame, message="not analysed")
        else:
            self._analyst.submit(frame)

    def _finish(self, frame, faces=(), message=None):
        """Keep a picture as it is shown from now on, and forget the oldest."""
        self._frames.pop(frame.number, None)
        self._images[frame.number] = self._drawn(frame, faces, message)
        while len(self._images) > KEPT:
            self._frames.pop(self._images.popitem(last=False)[0], None)

    def _drawn(self, frame, faces=(), message=None):
        """A picture at the size at which it is shown, with its faces."""
        height, width = frame.image.shape[:2]
        longer = max(width, height)
        factor = min(self._room[0] / width, self._room[1] / height, max(1, PICTURE_SIZE / longer))
        shown = Shown(frame, list(faces), None, message)
        return annotated(shown, max(1, round(factor * longer)), parts=self._parts)


def browse(album, window):
    """Show pictures until the user quits or goes on after the last one.

    Returns:
        Whether the user quit.
    """
    place = 0
    while place < len(album):
        image = album.image(place)
        if image is None:
            continue
        key = window.show(image, title=album.title(place), pause=PAUSE)
        album.analyse(place)
        if key is None:
            return True
        if key == HOME:
            place = 0
        elif key == END:
            place = len(album) - 1
        elif key in BACK_KEYS:
            place = max(0, place - 1)
        elif key != NO_KEY:
            place += 1
    return False
