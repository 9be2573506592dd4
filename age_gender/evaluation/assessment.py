"""All figures of weight files on the same pictures."""

import dataclasses
import json

from age_gender import weights
from age_gender.command_line import UserError
from age_gender.estimates import Quantiles
from age_gender.estimator import Estimator
from age_gender.evaluation import calibration, figures
from age_gender.evaluation.pictures import estimate
from age_gender.genders import NAMES, UNKNOWN, predicted

COLLAPSED = 1.0  # years of standard deviation, below which all faces get the same age


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Age intervals for a share of the labels.

    Attributes:
        level: the share that they are to cover, 0 to 1.
        quantiles: text of the rule from these pictures, `estimates.Quantiles`; None where they are
            too few.
        source: text that says where the rule of the following is from.
        coverage: share of the labels that they cover, percent.
        width: mean, years.
        by_band: dict of (coverage, width) for each band of age.
    """

    level: float
    quantiles: str | None
    source: str
    coverage: float
    width: float
    by_band: dict


@dataclasses.dataclass(frozen=True)
class Assessment:
    """What is reported of one weight file.

    Attributes:
        file: its path.
        figures: `Figures` over all pictures.
        bands, bands_by_gender, races: lists of `Group`.
        gender_reliability, gender_calibration_error: as `calibration.gender_reliability` returns.
        age_reliability: as `calibration.age_reliability` returns.
        intervals: `Intervals`.
        alarms: list of lines.
    """

    file: str
    figures: figures.Figures
    bands: list
    bands_by_gender: list
    races: list
    gender_reliability: list
    gender_calibration_error: float
    age_reliability: dict
    intervals: Intervals
    alarms: list


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What is reported of one or several weight files; `json` writes it under these names.

    Attributes:
        input: path of the database or folder.
        part, pictures: the part that was evaluated, and how many pictures it has.
        weights: list of `Assessment`.
        age_mae_differences: list of `Figure`, of each file but the first: its minus the first's.
    """

    input: str
    part: str
    pictures: int
    weights: list
    age_mae_differences: list

    @classmethod
    def of(cls, path, pictures, results):
        """The evaluation of `Pictures` of a path, with what `assess_file` returned for each."""
        (first, _), *others = results
        return cls(
            str(path),
            pictures.part,
            len(pictures),
            [assessment for _, assessment in results],
            [figures.difference(pictures.ages, first, estimates) for estimates, _ in others],
        )

    def json(self):
        """The text of a JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=1)


def keep_intervals(paths, assessments):
    """Write level and rule of the intervals into weight files; `UserError` if one has none."""
    for each in assessments:
        if each.intervals.quantiles is None:
            raise UserError(
                "the pictures are too few for intervals that cover "
                f"{each.intervals.level:g} of the labels"
            )
    for path, each in zip(paths, assessments):
        rule = Quantiles.of(each.intervals.quantiles)
        weights.keep_interval(path, each.intervals.level, rule)


def assess_file(path, pictures, level):
    """Estimate and assess pictures with the weights in a file.

    Args:
        path: the weight file, which takes faces of their size.
        pictures: `Pictures`.
        level: share of the labels that age intervals are to cover.

    Returns:
        (`Estimates`, `Assessment`).
    """
    estimator = Estimator(path, runtime="keras")
    known = estimator.description
    rule = known.interval_rule() if known.interval_level == level else None
    estimates = estimate(estimator, pictures.database, pictures.rows)
    labels = pictures.ages, pictures.genders, pictures.races
    return estimates, assess(str(path), *labels, estimates, level, rule)


def assess(file, ages, genders, races, estimates, level, rule=None):
    """The `Assessment` of the estimates of N pictures.

    Args:
        file: path of the weight file.
        ages, genders: (N,) labels.
        races: (N,) names, "" where unknown.
        estimates: `estimates.Estimates` of N faces.
        level, rule: as in `calibration.checked_intervals`.
    """
    bands = figures.band_of(ages)
    crossed = [
        "" if gender == UNKNOWN else f"{band}, {NAMES[gender]}"
        for band, gender in zip(bands, genders)
    ]
    reliability, error = calibration.gender_reliability(genders, estimates.males)
    return Assessment(
        file=file,
        figures=figures.compute(ages, genders, estimates),
        bands=figures.by_group(ages, genders, estimates, bands),
        bands_by_gender=figures.by_group(ages, genders, estimates, crossed),
        races=figures.by_group(ages, genders, estimates, races),
        gender_reliability=reliability,
        gender_calibration_error=error,
        age_reliability=calibration.age_reliability(ages, estimates),
        intervals=_intervals(ages, bands, estimates, level, rule),
        alarms=alarms(genders, estimates),
    )


def _intervals(ages, bands, estimates, level, rule):
    low, high = calibration.checked_intervals(ages, estimates, level, rule)
    coverage, width = calibration.coverage(ages, (low, high))
    by_band = {}
    for band in dict.fromkeys(bands):
        of = bands == band
        by_band[str(band)] = calibration.coverage(ages[of], (low[of], high[of]))
    own = calibration.conformal(ages, estimates, level)
    return Intervals(
        level=level,
        quantiles=None if own is None else str(own),
        source="the weights' own rule" if rule else "halves of these pictures",
        coverage=coverage,
        width=width,
        by_band=by_band,
    )


def alarms(genders, estimates):
    """Lines about estimates that cannot be right: one answer for every face, genders swapped."""
    found = []
    if len(estimates) > 1 and estimates.ages.std() < COLLAPSED:
        found.append(
            f"every face gets the same age, about {estimates.ages.mean():.0f}: the network has "
            "collapsed, or the faces are unlike those that it was trained on"
        )
    known = genders != UNKNOWN
    guesses = predicted(estimates.males)[known]
    if known.any() and len(set(genders[known])) > 1:
        if len(set(guesses)) == 1:
            found.append("every face gets the same gender: the network has collapsed")
        elif (guesses == genders[known]).mean() < 0.3:
            found.append("most genders are wrong: the weight file's gender order looks swapped")
    return found
