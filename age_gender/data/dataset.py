"""What the suite knows of a data set, and the labelled pictures that are read from one."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

OLDEST = 122  # years, of the oldest person whose age is known; above it a label is a mistake


@dataclasses.dataclass
class Pictures:
    """N labelled pictures, in the order of the database's rows."""

    folder: Path
    names: list  # of the files, relative to the folder
    ages: Any  # (N,) int, 0 to 100 years
    genders: Any  # (N,) int, as in `genders`
    refused: dict = dataclasses.field(default_factory=dict)  # row without labels: the reason

    def __len__(self):
        return len(self.names)


def _never(folder):
    return False


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set; every one that the suite knows is in `labelled.DATASETS`."""

    db: str  # its name in databases
    name: str  # its name in weight files
    terms: str  # what it may be used for
    crop: str | None = None  # how its pictures are cut, as in `weights.Description`
    margin: float | None = None
    recognises: Callable = _never  # function of a folder: whether it holds this data set
    read: Callable | None = None  # function of a folder, "apparent" or "real", and ignored names
    races: Callable | None = None  # function of file names: the race in each, "" where unknown
