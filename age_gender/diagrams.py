"""Diagrams as PNG files; no setting of matplotlib that lies about has a say in them."""

import contextlib
import logging
import os

from age_gender.files import atomic_write


@contextlib.contextmanager
def diagram(path, size=(7, 5), columns=1):
    """Yield a list of matplotlib's axes, side by side, and write them to a file at the end.

    Args:
        path: the PNG file.
        size: width and height in inches, of 120 pixels.
        columns: number of axes.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # not of a home that is read-only
    backend = os.environ.pop("MPLBACKEND", None)  # with one that is not installed it fails
    try:
        import matplotlib
        from matplotlib.figure import Figure
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(size, layout="constrained")
        yield list(figure.subplots(1, columns, squeeze=False)[0])
        with atomic_write(path) as partial:
            figure.savefig(partial, format="png", dpi=120)
