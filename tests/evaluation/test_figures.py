import numpy as np
import pytest

from age_gender.estimates import Estimates
from age_gender.evaluation import figures as evaluation

AGES = np.array([10, 20, 30, 85])
GENDERS = np.array([0, 1, 1, 2])


def sharp(ages, males):
    """Estimates that are sure of one age each."""
    ages = np.asarray(ages)
    return Estimates(ages.astype(float), np.asarray(males, float), np.eye(101)[ages])


def wide(means, males, deviation):
    """Estimates with a Gaussian distribution of the age."""
    years = np.arange(101)
    weight = np.exp(-0.5 * ((years - np.asarray(means)[:, None]) / deviation) ** 2)
    probabilities = weight / weight.sum(1, keepdims=True)
    return Estimates(probabilities @ years, np.asarray(males, float), probabilities)


def test_figures_are_those_computed_by_hand():
    found = evaluation.figures(AGES, GENDERS, sharp([12, 19, 40, 80], [0.2, 0.3, 0.9, 0.9]))
    values = {name: figure.value for name, figure in found.items()}
    assert values == {
        "age MAE": 18 / 4,
        "median error": 3.5,
        "within 5 years": 75,
        "bias": (2 - 1 + 10 - 5) / 4,
        "gender accuracy": pytest.approx(200 / 3),
    }
    assert all(figure.low <= figure.value <= figure.high for figure in found.values())
    assert str(found["age MAE"]).startswith("4.50 (1")


def test_interval_is_that_of_the_mean():
    rng = np.random.default_rng(1)
    ages = np.full(2000, 50)
    found = evaluation.figures(ages, ages * 0, sharp(50 + rng.integers(-9, 10, 2000), ages * 0))
    half = 1.96 * abs(rng.integers(-9, 10, 100000)).std() / np.sqrt(2000)
    assert found["age MAE"].high - found["age MAE"].low == pytest.approx(2 * half, rel=0.1)


def test_unknown_genders_have_no_accuracy():
    assert "gender accuracy" not in evaluation.figures(AGES, np.full(4, 2), sharp(AGES, [1] * 4))


def test_bands_are_named_so_that_they_stay_text():
    assert evaluation.band_of([0, 9, 10, 79, 80, 100]).tolist() == [
        "0 to 9",
        "0 to 9",
        "10 to 19",
        "70 to 79",
        "80 to 100",
        "80 to 100",
    ]


def test_groups_come_with_the_worst_first():
    estimates = sharp([11, 20, 25, 80], [0] * 4)
    found = evaluation.by_group(AGES, GENDERS, estimates, ["a", "b", "a", ""])
    assert [(name, count) for name, count, _ in found] == [("a", 2), ("b", 1)]
    assert found[0][2]["age MAE"].value == 3


def test_difference_is_paired():
    first, second = sharp([12, 22, 32, 87], [0] * 4), sharp([11, 21, 31, 86], [0] * 4)
    change = evaluation.difference(AGES, first, second)
    assert (change.value, change.low, change.high) == (-1, -1, -1)


def test_gender_reliability_is_the_gap_between_sure_and_right():
    genders = np.array([1, 1, 1, 0, 2])
    rows, error = evaluation.gender_reliability(genders, np.array([0.9, 0.9, 0.9, 0.9, 0.5]))
    assert rows == [(pytest.approx(0.9), 0.75, 4)]
    assert error == pytest.approx(15)


def test_age_reliability_counts_labels_inside_the_central_intervals():
    rng = np.random.default_rng(0)
    truth = np.clip(np.rint(rng.normal(50, 8, 4000)), 0, 100).astype(int)
    found = evaluation.age_reliability(truth, wide([50] * 4000, [0] * 4000, 8).age_probabilities)
    for level, share in found.items():
        assert share == pytest.approx(100 * level, abs=3)
    sure = evaluation.age_reliability(truth, wide([50] * 4000, [0] * 4000, 2).age_probabilities)
    assert sure[0.9] < 50


def test_conformal_intervals_keep_their_promise_on_new_pictures():
    rng = np.random.default_rng(0)

    def pictures(count):
        ages = rng.integers(20, 80, count)
        guesses = np.clip(ages + rng.normal(0, 6, count), 0, 100)
        return ages, wide(guesses, [0] * count, 3)  # the network is too sure of itself

    ages, estimates = pictures(2000)
    factor = evaluation.conformal(ages, estimates, 0.9)
    new, others = pictures(2000)
    held, width = evaluation.coverage(new, others.intervals(factor))
    assert 88 < held < 94 and width == pytest.approx(2 * 1.645 * 6, rel=0.1)
    halves, _ = evaluation.coverage(new, evaluation.checked_intervals(new, others, 0.9))
    assert 88 < halves < 94


def test_too_few_pictures_promise_nothing():
    few = sharp([10, 20, 30], [0] * 3)
    factor = evaluation.conformal(np.array([10, 21, 33]), few, 0.9)
    assert factor == float("inf")
    low, high = few.intervals(factor)
    assert low.tolist() == [0] * 3 and high.tolist() == [100] * 3


@pytest.mark.parametrize(
    "ages, males, said",
    [
        ([30, 30, 30, 30], [0, 1, 1, 0], ["the same age, about 30, is said of everybody"]),
        ([10, 20, 30, 80], [1, 1, 1, 1], ["the same gender is said of everybody"]),
        ([10, 20, 30, 80], [1, 0, 0, 0], ["most genders are the wrong way round"]),
        ([10, 20, 30, 80], [0, 1, 1, 0], []),
    ],
)
def test_estimates_that_cannot_be_right_are_said(ages, males, said):
    found = evaluation.alarms(GENDERS, sharp(ages, males))
    assert [line.split(":")[0] for line in found] == said


def test_assessment_has_every_part():
    ages = np.arange(5, 95)
    genders = np.arange(90) % 3
    races = ["x"] * 45 + [""] * 45
    found = evaluation.assess(ages, genders, races, wide(ages + 2, genders == 1, 4), 0.8)
    assert sum(count for _, count, _ in found["bands"]) == 90
    assert sum(count for _, count, _ in found["bands by gender"]) == 60
    assert [(name, count) for name, count, _ in found["races"]] == [("x", 45)]
    assert set(found["interval"]["by band"]) == {name for name, _, _ in found["bands"]}
    assert found["interval"]["held"] > 70 and not found["alarms"]
