import numpy as np
import pytest

from age_gender.output import text


@pytest.mark.parametrize("letter", "äöüßÄÖÜéèñç¿¡ŠøőŁžДяЖΩέ€–…")
def test_letter_of_many_languages_has_a_form_of_its_own(letter):
    drawn = text.coverage(letter, 20)
    assert drawn.any()
    missing = text.coverage("\uffff", 20)
    assert drawn.shape != missing.shape or (drawn != missing).any()


@pytest.mark.parametrize("letter", [9, 20, 60])
def test_capital_letters_have_the_height_that_is_asked_for_and_accents_are_whole(letter):
    rows = np.flatnonzero((text.coverage("EH", letter) > 127).any(axis=1))
    assert abs(rows[-1] - rows[0] + 1 - letter) <= 1
    assert rows[-1] + 1 == text.base_of(letter)
    accents = text.coverage("ÅÇÑg", letter)
    assert accents.shape[0] == text.height_of(letter) and accents.any(axis=1)[1:-1].sum() > letter


def test_text_outside_the_picture_is_left_out():
    image = np.zeros((20, 30, 3), np.uint8)
    for left, foot in [(-500, 10), (500, 10), (5, -100), (5, 500)]:
        text.draw(image, "text", left, foot, 12)
    assert not image.any()
    text.draw(image, "text", -5, 15, 12, (0, 0, 255))
    assert image[..., 2].max() == 255 and not image[..., :2].any()


@pytest.mark.parametrize("told", ["", " ", "a\nb", "\udc80", "\x00", "😀", "e\u0301", "x" * 3000])
def test_any_text_can_be_drawn(told):
    image = np.zeros((40, 40, 3), np.uint8)
    text.draw(image, told, 2, 30, 12)
    assert text.fitting(told, 40, 12) <= 12


def test_long_text_is_made_to_fit():
    letter = text.fitting("a line of some length", 100, 30)
    assert 6 <= letter < 30 and text.width_of("a line of some length", letter) <= 100
