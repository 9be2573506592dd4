import pytest

from age_gender.estimates import Estimate
from age_gender.output.labels import label, labels


@pytest.mark.parametrize(
    "age, male, text",
    [
        (34.4, 0.1, "34, F 0.90"),
        (0.2, 0.5, "0, M?"),
        (50, 0.2501, "50, F?"),
        (50, 0.25, "50, F 0.75"),
        (99.6, 1.0, "100, M 1.00"),
    ],
)
def test_label_says_how_sure_the_gender_is(age, male, text):
    assert label(Estimate(age, male)) == text


@pytest.mark.parametrize(
    "parts, text",
    [
        ("age", "34"),
        ("age gender", "34, F"),
        ("interval", "28-41"),
        ("age interval", "34 (28-41)"),
        ("gender probability", "F 0.97"),
        ("probability", "0.97"),
        ("number", "2"),
        ("number gender", "2: F"),
        ("number age interval gender probability", "2: 34 (28-41), F 0.97"),
    ],
)
def test_label_shows_the_parts_that_are_chosen(parts, text):
    assert label(Estimate(34.4, 0.03, 27.6, 41.2), parts.split(), 2) == text


def test_faces_are_numbered_where_there_are_several_or_it_is_asked_for():
    sure, unsure = Estimate(34, 0.03), Estimate(20, 0.6)
    assert labels([]) == []
    assert labels([sure]) == ["34, F 0.97"]
    assert labels([sure, unsure]) == ["1: 34, F 0.97", "2: 20, M?"]
    assert labels([sure], numbers=[7]) == ["7: 34, F 0.97"]
    assert labels([sure], ["number", "age"]) == ["1: 34"]
    assert labels([sure, unsure], ["gender"]) == ["F", "M?"]
