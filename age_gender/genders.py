"""The coding of gender in labels, network outputs, tables and pictures."""

FEMALE, MALE, UNKNOWN = 0, 1, 2  # only labels may be UNKNOWN
LETTERS = ("F", "M", "?")
NAMES = ("female", "male", "unknown")
ORDER = "female,male"  # of the network's outputs, as databases and weight files record it
SWAPPED_ORDER = "male,female"  # of UTKFace, and of the original's weights trained on it


def predicted(male):
    """The gender that a probability of male stands for, MALE from 0.5 up; a number or an array."""
    return (male >= 0.5) * MALE
