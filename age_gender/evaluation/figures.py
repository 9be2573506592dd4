"""How good estimates are, in numbers: functions of arrays, each figure with its interval.

Ages are years, genders coded as in genders.py. Intervals are 95 percent, by the bootstrap over
pictures (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

import dataclasses

import numpy as np

from age_gender.genders import NAMES, UNKNOWN, predicted

DRAWS = 1000  # of the bootstrap
BANDS = tuple((low, low + 9) for low in range(0, 80, 10)) + ((80, 100),)
LEVELS = (0.5, 0.8, 0.9, 0.95)
COLLAPSED = 1.0  # years of standard deviation, below which all are said to be of one age


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number and the ends of its 95 percent interval."""

    value: float
    low: float
    high: float

    def __str__(self):
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def _interval(value, drawn):
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Figure(float(value), float(low), float(high))


def figures(ages, genders, estimates, draws=DRAWS, seed=0):
    """The figures that people ask for, over N pictures.

    Args:
        ages, genders: (N,) what they are labelled.
        estimates: `estimates.Estimates` of N faces.
        draws, seed: of the bootstrap.

    Returns:
        Dict of `Figure`: "age MAE", "median error", "bias" in years, "within 5 years" and "gender
        accuracy" in percent; the last is missing where no gender is known.
    """
    errors = estimates.ages - ages
    rows = np.random.default_rng(seed).integers(len(ages), size=(draws, len(ages)))
    drawn = errors[rows]
    found = {
        "age MAE": _interval(abs(errors).mean(), abs(drawn).mean(1)),
        "median error": _interval(np.median(abs(errors)), np.median(abs(drawn), axis=1)),
        "within 5 years": _interval(
            100 * (abs(errors) <= 5).mean(), 100 * (abs(drawn) <= 5).mean(1)
        ),
        "bias": _interval(errors.mean(), drawn.mean(1)),
    }
    known = genders != UNKNOWN
    if known.any():
        right = np.where(known, predicted(estimates.males) == genders, np.nan)
        share = right[rows]
        everywhere = np.isnan(share).all(1)
        share[everywhere] = right[known].mean()
        found["gender accuracy"] = _interval(
            100 * np.nanmean(right), 100 * np.nanmean(share, axis=1)
        )
    return found


def band_of(ages):
    """The name of each age's band, as in "10 to 19" (which no spreadsheet takes for a date)."""
    names = np.array([f"{low} to {high}" for low, high in BANDS])
    return names[np.minimum(np.asarray(ages) // 10, len(BANDS) - 1)]


def by_group(ages, genders, estimates, groups):
    """Figures of each group of pictures, the worst age MAE first.

    Args:
        ages, genders, estimates: as in `figures`.
        groups: (N,) names; "" is in no group.

    Returns:
        List of (name, number of pictures, dict of `Figure`).
    """
    groups = np.asarray(groups)
    found = []
    for name in sorted(set(groups) - {""}):
        of = groups == name
        found.append((name, int(of.sum()), figures(ages[of], genders[of], estimates.of(of))))
    return sorted(found, key=lambda each: -each[2]["age MAE"].value)


def difference(ages, first, second, draws=DRAWS, seed=0):
    """Age MAE of the second estimates minus that of the first, on the same pictures, a `Figure`."""
    change = abs(second.ages - ages) - abs(first.ages - ages)
    rows = np.random.default_rng(seed).integers(len(ages), size=(draws, len(ages)))
    return _interval(change.mean(), change[rows].mean(1))


def gender_reliability(genders, males, bins=10):
    """Whether a gender probability is what it says (Guo et al., ICML 2017).

    Args:
        genders: (N,) labels; males: (N,) probabilities of male.
        bins: of equal width over the probability of the gender that was said, 0.5 to 1.

    Returns:
        (list of (mean probability, share that was right, number of pictures) for each bin that is
        not empty, expected calibration error in percent).
    """
    known = genders != UNKNOWN
    sure = np.maximum(males, 1 - males)[known]
    right = (predicted(males) == genders)[known]
    place = np.minimum(((sure - 0.5) * 2 * bins).astype(int), bins - 1)
    rows, error = [], 0.0
    for each in range(bins):
        of = place == each
        if of.any():
            rows.append((float(sure[of].mean()), float(right[of].mean()), int(of.sum())))
            error += of.mean() * abs(sure[of].mean() - right[of].mean())
    return rows, 100 * float(error)


def age_reliability(ages, probabilities, levels=LEVELS):
    """Share of labels inside the central interval of the predicted ages, in percent, by level.

    Args:
        ages: (N,) labels.
        probabilities: (N, 101) predicted.
        levels: 0 to 1.
    """
    below = np.cumsum(probabilities, axis=1)
    rows = np.arange(len(ages))
    # a label in the middle of its year's probability
    place = below[rows, ages] - 0.5 * probabilities[rows, ages]
    return {level: 100 * float((abs(place - 0.5) <= level / 2).mean()) for level in levels}


def conformal(ages, estimates, level):
    """The factor on the spread with which intervals hold so large a share of labels.

    Split conformal prediction (Lei et al., JASA 2018, normalised residuals): on new pictures like
    these `Estimates.intervals` holds the label with probability ``level`` at least, whatever
    the network.

    Args:
        ages: (N,) labels of pictures that the network was not trained on.
        estimates: `estimates.Estimates` of them.
        level: 0 to 1.

    Returns infinity where N is too small for the level.
    """
    scores = np.sort(abs(ages - estimates.ages) / estimates.spread())
    rank = int(np.ceil((len(scores) + 1) * level))
    return float(scores[rank - 1]) if rank <= len(scores) else float("inf")


def coverage(ages, ends):
    """Share of labels inside their interval in percent, and the intervals' mean width in years.

    An end is taken to the nearest whole year, as it is shown.
    """
    low, high = (np.rint(end) for end in ends)
    return 100 * float(((low <= ages) & (ages <= high)).mean()), float((high - low).mean())


def alarms(genders, estimates):
    """Lines about estimates that cannot be right: one answer for everybody, genders swapped."""
    found = []
    if len(estimates) > 1 and estimates.ages.std() < COLLAPSED:
        found.append(
            f"the same age, about {estimates.ages.mean():.0f}, is said of everybody: the network "
            "has collapsed, or is shown something other than it was trained on"
        )
    known = genders != UNKNOWN
    said = predicted(estimates.males)[known]
    if known.any() and len(set(genders[known])) > 1:
        if len(set(said)) == 1:
            found.append("the same gender is said of everybody: the network has collapsed")
        elif (said == genders[known]).mean() < 0.3:
            found.append(
                "most genders are the wrong way round: the file's gender order looks swapped"
            )
    return found


def checked_intervals(ages, estimates, level, factor=None):
    """Age intervals of pictures, made without their own labels.

    Args:
        ages, estimates, level: as in `conformal`.
        factor: that of the weights, found on other pictures; without one, that of each half of
            these pictures is taken for the other half.

    Returns two (N,) arrays of years.
    """
    if factor is not None:
        return estimates.intervals(factor)
    first = np.random.default_rng(0).random(len(ages)) < 0.5
    ends = np.empty((2, len(ages)))
    for half in (first, ~first):
        other = conformal(ages[~half], estimates.of(~half), level)
        ends[:, half] = estimates.of(half).intervals(other)
    return ends[0], ends[1]


def assess(ages, genders, races, estimates, level, factor=None):
    """All that is said of one weight file.

    Args:
        ages, genders, estimates: as in `figures`.
        races: (N,) names, "" where unknown.
        level, factor: as in `checked_intervals`.

    Returns a dict of plain values and `Figure`.
    """
    bands = band_of(ages)
    low, high = checked_intervals(ages, estimates, level, factor)
    held, width = coverage(ages, (low, high))
    reliability, error = gender_reliability(genders, estimates.males)
    crossed = [
        "" if gender == UNKNOWN else f"{band}, {NAMES[gender]}"
        for band, gender in zip(bands, genders)
    ]
    own = conformal(ages, estimates, level)
    return {
        "figures": figures(ages, genders, estimates),
        "bands": by_group(ages, genders, estimates, bands),
        "bands by gender": by_group(ages, genders, estimates, crossed),
        "races": by_group(ages, genders, estimates, races),
        "gender reliability": reliability,
        "gender calibration error": error,
        "age reliability": age_reliability(ages, estimates.age_probabilities),
        "interval": {
            "level": level,
            "factor of these pictures": own if np.isfinite(own) else None,  # None: too few
            "checked with": "the weights' own factor" if factor else "halves of these pictures",
            "held": held,
            "width": width,
            "by band": {
                str(band): coverage(ages[bands == band], (low[bands == band], high[bands == band]))
                for band in dict.fromkeys(bands)
            },
        },
        "alarms": alarms(genders, estimates),
    }
