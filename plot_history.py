"""Draw the history of a training run, or of several to compare them.

    python3 plot_history.py --input checkpoints/history_16_8.h5

Writes loss.png, accuracy.png and mae.png. Histories of the original, and of a run in progress, are
read too.
"""

from age_gender.start import run

import os
import re
from pathlib import Path

from age_gender.command_line import Parser, UserError, option
from age_gender.diagrams import diagram
from age_gender.files import shown

PICTURES = {
    "loss.png": ("loss", ("loss", "pred_gender_loss", "pred_age_loss")),
    "accuracy.png": ("accuracy", ("pred_gender_accuracy", "pred_age_accuracy")),
    "mae.png": ("mean absolute error of the age, years", ("pred_age_mae",)),
}
HEADS = {"pred_gender_": "gender ", "pred_age_": "age "}


def get_args(argv=None):
    parser = Parser(
        description="Draw training histories: loss.png, accuracy.png and mae.png.",
        trains=lambda args: True,
    )
    parser.add_argument(
        "--input",
        "-i",
        type=Path,
        nargs="+",
        required=True,
        help="history (.h5); several are drawn into the same diagrams",
    )
    parser.add_argument(
        "--output_dir",
        type=Path,
        help="folder for the diagrams; by default the history's, or the common one of several",
    )
    return parser.parse_args(argv)


def read_history(path):
    """Read a history as a pandas DataFrame, a row for each epoch, with Keras 3's column names.

    Raises `UserError` if the file is not a history.
    """
    import pandas

    from age_gender import history

    if not path.is_file():
        raise UserError(f"{path} is not a file: give the history that train.py wrote")
    columns = history.read(path).items()
    return pandas.DataFrame({re.sub("_acc$", "_accuracy", name): each for name, each in columns})


def names_of(paths):
    """A name for each history: its folder's if these differ, else its own."""
    folders = [path.resolve().parent.name for path in paths]
    names = folders if len(set(folders)) == len(paths) else [path.stem for path in paths]
    if len(set(names)) < len(paths):
        names = [str(path) for path in paths]
    return names


def _label(column):
    for prefix, head in HEADS.items():
        column = column.replace(prefix, head)
    return column


def _draw_run(axes, history, columns):
    """All curves of one run, training and validation, in one diagram."""
    for colour, column in enumerate(name for name in columns if name in history):
        for name, style, more in ((column, "-", ""), (f"val_{column}", "--", ", validation")):
            _curve(axes, history, name, f"{_label(column)}{more}", f"C{colour}", style)


def _draw_runs(axes, histories, column):
    """One column of several runs: validation solid, training dotted."""
    for colour, (name, history) in enumerate(histories.items()):
        _curve(axes, history, column, None, f"C{colour}", ":")
        _curve(axes, history, f"val_{column}", name, f"C{colour}", "-")
    axes.set_title(f"{_label(column)}: validation, training dotted")


def _curve(axes, history, name, label, colour, style):
    if name in history:
        marker = "o" if len(history) == 1 else None
        epochs = range(1, len(history) + 1)
        axes.plot(epochs, history[name], style, color=colour, label=label, marker=marker)


def draw(histories, columns, title, path):
    """Draw the curves of ``columns`` into a PNG file.

    Args:
        histories: dict of a name and what `read_history` returned, for each run.
        columns: names of the columns for training; those for validation begin with "val_".
        title: of the diagram.
        path: the file.
    """
    columns = [name for name in columns if any(name in each for each in histories.values())]
    panels = 1 if len(histories) == 1 else len(columns)
    with diagram(path, (8 if panels == 1 else 6 * panels, 5), panels) as row:
        for axes, column in zip(row, columns):
            if len(histories) == 1:
                _draw_run(axes, *histories.values(), columns)
                axes.set_title(f"Model {title}")
            else:
                _draw_runs(axes, histories, column)
            axes.set(xlabel="epoch", ylabel=title)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
            if axes.get_legend_handles_labels()[0]:
                axes.legend()


def common_folder(paths):
    """The folder that files have in common. Raises `UserError` where they have none."""
    if len(paths) == 1:
        return paths[0].parent
    try:
        return Path(shown(os.path.commonpath([path.resolve().parent for path in paths])))
    except ValueError as error:
        raise UserError("the histories are on several drives: give --output_dir") from error


def main(argv=None):
    args = get_args(argv)
    with option("--input"):
        histories = dict(zip(names_of(args.input), map(read_history, args.input)))
    folder = args.output_dir or common_folder(args.input)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, columns) in PICTURES.items():
        if any(set(columns) & set(history) for history in histories.values()):
            draw(histories, columns, title, folder / name)
            print(folder / name)


if __name__ == "__main__":
    run(main)
