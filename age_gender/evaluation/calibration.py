"""Whether probabilities and intervals can be believed.

Ages are years, genders coded as in genders.py.
"""

import numpy as np

from age_gender.estimates import Quantiles
from age_gender.evaluation.figures import band_of
from age_gender.genders import UNKNOWN, predicted

DECADES = range(0, 70, 10)  # of the estimated age; the last is open
LEVELS = (0.5, 0.8, 0.9, 0.95)


def gender_reliability(genders, males, bins=10):
    """Whether gender probabilities are calibrated (Guo et al., ICML 2017).

    Args:
        genders: (N,) labels; males: (N,) probabilities of male.
        bins: of equal width over the probability of the predicted gender, 0.5 to 1.

    Returns:
        (list of (mean probability, accuracy, number of pictures) for each bin that is not empty,
        expected calibration error in percent).
    """
    known = genders != UNKNOWN
    sure = np.maximum(males, 1 - males)[known]
    right = (predicted(males) == genders)[known]
    bin_of = np.minimum(((sure - 0.5) * 2 * bins).astype(int), bins - 1)
    rows, error = [], 0.0
    for number in range(bins):
        of = bin_of == number
        if of.any():
            rows.append((float(sure[of].mean()), float(right[of].mean()), int(of.sum())))
            error += of.mean() * abs(sure[of].mean() - right[of].mean())
    return rows, 100 * float(error)


def age_reliability(ages, estimates, levels=LEVELS):
    """Share of labels inside the central interval of the predicted ages, in percent, by level.

    Args:
        ages: (N,) labels.
        estimates: `estimates.Estimates` of them.
        levels: 0 to 1.
    """
    quantiles = _quantiles(ages, estimates)
    return {level: 100 * float((abs(quantiles - 0.5) <= level / 2).mean()) for level in levels}


def _quantiles(ages, estimates):
    """Of N labels among the predicted ages, (N,)."""
    return estimates.quantiles()[np.arange(len(ages)), ages]


def conformal(ages, estimates, level):
    """The rule with which age intervals cover a share ``level`` of the labels.

    Conformal prediction of the quantiles of the labels among the predicted ages (Chernozhukov et
    al., "Distributional conformal prediction", PNAS 2021), for each decade of the estimated age
    (Romano et al., "With malice toward none", HDSR 2020). All bands of labels weigh the same in it,
    so that the few old people are covered like the many young ones.

    Args:
        ages: (N,) labels of pictures that the network was not trained on.
        estimates: `estimates.Estimates` of them.
        level: 0 to 1.

    Returns:
        `estimates.Quantiles`; None if N is too small for the level.
    """
    bands = band_of(ages)
    names, counts = np.unique(bands, return_counts=True)
    weights = 1 / counts[np.searchsorted(names, bands)]
    quantiles = _quantiles(ages, estimates)
    group = np.searchsorted(DECADES, estimates.ages, "right") - 1
    found = []
    for number, age in enumerate(DECADES):
        of = group == number
        low, high = (_tail(side[of], weights[of], level) for side in (1 - quantiles, quantiles))
        if None not in (low, high):
            found.append((age if found else 0, 1 - low, high))
    if not found:
        low, high = (_tail(side, weights, level) for side in (1 - quantiles, quantiles))
        found = [] if None in (low, high) else [(0, 1 - low, high)]
    return Quantiles(tuple(found)) if found else None


def _tail(scores, weights, level):
    """The least score that a new one of these weights exceeds with a chance of (1 - level) / 2.

    None if there are too few for such a score: the new one weighs as much as the mean.
    """
    order = np.argsort(scores)
    total = np.cumsum(weights[order])
    if not len(scores) or (needed := (1 + level) / 2 * (total[-1] + weights.mean())) > total[-1]:
        return None
    return float(scores[order][np.searchsorted(total, needed)])


def coverage(ages, ends):
    """Share of labels inside their interval in percent, and the intervals' mean width in years.

    Ends are rounded to whole years, as they are shown.
    """
    low, high = (np.rint(end) for end in ends)
    return 100 * float(((low <= ages) & (ages <= high)).mean()), float((high - low).mean())


def checked_intervals(ages, estimates, level, rule=None):
    """Age intervals of pictures, without use of their own labels.

    Args:
        ages, estimates, level: as in `conformal`.
        rule: the weights' own, from other pictures; None to take that of each half of these
            pictures for the other half.

    Returns two (N,) arrays of years: 0 and 100 where the pictures are too few for a rule.
    """
    if rule is not None:
        return rule.ends(estimates)
    first = np.random.default_rng(0).random(len(ages)) < 0.5
    ends = np.empty((2, len(ages)))
    for half in (first, ~first):
        other = conformal(ages[~half], estimates.of(~half), level)
        ends[:, half] = other.ends(estimates.of(half)) if other else [[0], [100]]
    return ends[0], ends[1]
