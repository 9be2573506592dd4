import pytest

from age_gender.live import texts
from age_gender.output import text


def names(section, prefix=""):
    """The names of the texts in a section: dict of names to texts."""
    found = {}
    for name, value in section.items():
        inner = names(value, f"{name}.") if isinstance(value, dict) else {prefix + name: value}
        found |= inner
    return found


@pytest.mark.parametrize("language", texts.languages())
def test_every_language_has_all_texts_in_letters_that_can_be_drawn(language):
    own = names(texts._all()[language])
    assert own.keys() == names(texts._all()[texts.ENGLISH]).keys()
    assert all(own.values())
    missing = text.coverage("\uffff", 20)
    for letter in sorted(set("".join(own.values()))):
        drawn = text.coverage(letter, 20)
        assert drawn.shape != missing.shape or (drawn != missing).any(), letter
    keys = own["yes_key"], own["no_key"]
    assert keys[0] != keys[1] and keys[1] != "Y" and keys[0] != "N"
    assert all(len(key) == 1 and key.isascii() and key.isupper() for key in keys)


@pytest.mark.parametrize(
    "variables, language",
    [
        ({"LANG": "de_AT.UTF-8"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "fr_FR"}, "fr"),
        ({"LANG": "de_DE", "LC_MESSAGES": "es"}, "es"),
        ({"LANG": "ja_JP.UTF-8"}, "en"),
        ({"LC_ALL": "C"}, "en"),
    ],
)
def test_language_is_that_of_the_locale_or_english(variables, language, monkeypatch):
    for name in texts.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert texts.usual_language() == language
    assert texts.Texts().language == texts.Texts(language).language


@pytest.mark.parametrize("photo", [False, True])
@pytest.mark.parametrize("numbers", [False, True])
def test_question_names_what_is_stored(photo, numbers):
    question = texts.Texts("en").question(photo, numbers)
    assert ("photo" in question, "recognised" in question) == (photo, numbers)
    assert "estimate" in question and question.endswith("?")
