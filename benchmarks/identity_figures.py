"""How well a tracker keeps people apart, measured against known truth.

IDF1: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera
Tracking", 2016. Each person is paired with one number at most, so that as many boxes as possible
agree; IDF1 is the share of agreeing boxes, 2 agreeing / (true + given).
Switches: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR
MOT Metrics", 2008: how often a person has another number than when it was last seen.
Fragments: Milan et al., "MOT16", 2016: how often a person in sight is lost and found again.
"""

import collections
import dataclasses

import numpy as np

from age_gender.live.tracking import IMPOSSIBLE, assign

SAME_PLACE = 0.3  # overlap from which a box is of a person
INHERITED = 2  # boxes of a number on a second person from which it is inherited


@dataclasses.dataclass
class Figures:
    """Counts over one or more videos.

    Attributes:
        truth, given, agreeing: boxes: true ones, those of the tracker, and those that agree.
        found: true boxes with one of the tracker.
        switches, fragments: see above.
        people, numbers: people who were found, and how many numbers they had together.
        inherited: numbers that a second person had too.
        ghosts: boxes where nobody is.
    """

    truth: int = 0
    given: int = 0
    agreeing: int = 0
    found: int = 0
    switches: int = 0
    fragments: int = 0
    people: int = 0
    numbers: int = 0
    inherited: int = 0
    ghosts: int = 0

    @property
    def idf1(self):
        return 2 * self.agreeing / max(self.truth + self.given, 1)

    def __add__(self, other):
        mine, others = dataclasses.astuple(self), dataclasses.astuple(other)
        return Figures(*(a + b for a, b in zip(mine, others)))


def figures(frames):
    """The `Figures` of one video.

    Args:
        frames: list of (truth, given): dicts of names and of numbers to boxes, (left, top, width,
            height).
    """
    pairs = collections.Counter()  # (name, number): frames
    last, interrupted = {}, set()
    result = Figures()
    for truth, given in frames:
        result.truth += len(truth)
        result.given += len(given)
        matched = _matched(truth, given)
        result.found += len(matched)
        result.ghosts += sum(
            number not in matched.values() and not _near_any(box, truth)
            for number, box in given.items()
        )
        for name in truth:
            if name not in matched:
                if name in last:
                    interrupted.add(name)
                continue
            number = matched[name]
            pairs[name, number] += 1
            result.switches += last.get(name, number) != number
            result.fragments += name in interrupted
            interrupted.discard(name)
            last[name] = number
    names = sorted({name for name, _ in pairs})
    numbers = sorted({number for _, number in pairs})
    if names:
        counts = np.array([[pairs[name, number] for number in numbers] for name in names])
        agreeing = assign(1 - counts / counts.max())
        result.agreeing = sum(int(counts[pair]) for pair in agreeing)
    result.people = len(names)
    result.numbers = len(pairs)
    several = [number for (_, number), count in pairs.items() if count >= INHERITED]
    owners = collections.Counter(several)
    result.inherited = sum(count - 1 for count in owners.values())
    return result


def _matched(truth, given):
    """The number of each person who has one in a frame: dict."""
    if not truth or not given:
        return {}
    names, numbers = list(truth), list(given)
    overlaps = np.array([[overlap(truth[name], given[n]) for n in numbers] for name in names])
    costs = np.where(overlaps >= SAME_PLACE, 1 - overlaps, IMPOSSIBLE)
    return {names[row]: numbers[column] for row, column in assign(costs)}


def _near_any(box, truth):
    return any(overlap(box, other) > 0 for other in truth.values())


def overlap(a, b):
    """Intersection over union of two boxes, (left, top, width, height)."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(across, 0) * max(down, 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


class OverlapTracker:
    """Plain tracking by overlap, to compare with: a box that overlaps none begins a new number.

    Bochinski, Eiselein and Sikora, "High-Speed Tracking-by-Detection Without Using Image
    Information", 2017, with frames that may be missed.

    Args:
        kept: seconds for which a box that is not found keeps its number.
    """

    def __init__(self, kept=1.0):
        self._kept, self._count, self._tracks = kept, 0, {}

    def update(self, time, boxes):
        """The numbers of boxes (left, top, width, height) in a frame: dict of numbers to boxes."""
        self._tracks = {
            number: track for number, track in self._tracks.items() if time - track[0] < self._kept
        }
        numbers = list(self._tracks)
        matches = {}
        if numbers and boxes:
            places = [self._tracks[number][1] for number in numbers]
            overlaps = np.array([[overlap(box, place) for place in places] for box in boxes])
            costs = np.where(overlaps >= SAME_PLACE, 1 - overlaps, IMPOSSIBLE)
            matches = {row: numbers[column] for row, column in assign(costs)}
        found = {}
        for row, box in enumerate(boxes):
            if row not in matches:
                self._count += 1
            number = matches.get(row, self._count)
            found[number] = box
            self._tracks[number] = time, box
        return found
