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

    @property
    def label(self):
        """The text for a picture: "34, F", or "34 (28-41), F" with an interval."""
        interval = "" if self.low is None else f" ({self.low:.0f}-{self.high:.0f})"
        return f"{self.age:.0f}{interval}, {self.gender}"

    def shifted(self, years):
        """The estimate with ``years`` added to its ages, none of which falls below 0."""
        ages = {"age": self.age, "low": self.low, "high": self.high}
        moved = {name: max(age + years, 0.0) for name, age in ages.items() if age is not None}
        return dataclasses.replace(self, **moved)


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

    def each(self, interval_factor=None):
        """List of N `Estimate`, with age intervals if a factor is given.

        Args:
            interval_factor: `weights.Description.interval_factor`.
        """
        arrays = [self.ages, self.males]
        if interval_factor is not None:
            arrays += self.intervals(interval_factor)
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

    def intervals(self, factor):
        """Ends of the age intervals, ``factor`` spreads around the age within 0 to 100 years.

        Returns:
            Two (N,) arrays, the low and the high ends.
        """
        reach = factor * self.spread()
        return np.clip(self.ages - reach, 0, 100), np.clip(self.ages + reach, 0, 100)
