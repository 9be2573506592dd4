"""The metadata of a weight file: what its attributes may be, and what they mean."""

import dataclasses
import re
import sys
import typing

from age_gender.genders import ORDER, SWAPPED_ORDER
from wide_resnet import WideResNet

MARGIN = 0.4  # around the face, in parts of its box's sides
SIZES = (8, 1024)  # of faces in pixels, least and most
SHARE = (0, 1)
QUANTILES = re.compile(r"\d{1,3} [01]\.\d{4} [01]\.\d{4}(, \d{1,3} [01]\.\d{4} [01]\.\d{4}){0,19}")
ATTRIBUTES = {"k": "width"}  # of numbers of the network that have another name in the file


def _limited(default, limits):
    """A field of which ``limits`` gives the texts, their pattern, or the least and most number."""
    return dataclasses.field(default=default, metadata={"limits": limits})


@dataclasses.dataclass
class Description:
    """A weight file's metadata; the defaults are those of the original's files."""

    network: WideResNet = WideResNet()  # in the file an attribute for each of its numbers
    # how faces are cut: "margin" or "aligned"
    crop: str = _limited("margin", ("margin", "aligned"))
    margin: float | None = _limited(MARGIN, (0, 10))  # of the face box's sides, if crop is "margin"
    resize: str = _limited("linear", ("linear", "area"))  # OpenCV's filter
    gender_order: str = _limited(ORDER, (ORDER, SWAPPED_ORDER))  # of the output, index 0 first
    # 1: estimates are the means over a face and its mirror image
    mirrored: int | None = _limited(None, (0, 1))
    data: str = "unknown"
    terms: str = "unknown"
    split_seed: int | None = _limited(None, (0, 2**31))
    validation_split: float | None = _limited(None, SHARE)
    test_split: float | None = _limited(None, SHARE)
    # "K/N": validated on the K-th of N parts, trained on the others
    fold: str | None = _limited(None, re.compile(r"[1-9]\d?\d?/[1-9]\d?\d?"))
    training: str | None = None  # the command line
    engine: str | None = None
    precision: str | None = None
    epoch: int | None = _limited(None, (0, 10**6))
    # of any size: what is written of a training that diverges can be read
    val_loss: float | None = _limited(None, (-sys.float_info.max, sys.float_info.max))
    val_age_mae: float | None = _limited(None, (0, 1000))  # years
    val_gender_accuracy: float | None = _limited(None, SHARE)
    # share of labels that age intervals are to cover
    interval_level: float | None = _limited(None, SHARE)
    # for that level: the quantiles of the predicted ages, as a text of `estimates.Quantiles`
    interval_quantiles: str | None = _limited(None, QUANTILES)
    # or, in earlier files, a factor on the spread of the ages
    interval_factor: float | None = _limited(None, (0, 10**6))

    @property
    def image_size(self):
        """Side of the faces in pixels."""
        return self.network.image_size

    def interval_rule(self):
        """How age intervals follow from the predicted ages: `estimates.Quantiles` or `Spread`.

        None if the weights support none.
        """
        from age_gender.estimates import Quantiles, Spread  # with NumPy, which help does without

        if self.interval_quantiles is not None:
            return Quantiles.of(self.interval_quantiles)
        return None if self.interval_factor is None else Spread(self.interval_factor)

    def attributes(self):
        """The attributes of the file: a dict of numbers and short texts."""
        network = {ATTRIBUTES.get(name, name): n for name, n in vars(self.network).items()}
        return network | {k: v for k, v in vars(self).items() if k != "network" and v is not None}

    def numbered_fold(self):
        """(K, N) of the fold; None if there is none."""
        return tuple(map(int, self.fold.split("/"))) if self.fold else None

    def split_of(self, database):
        """Rows of a database for training, validation and test, as these weights had them.

        Args:
            database: a `FaceDatabase` or `LabelledFaces`.
        """
        shares = self.validation_split, self.test_split
        return database.split(*shares, self.split_seed, self.numbered_fold())


FIELDS = {field.name: field for field in dataclasses.fields(Description)}
del FIELDS["network"]
NUMBERS = [ATTRIBUTES.get(field.name, field.name) for field in dataclasses.fields(WideResNet)]


def choices(name):
    """The texts that a field may be."""
    return FIELDS[name].metadata["limits"]


def of_attributes(network, attributes):
    """The `Description` of a network and of a file's attributes.

    Args:
        network: `WideResNet`.
        attributes: dict of numbers and texts; what is missing has its default.

    Raises ValueError, with the name of the attribute, if one is of another type, or out of range.
    """
    for name, number in vars(network).items():
        name = ATTRIBUTES.get(name, name)
        if attributes.get(name, number) != number:
            raise ValueError(f"the {name} {attributes[name]!r}, but holds a {network}")
    known = {k: _value(FIELDS[k], value) for k, value in attributes.items() if k in FIELDS}
    if known.get("crop") == "aligned":
        known["margin"] = None
    description = Description(network, **known)
    for name in ("validation_split", "test_split"):
        if description.split_seed is not None and getattr(description, name) is None:
            raise ValueError(f"a split_seed, but no {name}")
    fold = description.numbered_fold()
    if fold and fold[0] > fold[1]:
        raise ValueError(f"the fold {description.fold!r}")
    try:
        description.interval_rule()
    except ValueError as error:
        raise ValueError(f"the interval_quantiles {description.interval_quantiles!r}") from error
    return description


def _value(field, value):
    """The value of a field, as its type; raises ValueError if it cannot be one of that field."""
    limits = field.metadata.get("limits")
    kinds = typing.get_args(field.type) or (field.type,)
    text = str in kinds
    if text != isinstance(value, str) or (int in kinds) > isinstance(value, int):
        right = False
    elif isinstance(limits, re.Pattern):
        right = limits.fullmatch(value)
    elif text:
        right = limits is None or value in limits
    else:
        right = isinstance(value, int | float) and limits[0] <= value <= limits[1]
    if not right:
        raise ValueError(f"the {field.name} {value!r}")
    return float(value) if float in kinds else value
