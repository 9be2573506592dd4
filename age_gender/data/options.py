"""The options that the two commands which make databases share."""

from pathlib import Path

from age_gender import memory
from age_gender.command_line import UserError, number_between


def add_options(parser, img_size):
    """Add the options to an argument parser; ``img_size`` is the default."""
    parser.add_argument("--output", "-o", type=Path, required=True, help="database to write (.mat)")
    parser.add_argument(
        "--img_size",
        type=number_between(8, 1024, int),
        default=img_size,
        help="side of the faces in the database, in pixels",
    )
    parser.add_argument(
        "--resize",
        choices=("linear", "area"),
        default="linear",
        help="filter that brings faces to that size: linear as in the original, or smoother (area)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    parser.add_argument(
        "--drop_conflicts",
        action="store_true",
        help="leave out duplicate pictures whose ages or genders differ",
    )
    parser.add_argument(
        "--plot",
        action="store_true",
        help="plot the distribution of ages and genders to a PNG beside the output",
    )
    memory.add_option(parser)


def refuse_existing(output, overwrite):
    """Raise `UserError` if the output exists and is not to be replaced."""
    if output.is_dir():
        raise UserError(f"--output {output} is a folder: give a file name that ends in .mat")
    if output.exists() and not overwrite:
        raise UserError(f"--output {output} exists: add --overwrite to replace it")
