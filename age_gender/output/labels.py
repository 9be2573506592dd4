"""The texts of labels in pictures: which face it is, what is estimated, and how sure that is."""

PARTS = ("number", "age", "interval", "gender", "probability")
UNSURE = 0.75  # probability below which a gender has a question mark instead of it


def label(estimate, parts=PARTS, number=None):
    """The label of a face, such as "2: 34 (28-41), F 0.97", or "2: 34, F?" below `UNSURE`.

    Args:
        estimate: `estimates.Estimate`.
        parts: those of `PARTS` that it shows; an interval only if there is one.
        number: of the face; None shows none.
    """
    unsure = estimate.probability < UNSURE
    age, gender = [], []
    if "age" in parts:
        age.append(f"{estimate.age:.0f}")
    if "interval" in parts and estimate.interval is not None:
        interval = "{:.0f}-{:.0f}".format(*estimate.interval)
        age.append(f"({interval})" if age else interval)
    if "gender" in parts:
        gender.append(estimate.gender + "?" * unsure)
    if "probability" in parts and not (gender and unsure):
        gender.append(f"{estimate.probability:.2f}")
    told = ", ".join(" ".join(words) for words in (age, gender) if words)
    if "number" not in parts or number is None:
        return told
    return f"{number}: {told}" if told else str(number)


def labels(estimates, parts=None, numbers=None):
    """The labels of the faces in a picture.

    Args:
        estimates: list of `estimates.Estimate`, from left to right.
        parts: those of `PARTS` that they show; None for all, but no number for a single face.
        numbers: of the faces in a video; None for 1, 2, 3 ... in a picture.
    """
    if numbers is None:
        numbers = range(1, len(estimates) + 1)
        if parts is None and len(estimates) == 1:
            numbers = [None]
    return [label(each, parts or PARTS, number) for each, number in zip(estimates, numbers)]
