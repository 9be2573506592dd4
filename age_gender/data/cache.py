"""Databases that commands make of folders of pictures, and keep to use again.

Beside such a database, X.mat, is X_pictures.json: the stamps of the pictures that it was made of.
"""

import csv
import functools

from age_gender import faces
from age_gender.command_line import UserError, log, some
from age_gender.crops import warn_of_whole_photographs
from age_gender.data import builder, stamps
from age_gender.data.database import FaceDatabase


def database(path, pictures, dataset, size, resize, resumable=True, memory=0):
    """The database of pictures that are cut already; made unless there is one of just these.

    Args:
        path: where it is kept.
        pictures: `Pictures`.
        dataset: their `Dataset`.
        size: of the faces in pixels.
        resize: OpenCV's filter, "linear" or "area".
        resumable: the place is there for the next run, which can resume.
        memory: as in `FaceDatabase`.

    Returns:
        `FaceDatabase`.

    Raises `UserError` if the file is another database, not made here.
    """
    settings = {"img_size": size, "db": dataset.db, "resize": resize}
    settings |= {"crop": dataset.crop, "margin": dataset.margin}
    beside = path.with_name(f"{path.stem}_pictures.json")
    found = {name: stamps.stamp(pictures.folder / name) for name in pictures.names}
    why = ""
    if path.exists():
        kept = stamps.read(beside)
        old = FaceDatabase(path, memory)
        reasons = _differences(old, settings, pictures, found, kept)
        if not reasons:
            if kept != found:
                stamps.write(beside, found)
            _say_skipped(path)
            return old
        why = f": {', '.join(reasons)}"
        if kept is None:
            raise UserError(
                f"{path} exists and is not the database of {pictures.folder}{why}: move it away"
            )
    log(f"making {path} of {pictures.folder}{why}")
    warn_of_whole_photographs(
        pictures.folder,
        pictures.names,
        "give faces that are cut out (create_db_utkface.py --align does so for UTKFace)",
    )
    beside.unlink(missing_ok=True)
    cut = functools.partial(faces.whole, size=size, resize=resize)
    builder.build(path, pictures, cut, settings | {"min_score": -1}, resumable=resumable)
    stamps.write(beside, found)  # those of before, so that what changed meanwhile is noticed
    _say_skipped(path)
    return FaceDatabase(path, memory)


def _say_skipped(path):
    """Count and name the pictures that are in the table of those skipped."""
    try:
        with open(path.with_name(f"{path.stem}_skipped.csv"), newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if len(row) == 2][1:]
    except (OSError, ValueError, csv.Error):
        return
    if rows:
        log(f"pictures skipped: {some([': '.join(row) for row in rows])}")


def _differences(database, settings, pictures, found, kept):
    """Why a database is not the one of pictures, a list of texts.

    Args:
        database: `FaceDatabase`.
        settings: dict of what it was made with.
        pictures: `Pictures`; ``found``: the stamp of each name.
        kept: the stamps of the pictures that it was made of; None if they are unknown.
    """
    reasons = []
    for name, value in settings.items():
        if getattr(database, name) != value:
            reasons.append(f"its {name} was {getattr(database, name)}")
    if reasons or not database.has_sources:
        return reasons or ["it does not name its pictures"]
    sources = database.sources()
    digests = dict(zip(sources, database.digests()))
    labels = dict(zip(sources, zip(database.ages.tolist(), database.genders.tolist())))
    known = dict.fromkeys(sources, stamps.UNKNOWN) if kept is None else kept
    counts = dict.fromkeys(("new", "gone", "changed", "labelled otherwise"), 0)
    counts["gone"] = len(known.keys() - found.keys())
    for row, name in enumerate(pictures.names):
        if row in pictures.refused:
            counts["labelled otherwise"] += name in labels
        elif name not in known:
            counts["new"] += 1
        elif not stamps.is_same(pictures.folder / name, known[name], digests.get(name)):
            counts["changed"] += 1
        elif name in labels and labels[name] != (pictures.ages[row], pictures.genders[row]):
            counts["labelled otherwise"] += 1
    return [f"{count} {what}" for what, count in counts.items() if count]
