"""From a picture to the estimated age and gender of its faces: find, cut, estimate.

from age_gender import FaceEstimator
estimator = FaceEstimator("weights.28-3.73.hdf5")
for face in estimator.estimate("party.jpg"):
    print(face.box, face.age, face.gender)
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from age_gender import weights
from age_gender.command_line import UserError
from age_gender.estimator import Estimator
from age_gender.faces import Cut, Embedder, FaceFinder
from age_gender.pictures import UnreadablePicture, read_picture


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How faces are found, cut and estimated; small enough to be sent to another process.

    Attributes:
        weight_file: path.
        description: `weights.Description` of that file.
        cut: `faces.Cut`.
        cropped: every picture is a face already, so that none is searched for.
        interval_factor: of the age intervals; None for no intervals.
        age_offset: years added to every age.
        detail: how small faces are searched for, one of `views.DETAILS`.
    """

    weight_file: Path
    description: weights.Description
    cut: Cut
    cropped: bool = False
    interval_factor: float | None = None
    age_offset: float = 0.0
    detail: str = "normal"

    @classmethod
    def of(
        cls,
        weight_file=None,
        margin=None,
        *,
        cropped=False,
        interval=None,
        age_offset=0.0,
        detail="normal",
        depth=None,
        width=None,
    ):
        """The recipe for a weight file; the network is not loaded yet.

        Args:
            weight_file: a path or a published name; None for the weights that ship.
            margin: cut the detector's box with so much of its sides around it; None to cut faces
                as the weights were trained on them.
            cropped, age_offset, detail: as the attributes.
            interval: whether estimates get age intervals; None for intervals if the weights
                support them.
            depth, width: the network that the file must hold; None for any.

        Raises `UserError` if the weights are missing or damaged, hold another network, or do not
        support intervals that are asked for.
        """
        path, description, _ = weights.load(weight_file, depth, width)
        factor = description.interval_rule()
        if interval and factor is None:
            raise UserError(
                f"{path} has no age intervals: evaluate.py --keep_interval adds them, measured on "
                "labelled faces that these weights were not trained on"
            )
        return cls(
            path,
            description,
            Cut.of(description, margin),
            cropped,
            None if interval is False else factor,
            age_offset,
            detail,
        )


@dataclasses.dataclass(frozen=True)
class EstimatedFace:
    """A face in a picture with its estimated age and gender.

    Attributes:
        box: (left, top, width, height) in pixels, inside the picture.
        age: years.
        interval: (low, high), the age interval in years; None if the weights support none.
        gender: "F" or "M".
        probability: of that gender, 0.5 to 1.
        score: confidence of the detector, from -0.2, above 1 for a clear face; None if none ran.
    """

    box: tuple
    age: float
    interval: tuple | None
    gender: str
    probability: float
    score: float | None

    @classmethod
    def of(cls, box, score, estimate):
        """A face with its `Estimate`."""
        return cls(
            box, estimate.age, estimate.interval, estimate.gender, estimate.probability, score
        )


class FaceEstimator:
    """Finds the faces of pictures and estimates their ages and genders.

    The weight file is checked at once; detector and network are loaded by the first call that
    needs them, and then kept.

    Args:
        weight_file, margin, cropped, interval, age_offset, detail: as in `Recipe.of`.
        recipe: a `Recipe` instead of all these.

    Attributes:
        recipe: the `Recipe`.
    """

    def __init__(
        self,
        weight_file=None,
        margin=None,
        *,
        cropped=False,
        interval=None,
        age_offset=0.0,
        detail="normal",
        recipe=None,
    ):
        self.recipe = recipe or Recipe.of(
            weight_file,
            margin,
            cropped=cropped,
            interval=interval,
            age_offset=age_offset,
            detail=detail,
        )

    @functools.cached_property
    def network(self):
        """The `Estimator`."""
        return Estimator(self.recipe.weight_file)

    @functools.cached_property
    def finder(self):
        """The `FaceFinder`; None for pictures that are faces already."""
        return None if self.recipe.cropped else FaceFinder(self.recipe.detail)

    @functools.cached_property
    def embedder(self):
        """The `Embedder`."""
        return Embedder()

    def load(self):
        """Load the detector and the network now, not with the first picture."""
        size = self.recipe.cut.size
        self.network(np.zeros((1, size, size, 3), np.uint8))  # traces its graph
        _ = self.finder

    def estimate(self, pictures):
        """Estimate the age and gender of every face.

        Args:
            pictures: a path, an (H, W, 3) uint8 BGR array, or a list of these, whose faces go
                through the network in batches.

        Returns:
            List of `EstimatedFace` from left to right; for a list of pictures, one such list for
            each.

        Raises `UnreadablePicture` for a file that is missing or not a picture, and for an array
        of another shape or type.
        """
        if isinstance(pictures, (list, tuple)):
            return self._estimate_all(pictures)
        return self._estimate_all([pictures])[0]

    def _estimate_all(self, pictures):
        found, cuts = [], []
        for picture in pictures:
            image = _image(picture)
            faces, faces_cut = self.find(image)
            found.append([(face.inside(image), face.score) for face in faces])
            cuts.extend(faces_cut)
        estimates = iter(self.each(self.network(cuts)))
        return [
            [EstimatedFace.of(box, score, next(estimates)) for box, score in faces]
            for faces in found
        ]

    def find(self, image, near=None, everywhere=False):
        """Find the faces of a picture and cut them for the network.

        Args:
            image: (H, W, 3) uint8 BGR.
            near, everywhere: as in `Cut.examine`.

        Returns:
            (list of N `Face`, (N, S, S, 3) uint8 BGR).
        """
        return self.recipe.cut.examine(image, self.finder, near, everywhere)

    def each(self, estimates):
        """List of N `Estimate` of N `Estimates`, with the recipe's intervals and age offset."""
        factor, years = self.recipe.interval_factor, self.recipe.age_offset
        return [estimate.shifted(years) for estimate in estimates.each(factor)]


def _image(picture):
    """The (H, W, 3) uint8 BGR array of a path or of an array. Raises `UnreadablePicture`."""
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.shape[2:] != (3,) or not picture.size:
            raise UnreadablePicture(
                "a picture must be an (H, W, 3) uint8 BGR array. "
                f"Received: {picture.shape} {picture.dtype}"
            )
        return picture
    try:
        return read_picture(picture)
    except UnreadablePicture as error:
        raise UnreadablePicture(f"{picture}: {error}") from error


@functools.cache
def _shipped():
    return FaceEstimator()


def estimate(pictures):
    """Estimate the age and gender of every face, with the weights that ship.

    The first call loads the detector and the network, which takes seconds; later calls reuse
    them. Arguments, result and errors are those of `FaceEstimator.estimate`.
    """
    return _shipped().estimate(pictures)
