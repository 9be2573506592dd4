"""The options of commands; and, under one name, what every command needs."""

from age_gender.start import program, run

import argparse
import contextlib
import difflib
import math

from age_gender.backend import quiet_start
from age_gender.errors import UserError
from age_gender.messages import log, plural, printable, progress, result, some

__all__ = [
    "Parser",
    "UserError",
    "log",
    "number_between",
    "option",
    "plural",
    "printable",
    "progress",
    "quiet_start",
    "result",
    "run",
    "some",
]


class HelpFormatter(argparse.HelpFormatter):
    """Adds the default to a help text, unless there is none or the text names it."""

    def _get_help_string(self, action):
        empty = action.default is False or action.default in (None, (), [], argparse.SUPPRESS)
        if empty or "default" in action.help:
            return action.help
        return f"{action.help} (default: %(default)s)"


class _Version(argparse.Action):
    def __call__(self, parser, *_):
        from age_gender import installation  # which asks git only here

        print(f"{parser.prog}: age-gender-estimation {installation.version()}")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """An argument parser with --version, whose errors are one line, without the usage.

    Args:
        trains: function of the arguments that returns whether the command needs what
            `installation.TRAINING` lists.
    """

    def __init__(self, prog=None, trains=lambda args: False, **settings):
        self._trains = trains
        super().__init__(prog or program(), formatter_class=HelpFormatter, **settings)
        self.add_argument(
            "--version",
            action=_Version,
            nargs=0,
            default=argparse.SUPPRESS,
            help="print the version and the commit, and end",
        )

    def parse_args(self, args=None, namespace=None):
        """As argparse's, but inputs may stand between options, and a near miss is named."""
        positional = self._get_positional_actions()
        parse = self.parse_known_intermixed_args if positional else self.parse_known_args
        args, unknown = parse(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown)}")
        if self._trains(args):
            from age_gender import installation

            installation.require_training()
        return args

    def _meant(self, unknown):
        """The end of a message about arguments, which names the option that was meant, if any."""
        options = {_plain(each): each for each in self._option_string_actions if each[1:2] == "-"}
        for text in unknown:
            given = _plain(text.partition("=")[0])
            near = difflib.get_close_matches(given, options, 1, 0.75)
            if text.startswith("-") and near:
                return f": did you mean {options[near[0]]}?"
        return ""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def _plain(option):
    """An option as it is compared with others: without dashes at its beginning or in it."""
    return option.lstrip("-").replace("-", "_").lower()


@contextlib.contextmanager
def option(name):
    """Put an option's name before the message of a `UserError` that is raised in the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def number_between(low, high, kind=float):
    """An argparse ``type`` that accepts a number of ``kind`` from ``low`` to ``high``."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high or math.isinf(value):
            name = "a whole number" if kind is int else "a number"
            limit = f"from {low} up" if high == float("inf") else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"must be {name} {limit}, received {text!r}")
        return value

    return parse
