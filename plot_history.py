"""Draw a training history.

    python3 plot_history.py --input checkpoints/history_16_8.h5

Writes loss.png and accuracy.png beside the input. Histories of the original are read too.
"""

import re
from pathlib import Path

from command_line import Parser, UserError, run, whole_file

PICTURES = {
    "loss.png": ("loss", ("loss", "pred_gender_loss", "pred_age_loss")),
    "accuracy.png": ("accuracy", ("pred_gender_accuracy", "pred_age_accuracy")),
}
HEADS = {"pred_gender_": "gender ", "pred_age_": "age "}


def get_args(argv=None):
    parser = Parser(description="Draw a training history: loss.png and accuracy.png beside it.")
    parser.add_argument("--input", "-i", type=Path, required=True, help="history (.h5)")
    return parser.parse_args(argv)


def read_history(path):
    """Read a history as a pandas DataFrame, a row for each epoch, with today's column names.

    Raises `UserError` where the file is not a history.
    """
    import pandas
    import tables

    if not path.is_file():
        raise UserError(f"--input {path} is not a file: give the history that train.py wrote")
    try:
        history = pandas.read_hdf(path, "history")
    except (KeyError, OSError, ValueError, TypeError, tables.HDF5ExtError) as error:
        raise UserError(f"--input {path} is not a training history of train.py") from error
    if not isinstance(history, pandas.DataFrame) or history.empty or "loss" not in history:
        raise UserError(f"--input {path} is not a training history of train.py")
    return history.rename(columns=lambda name: re.sub("_acc$", "_accuracy", name))


def draw(history, columns, title, path):
    """Draw the training and validation curves of ``columns`` into a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    epochs = range(1, len(history) + 1)
    marker = "o" if len(history) == 1 else None
    for colour, column in enumerate(name for name in columns if name in history):
        label = column
        for prefix, head in HEADS.items():
            label = label.replace(prefix, head)
        for name, style in ((column, "-"), (f"val_{column}", "--")):
            if name in history:
                text = f"{label}{', validation' if name != column else ''}"
                axes.plot(
                    epochs, history[name], style, color=f"C{colour}", label=text, marker=marker
                )
    axes.set(xlabel="epoch", ylabel=title, title=f"Model {title}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
    pyplot.close(figure)


def main(argv=None):
    args = get_args(argv)
    history = read_history(args.input)
    for name, (title, columns) in PICTURES.items():
        if not set(columns) & set(history):
            continue
        path = args.input.parent / name
        draw(history, columns, title, path)
        print(path)


if __name__ == "__main__":
    run(main)
