"""How much memory one input may take: so much beside others, more where it is handled alone.

The numbers follow from one, the largest picture: a limit of 200 megapixels lets a picture that is
handled alone take 320 MB, and one beside others 160 MB. Together with two processes that search
for faces and estimate (310 MB) that stays below 1 GB (benchmarks/README.md).
"""

import contextlib
import os

from age_gender import system
from age_gender.command_line import number_between
from age_gender.errors import UserError

LARGEST = 200  # megapixels
VARIABLE = "AGE_GENDER_MAX_MEGAPIXELS"  # hands the limit on to processes that are started
BESIDE_PIXELS = 48 * 2**20  # bytes that the search for faces needs beside the picture

_alone = True  # no other input is handled meanwhile; `processes` says where that is not so


class TooLarge(UserError):
    """An input that needs more memory than one may take."""


def add_option(parser):
    """Add --max_megapixels to a parser of the arguments of a command that reads pictures."""
    parser.add_argument(
        "--max_megapixels",
        type=number_between(1, 10000, int),
        default=LARGEST,
        help="skip larger pictures, and those that take 1.6 times as many megabytes to be read",
    )


def apply_option(args):
    """Let --max_megapixels hold for this process and those that it starts; before OpenCV loads."""
    os.environ[VARIABLE] = str(args.max_megapixels)
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(args.max_megapixels * 10**6)


def largest():
    """The largest picture, in megapixels."""
    return int(os.environ.get(VARIABLE, LARGEST))


def for_faces():
    """Bytes of a database's faces that are kept in memory, most: a tenth of it, 0 if unknown."""
    return (system.memory() or 0) // 10


def most(alone):
    """The most bytes for an input, where it is handled alone and where it is not."""
    return largest() * (1_600_000 if alone else 800_000)


def claim(size, what):
    """Ask for ``size`` bytes.

    Raises `MemoryError` if there is not so much beside other inputs, and `TooLarge`, with ``what``
    in its message, if there is not even where an input is handled alone.
    """
    if size > most(alone=True):
        raise TooLarge(
            f"{what} would take {size / 1e9:.1f} GB of memory, and {most(True) / 1e9:.1f} GB are "
            f"allowed with a limit of {largest()} megapixels"
        )
    if size > most(_alone):
        raise MemoryError


def alone():
    """Whether no other input is handled at the same time."""
    return _alone


@contextlib.contextmanager
def limited(handled_alone):
    """Hold this process to the memory for one input in the block, where the system can.

    Whatever asks for more, in whichever library, gets an error.
    """
    global _alone
    _alone = handled_alone
    try:
        with system.memory_limited(most(handled_alone) + BESIDE_PIXELS):
            yield
    finally:
        _alone = True
