"""The weights that ship, and the original's published weights, which are downloaded by name."""

import hashlib
from pathlib import Path

from age_gender import installation
from age_gender.command_line import UserError
from age_gender.genders import ORDER, SWAPPED_ORDER

FOLDER = installation.WEIGHTS
SHIPPED = "wide_resnet_16_2.hdf5"
RELEASE = "https://github.com/yu4u/age-gender-estimation/releases/download/v0.5/"
PUBLISHED = {
    "weights.28-3.73.hdf5": {
        "md5": "fbe63257a054c1c5466cfd7bf14646d6",
        "gender_order": ORDER,
        "data": "IMDB-WIKI (imdb)",
        "terms": "academic research only",
    },
    "weights.29-3.76_utk.hdf5": {
        "md5": None,  # none was published: the size and the arrays are checked instead
        "gender_order": SWAPPED_ORDER,
        "data": "UTKFace",
        "terms": "non-commercial research only",
    },
}
# WideResNet 16-8 has 97.9 MB of weights; an optimizer's state would be twice as much again.
LARGEST = 330_000_000


def find(weight_file, check):
    """Return the path of a weight file, which is downloaded first if it is published and missing.

    Downloads go into ``pretrained_models/`` of a checkout, else into the user's cache.

    Args:
        weight_file: a path or one of the names in `PUBLISHED`; None for the weights that ship.
        check: function of a path that raises `UserError` if the file is not a weight file.

    Raises `UserError` if there is no such file.
    """
    if weight_file is None:
        weight_file = FOLDER / SHIPPED
    path = Path(weight_file)
    if path.is_file():
        return path
    if path.is_dir():
        raise UserError(f"{weight_file} is a folder: name a file in it")
    if path.exists():
        raise UserError(f"{weight_file} is not a regular file")
    if str(weight_file) not in PUBLISHED:
        raise UserError(
            f"{weight_file} does not exist: give a file, one of the published names "
            f"({', '.join(PUBLISHED)}), or no name for the weights that ship"
        )
    kept = (FOLDER if installation.CHECKOUT else installation.cache()) / path.name
    if not kept.is_file():
        if PUBLISHED[path.name]["md5"]:
            check = _check_md5
        from age_gender.download import download  # which loads all of HTTP

        download(RELEASE + path.name, kept, check, LARGEST)
    return kept


def facts_of(path):
    """The entry of `PUBLISHED` for a file, known by its name, or by its MD5 if renamed; else {}."""
    name = path.name.removesuffix(".part")
    if name in PUBLISHED:
        return PUBLISHED[name]
    md5 = _md5(path)
    return next((facts for facts in PUBLISHED.values() if facts["md5"] == md5), {})


def _check_md5(path):
    name = path.name.removesuffix(".part")
    received, expected = _md5(path), PUBLISHED[name]["md5"]
    if received != expected:
        raise UserError(
            f"{name}: the downloaded file is not the published one "
            f"(MD5 {received}, not {expected}): run the command again"
        )


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
