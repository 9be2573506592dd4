"""Estimates of age and gender: of one face, and of many as arrays."""

import dataclasses

import numpy as np

from age_gender.genders import LETTERS, predicted
from wide_resnet import AGE_CLASSES


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The estimate for one face.

    Attributes:
        age: expected age in years.
        male: probability of male, 0 to 1.
        low, high: ends of the age interval in years; None without one.
    """

    age: float
    male: float
    low: float | None = None
    high: float | None = None

    @property
    def gender(self):
        """The more probable gender, "F" or "M"."""
        return LETTERS[predicted(self.male)]

    @property
    def probability(self):
        """Probability of `gender`, 0.5 to 1."""
        return max(self.male, 1 - self.male)

    @property
    def interval(self):
        """Ends of the age interval, (low, high) in years, or None."""
        return None if self.low is None else (self.low, self.high)

    def shifted(self, years):
        """The estimate with ``years`` added to its ages, none of which falls below 0."""
        ages = {"age": self.age, "low": self.low, "high": self.high}
        moved = {name: max(age + years, 0.0) for name, age in ages.items() if age is not None}
        return dataclasses.replace(self, **moved)


@dataclasses.dataclass(frozen=True)
class Spread:
    """Age intervals of ``factor`` standard deviations of the predicted ages to each side."""

    factor: float

    def ends(self, estimates):
        """Ends of the age intervals of N `Estimates`: two (N,) arrays, within 0 to 100 years."""
        reach = self.factor * estimates.spread()
        return np.clip(estimates.ages - reach, 0, 100), np.clip(estimates.ages + reach, 0, 100)


@dataclasses.dataclass(frozen=True)
class Quantiles:
    """Age intervals between two quantiles of the predicted ages, by the estimated age.

    Attributes:
        groups: tuple of (age, low, high): from this estimated age on, in years, up to that of the
            next group, the quantiles are low and high, 0 to 1; the first age is 0.
    """

    groups: tuple

    def ends(self, estimates):
        """Ends of the age intervals of N `Estimates`: two (N,) arrays of whole years."""
        ages, lows, highs = np.array(self.groups).T
        group = np.searchsorted(ages, estimates.ages, "right") - 1
        quantiles = estimates.quantiles()
        low = (quantiles < lows[group][:, None]).sum(1)
        high = (quantiles <= highs[group][:, None]).sum(1) - 1
        age = np.rint(estimates.ages)  # is inside, however lopsided the probabilities are
        return np.minimum(low, age), np.maximum(high, age)

    def __str__(self):
        return ", ".join(f"{age:g} {low:.4f} {high:.4f}" for age, low, high in self.groups)

    @classmethod
    def of(cls, text):
        """The quantiles that a text describes, as `str` makes it. Raises ValueError."""
        groups = tuple(tuple(map(float, group.split())) for group in text.split(", "))
        ages = [age for age, *_ in groups]
        if ages[0] != 0 or ages != sorted(set(ages)):
            raise ValueError("the ages do not rise from 0")
        if not all(0 <= low < high <= 1 for _, low, high in groups):
            raise ValueError("the quantiles do not rise from 0 to 1")
        return cls(groups)


@dataclasses.dataclass
class Estimates:
    """The network's estimates for N faces.

    Attributes:
        ages: (N,) expected age in years.
        males: (N,) probability of male, 0 to 1.
        age_probabilities: (N, 101), ages 0 to 100.
    """

    ages: np.ndarray
    males: np.ndarray
    age_probabilities: np.ndarray

    @classmethod
    def from_probabilities(cls, males, age_probabilities):
        """Estimates with the ages as expectations over (N, 101) probabilities."""
        ages = age_probabilities @ np.arange(AGE_CLASSES, dtype=np.float32)
        return cls(ages, males, age_probabilities)

    def __len__(self):
        return len(self.ages)

    def each(self, rule=None):
        """List of N `Estimate`, with age intervals if a rule for them is given.

        Args:
            rule: `Spread` or `Quantiles`, as `weights.Description.interval_rule` returns it.
        """
        arrays = [self.ages, self.males]
        if rule is not None:
            arrays += rule.ends(self)
        return [Estimate(*map(float, values)) for values in zip(*arrays)]

    def of(self, chosen):
        """The estimates of some of the faces: ``chosen`` is any NumPy index."""
        return Estimates(self.ages[chosen], self.males[chosen], self.age_probabilities[chosen])

    def spread(self):
        """Standard deviation of the predicted ages, (N,) years, at least 1."""
        years = np.arange(self.age_probabilities.shape[1])
        mean = self.age_probabilities @ years
        variance = self.age_probabilities @ years**2 - mean**2
        return np.sqrt(np.maximum(variance, 1))

    def quantiles(self):
        """Of each age among the predicted ages, (N, 101), in the middle of its year."""
        return np.cumsum(self.age_probabilities, axis=1) - self.age_probabilities / 2
