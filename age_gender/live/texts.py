"""What visitors of a kiosk read, in their language: the texts are in texts.toml."""

import functools
import locale
import os
import tomllib
from pathlib import Path

ENGLISH = "en"
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # of the locale, the first that is set


@functools.cache
def _all():
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def languages():
    """The codes of the languages there are, such as "en"."""
    return tuple(_all())


def usual_language():
    """The language of the locale; English if there are no texts in that."""
    named = next(filter(None, map(os.environ.get, VARIABLES)), None) or locale.getlocale()[0] or ""
    code = named[:2].lower()
    return code if code in languages() else ENGLISH


class Texts:
    """The texts in one language, as attributes with the names in texts.toml.

    Args:
        language: one of `languages`; None for `usual_language`.
    """

    def __init__(self, language=None):
        self.__dict__.update(_all()[language or usual_language()])

    def question(self, photo, numbers):
        """The question whether an estimate may be kept: with a photo, with an embedding?"""
        kinds = "_".join(["photo"] * photo + ["numbers"] * numbers) or "estimate"
        return self.may_we_keep[kinds]
