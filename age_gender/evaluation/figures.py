"""How good estimates are, in numbers: functions of arrays, each figure with its interval.

Ages are years, genders coded as in genders.py. Intervals are 95 percent confidence intervals, by
the bootstrap over pictures (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

import dataclasses

import numpy as np

from age_gender.genders import UNKNOWN, predicted

DRAWS = 1000  # of the bootstrap
BANDS = tuple((low, low + 9) for low in range(0, 80, 10)) + ((80, 100),)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number and the ends of its 95 percent confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self):
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclasses.dataclass(frozen=True)
class Figures:
    """The figures over a set of pictures."""

    age_mae: Figure  # years, as the next
    median_error: Figure
    within_5_years: Figure  # percent
    bias: Figure  # years, the mean of estimate minus label
    gender_accuracy: Figure | None  # percent; None where no gender is known

    def named(self):
        """Dict of those that are known, by the names that people read, as "age MAE"."""
        names = {name: name.replace("_", " ").replace("mae", "MAE") for name in vars(self)}
        return {names[name]: figure for name, figure in vars(self).items() if figure is not None}


@dataclasses.dataclass(frozen=True)
class Group:
    """The figures over a part of the pictures."""

    name: str
    pictures: int
    figures: Figures


def _interval(value, drawn):
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Figure(float(value), float(low), float(high))


def compute(ages, genders, estimates, draws=DRAWS, seed=0):
    """The `Figures` over N pictures.

    Args:
        ages, genders: (N,) labels.
        estimates: `estimates.Estimates` of N faces.
        draws, seed: of the bootstrap.
    """
    errors = estimates.ages - ages
    rows = np.random.default_rng(seed).integers(len(ages), size=(draws, len(ages)))
    drawn = errors[rows]
    near, drawn_near = abs(errors) <= 5, abs(drawn) <= 5
    return Figures(
        age_mae=_interval(abs(errors).mean(), abs(drawn).mean(1)),
        median_error=_interval(np.median(abs(errors)), np.median(abs(drawn), axis=1)),
        within_5_years=_interval(100 * near.mean(), 100 * drawn_near.mean(1)),
        bias=_interval(errors.mean(), drawn.mean(1)),
        gender_accuracy=_gender_accuracy(genders, estimates, rows),
    )


def _gender_accuracy(genders, estimates, rows):
    """The accuracy over the known genders, a `Figure`; None where none is known."""
    known = genders != UNKNOWN
    if not known.any():
        return None
    right = np.where(known, predicted(estimates.males) == genders, np.nan)
    drawn = right[rows]
    drawn[np.isnan(drawn).all(1)] = right[known].mean()
    return _interval(100 * np.nanmean(right), 100 * np.nanmean(drawn, axis=1))


def band_of(ages):
    """The name of each age's band, as in "10 to 19" (which no spreadsheet takes for a date)."""
    names = np.array([f"{low} to {high}" for low, high in BANDS])
    return names[np.minimum(np.asarray(ages) // 10, len(BANDS) - 1)]


def by_group(ages, genders, estimates, groups):
    """List of `Group`, the worst age MAE first.

    Args:
        ages, genders, estimates: as in `compute`.
        groups: (N,) names; "" is in no group.
    """
    groups = np.asarray(groups)
    found = []
    for name in sorted(set(groups) - {""}):
        of = groups == name
        figures = compute(ages[of], genders[of], estimates.of(of))
        found.append(Group(str(name), int(of.sum()), figures))
    return sorted(found, key=lambda group: -group.figures.age_mae.value)


def difference(ages, first, second, draws=DRAWS, seed=0):
    """Age MAE of the second estimates minus that of the first, on the same pictures, a `Figure`."""
    change = abs(second.ages - ages) - abs(first.ages - ages)
    rows = np.random.default_rng(seed).integers(len(ages), size=(draws, len(ages)))
    return _interval(change.mean(), change[rows].mean(1))
