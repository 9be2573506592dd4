"""Whether probabilities and intervals can be believed.

Ages are years, genders coded as in genders.py.
"""

import numpy as np

from age_gender.genders import UNKNOWN, predicted

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


def age_reliability(ages, probabilities, levels=LEVELS):
    """Share of labels inside the central interval of the predicted ages, in percent, by level.

    Args:
        ages: (N,) labels.
        probabilities: (N, 101) predicted.
        levels: 0 to 1.
    """
    below = np.cumsum(probabilities, axis=1)
    rows = np.arange(len(ages))
    # the quantile of each label, in the middle of its year's probability
    quantile = below[rows, ages] - 0.5 * probabilities[rows, ages]
    return {level: 100 * float((abs(quantile - 0.5) <= level / 2).mean()) for level in levels}


def conformal(ages, estimates, level):
    """The factor on the spread with which intervals cover a share ``level`` of the labels.

    Split conformal prediction (Lei et al., JASA 2018, normalised residuals): on new pictures like
    these `Estimates.intervals` covers the label with a probability of at least ``level``, however
    the network is calibrated.

    Args:
        ages: (N,) labels of pictures that the network was not trained on.
        estimates: `estimates.Estimates` of them.
        level: 0 to 1.

    Returns infinity if N is too small for the level.
    """
    scores = np.sort(abs(ages - estimates.ages) / estimates.spread())
    rank = int(np.ceil((len(scores) + 1) * level))
    return float(scores[rank - 1]) if rank <= len(scores) else float("inf")


def coverage(ages, ends):
    """Share of labels inside their interval in percent, and the intervals' mean width in years.

    Ends are rounded to whole years, as they are shown.
    """
    low, high = (np.rint(end) for end in ends)
    return 100 * float(((low <= ages) & (ages <= high)).mean()), float((high - low).mean())


def checked_intervals(ages, estimates, level, factor=None):
    """Age intervals of pictures, without use of their own labels.

    Args:
        ages, estimates, level: as in `conformal`.
        factor: the weights' own, from other pictures; None to take that of each half of these
            pictures for the other half.

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
