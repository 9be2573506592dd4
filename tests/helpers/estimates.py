"""Estimates with chosen distributions of the age."""

import numpy as np

from age_gender.estimates import Estimates


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
