"""Made videos of people with known truth, for the benchmark of tracking.

A head is a portrait or a UTKFace chip on a cylinder: turned by 60 degrees, half of the face is out
of sight and the other half is narrow, so that the detector loses it. Every frame has sensor noise
and JPEG's losses. The chips are drawn from the training and validation parts of the shipped
weights' split.
"""

import contextlib
import dataclasses
import hashlib

import cv2
import numpy as np

from age_gender import faces, listing, pictures
from age_gender.data.utkface import labels_of

SIZE = (640, 480)
RATE = 25
SPRITE = 240  # side in pixels of a head with its surroundings,
WIDE = 2.5  # in widths of the face
HEAD = (0.72, 0.98)  # semi-axes of the ellipse that is a head, in widths of the face
NOISE = 4.0  # standard deviation of the sensor noise
QUALITY = 85  # of JPEG
ADULT = 16  # years: children resemble each other too much for any embedding
VISIBLE = 0.6  # of a head that is inside the picture and not covered, or it does not count


@dataclasses.dataclass(frozen=True)
class Head:
    """The picture of a head and where the detector finds the face in it.

    Attributes:
        name: of the person; two pictures of one person share it.
        sprite: (SPRITE, SPRITE, 3) uint8 BGR.
        box: (left, top, width, height) of the face, in widths of the face from the centre.
    """

    name: str
    sprite: np.ndarray
    box: tuple


def _sprite(image, finder):
    found = finder.find(image)
    if len(found) != 1:
        return None
    margin = (WIDE - 1) / 2
    return faces.with_margin(image, found[0], margin, SPRITE, "area", beyond=True)


def load_heads(portraits, chips, count, seed=0):
    """List of `Head`: of all portraits, then of so many chips in which the detector finds a face.

    Args:
        portraits: folder of portraits; digits at the end of a file's name number the pictures of
            one person.
        chips: folder of UTKFace's chips.
        count: how many chips.
        seed: of the draw.
    """
    finder = faces.FaceFinder()
    found = []
    for path in listing.list_pictures(portraits).pictures:
        found.append((path.stem.rstrip("0123456789"), pictures.read_picture(path)))
    paths = sorted(chips.glob("*.jpg"))
    order = np.random.default_rng(seed).permutation(len(paths))
    heads = [head for name, image in found if (head := _head(name, image, finder))]
    wanted = len(heads) + count
    for path in (paths[number] for number in order):
        if len(heads) == wanted:
            break
        if _adult(path) and not _of_test_part(path):
            head = _head(path.name, pictures.read_picture(path), finder)
            heads += [head] if head else []
    return heads


def _adult(path):
    with contextlib.suppress(ValueError):
        return labels_of(path.name)[0] >= ADULT
    return False


def _of_test_part(path, seed=0, share=0.1):
    """As `database.split`, but for near duplicates, which are so few that they are left out."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    hashed = hashlib.sha256(f"{seed}:{digest}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") / 2**64 >= 1 - share


def _head(name, image, finder):
    sprite = _sprite(image, finder)
    if sprite is None:
        return None
    head = Head(name, sprite, (-0.5, -0.5, 1, 1))
    canvas = background(0)
    draw(canvas, head, Pose(320, 240, 100))
    found = finder.find(canvas)
    if len(found) != 1:
        return None
    box = found[0].left - 320, found[0].top - 240, found[0].width, found[0].height
    return dataclasses.replace(head, box=tuple(number / 100 for number in box))


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a head is.

    Attributes:
        x, y: centre in pixels.
        width: of the face, pixels.
        yaw: turn of the head in degrees.
        light: factor of the brightness.
        covered: a hand is before the face.
    """

    x: float
    y: float
    width: float
    yaw: float = 0.0
    light: float = 1.0
    covered: bool = False

    def box(self, head):
        """(left, top, width, height) of the face; turned, around what is in sight of it."""
        left, top, width, height = (number * self.width for number in head.box)
        sides = np.radians(np.clip((-44 - self.yaw, 44 - self.yaw), -90, 90))
        aside = HEAD[0] * np.sin(sides).mean() * self.width
        return self.x + left + aside, self.y + top, width, height


def path(*keys):
    """A function from seconds to a `Pose`, or None where the person is away.

    Args:
        keys: (seconds, Pose or None); between two poses the way is straight.
    """

    def at(seconds):
        if seconds < keys[0][0] or seconds > keys[-1][0]:
            return None
        legs = zip(keys, keys[1:])
        (start, first), (end, second) = next(leg for leg in legs if seconds <= leg[1][0])
        if first is None or second is None:
            return None
        share = (seconds - start) / (end - start)
        numbers = [
            getattr(first, field) + share * (getattr(second, field) - getattr(first, field))
            for field in ("x", "y", "width", "yaw", "light")
        ]
        return Pose(*numbers, first.covered)

    return at


def background(seed):
    """A soft wall, (H, W, 3) uint8 BGR."""
    small = np.random.default_rng((7, seed)).uniform(60, 170, (6, 8, 3)).astype(np.float32)
    return cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def draw(canvas, head, pose):
    """Draw a head and its shoulders, in place. Returns the mask of the head, (H, W) float32."""
    covering = np.zeros(canvas.shape[:2], np.float32)
    reach, down = int(1.6 * pose.width), int(3.9 * pose.width)
    top, left = max(int(pose.y) - reach, 0), max(int(pose.x) - reach, 0)
    region = slice(top, max(int(pose.y) + down, 0)), slice(left, max(int(pose.x) + reach, 0))
    canvas = canvas[region]
    if not canvas.size:
        return covering
    y, x = np.mgrid[top : top + canvas.shape[0], left : left + canvas.shape[1]].astype(np.float32)
    u, v = (x - pose.x) / pose.width, (y - pose.y) / pose.width
    tint = np.frombuffer(hashlib.sha256(head.name.encode()).digest()[:3], np.uint8) * 0.6
    shoulders = np.clip((1 - (u / 1.5) ** 2 - ((v - 2.3) / 1.5) ** 2) * 12, 0, 1)[..., None]
    mask = np.clip((1 - (u / HEAD[0]) ** 2 - (v / HEAD[1]) ** 2) * 6, 0, 1)
    turned = np.arcsin(np.clip(u / HEAD[0], -1, 1)) + np.radians(pose.yaw)
    turned = HEAD[0] * np.sin(np.clip(turned, -1.3, 1.3))
    scale = SPRITE / WIDE
    sprite = cv2.remap(
        head.sprite,
        (turned * scale + SPRITE / 2).astype(np.float32),
        v * scale + SPRITE / 2,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if pose.covered:
        sprite[(abs(u) < 0.35) & (abs(v - 0.1) < 0.42)] = (110, 130, 170)
    alpha = mask[..., None]
    mixed = canvas * (1 - shoulders) + tint * pose.light * shoulders
    mixed = mixed * (1 - alpha) + sprite * pose.light * alpha
    canvas[:] = np.clip(mixed, 0, 255)
    covering[region] = mask
    return covering


@dataclasses.dataclass(frozen=True)
class Scene:
    """A made video.

    Attributes:
        name: of what happens in it.
        seconds: its length.
        people: list of (`Head`, function from seconds to `Pose`), those behind first.
        shots: seconds at which a shot begins, with the seed of its wall.
        light: function from seconds to a factor for the whole picture.
    """

    name: str
    seconds: float
    people: list
    shots: tuple = ((0.0, 0),)
    light: object = staticmethod(lambda seconds: 1.0)

    def frames(self, seed=0, rate=RATE):
        """Yield (seconds, picture, truth): truth is a dict of names to boxes, those in sight."""
        rng = np.random.default_rng(seed)
        for number in range(round(self.seconds * rate)):
            seconds = number / rate
            canvas = background([wall for start, wall in self.shots if start <= seconds][-1])
            masks = []
            for head, way in self.people:
                if (pose := way(seconds)) is None:
                    continue
                mask = draw(canvas, head, pose)
                masks = [(*other, cover * (1 - mask)) for *other, cover in masks]
                masks.append((head, pose, mask))
            truth = {
                head.name: pose.box(head)
                for head, pose, mask in masks
                if mask.sum() > VISIBLE * np.pi * HEAD[0] * HEAD[1] * pose.width**2 * 0.92
            }
            yield seconds, _camera(canvas * self.light(seconds), rng), truth


def _camera(picture, rng):
    """What a camera makes of it: noise, and the losses of compression."""
    noisy = np.clip(picture + rng.normal(0, NOISE, picture.shape), 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)
