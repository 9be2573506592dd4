"""Videos of real portraits in motion, for the benchmarks of the window.

Each portrait drifts, sways in size and turns a little; some frames are blurred, all are noisy.
"""

import cv2
import numpy as np

SIZE = (640, 480)
RATE = 30


def portraits(folder=None, most=None, seed=0):
    """Portraits (H, W, 3) uint8 BGR: of a folder, else of Eileen Collins (NASA)."""
    if folder is None:
        from skimage import data

        return [np.ascontiguousarray(data.astronaut()[:, :, ::-1])]
    from age_gender import listing, pictures
    from age_gender.command_line import UserError

    if not folder.is_dir():
        raise UserError(f"--portraits: {folder} is not a folder: give one of portraits")
    paths = listing.list_pictures(folder).pictures
    if most is not None and most < len(paths):
        chosen = np.random.default_rng(seed).choice(len(paths), most, replace=False)
        paths = [paths[number] for number in sorted(chosen)]
    return [pictures.read_picture(path) for path in paths]


def faces_of(found):
    """Portraits cut around the face, at two fifths of the height; none without a face."""
    from age_gender import faces

    finder = faces.FaceFinder()
    cut = []
    for portrait in found:
        for face in finder.find(portrait)[:1]:
            size = max(int(2.5 * face.width), 1)
            cut.append(faces.with_margin(portrait, face, 0.75, size, "area", beyond=True))
    return cut


class Moving:
    """A portrait that moves around a point.

    Args:
        portrait: (H, W, 3) uint8 BGR.
        centre: (x, y) of that point, in pixels.
        height: its height in pixels.
        rng: np.random.Generator for its phases.
    """

    def __init__(self, portrait, centre, height, rng):
        self._portrait = portrait
        self._centre = np.array(centre, float)
        self._height = height
        self._phases = rng.uniform(0, 2 * np.pi, 4)

    def draw(self, canvas, seconds):
        """Draw it on a picture, in place."""
        a, b, c, d = np.sin(self._phases + 2 * np.pi * seconds * np.array([0.3, 0.23, 0.17, 0.4]))
        factor = self._height / self._portrait.shape[0] * (1 + 0.06 * c)
        h, w = self._portrait.shape[:2]
        matrix = cv2.getRotationMatrix2D((w / 2, h / 2), 5 * d, factor)
        matrix[:, 2] += self._centre + (30 * a, 15 * b) - (w / 2, h / 2)
        cv2.warpAffine(
            self._portrait,
            matrix,
            SIZE,
            dst=canvas,
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_TRANSPARENT,
        )


def spoilt(canvas, number, rng):
    """A frame with noise, and with blur in half of every second."""
    if number // (RATE // 2) % 2:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 1.5))
    noise = rng.normal(0, 8, canvas.shape)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def frames_of(moving, seconds, rng):
    """Yield (seconds, picture) of a video of `Moving` portraits."""
    for number in range(round(seconds * RATE)):
        canvas = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        for each in moving:
            each.draw(canvas, number / RATE)
        yield number / RATE, spoilt(canvas, number, rng)


def write(path, moving, seconds, seed=0):
    """Write a video of `Moving` portraits."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE, SIZE)
    for _, picture in frames_of(moving, seconds, np.random.default_rng(seed)):
        video.write(picture)
    video.release()
