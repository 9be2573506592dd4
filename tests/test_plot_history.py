import pathlib
import shutil

import cv2
import pandas
import pytest

import plot_history
from age_gender.command_line import UserError


def write_history(path, epochs=3):
    columns = ["loss", "pred_gender_loss", "pred_age_loss", "pred_gender_accuracy"]
    columns += ["pred_age_accuracy", "pred_age_mae"]
    columns += [f"val_{name}" for name in columns]
    path.parent.mkdir(exist_ok=True)
    rows = [[5.0 - epoch] * len(columns) for epoch in range(epochs)]
    pandas.DataFrame(rows, columns=columns).to_hdf(path, key="history")
    return path


def test_history_becomes_pictures_beside_it(tmp_path, capsys):
    plot_history.main(["-i", str(write_history(tmp_path / "history_16_8.h5"))])
    pictures = [tmp_path / name for name in ("loss.png", "accuracy.png", "mae.png")]
    assert capsys.readouterr().out.splitlines() == [str(picture) for picture in pictures]
    for picture in pictures:
        image = cv2.imread(str(picture))
        assert image.shape[0] > 400 and image.std() > 10


def test_history_of_the_original_is_drawn(shared, tmp_path):
    path = tmp_path / "history.h5"
    shutil.copy(shared / "original/original_history_10_1.h5", path)
    assert "val_pred_age_accuracy" in plot_history.read_history(path)
    plot_history.main(["-i", str(path)])
    without_curves = tmp_path / "empty.png"
    other = {"": pandas.DataFrame({"loss": [1], "x": [0]})}
    plot_history.draw(other, ("x",), "accuracy", without_curves)
    assert not (tmp_path / "mae.png").exists()
    drawn, empty = cv2.imread(str(tmp_path / "accuracy.png")), cv2.imread(str(without_curves))
    assert (drawn != empty).any(axis=2).sum() > 1000


def test_several_runs_are_drawn_into_the_folder_that_they_share(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    paths = [
        write_history(tmp_path / name / "history_10_1.h5", epochs)
        for epochs, name in enumerate(("none", "standard", "mixup"), 2)
    ]
    assert plot_history.names_of(paths) == ["none", "standard", "mixup"]
    plot_history.main(["-i", *map(str, paths)])
    assert capsys.readouterr().out.splitlines() == ["loss.png", "accuracy.png", "mae.png"]
    assert cv2.imread("loss.png").shape[1] > 2 * cv2.imread("mae.png").shape[1]
    plot_history.main(["-i", str(paths[0]), "--output_dir", "elsewhere"])
    assert (tmp_path / "elsewhere" / "mae.png").is_file()


@pytest.mark.parametrize(
    "paths, names",
    [
        (["c/history_16_1.h5", "c/history_16_8.h5"], ["history_16_1", "history_16_8"]),
        (["a/x/h.h5", "b/x/h.h5"], ["a/x/h.h5", "b/x/h.h5"]),
    ],
)
def test_runs_are_told_apart(paths, names):
    assert plot_history.names_of([pathlib.Path(path) for path in paths]) == names


def test_table_of_something_else_is_one_line(tmp_path):
    path = tmp_path / "history.h5"
    for table in (pandas.DataFrame({"a": [1]}), pandas.DataFrame(), pandas.Series([1])):
        table.to_hdf(path, key="history")
        with pytest.raises(UserError, match="is not a training history of train.py"):
            plot_history.read_history(path)


@pytest.mark.parametrize("content", [None, b"", b"no history"])
def test_other_file_is_one_line(tmp_path, content):
    path = tmp_path / "history.h5"
    if content is None:
        message = f"--input: {path} is not a file: give the history that train.py wrote"
    else:
        path.write_bytes(content)
        problem = "it is not an HDF5 file" if content else "it is empty"
        message = f"--input: {path} is not a training history of train.py: {problem}"
    with pytest.raises(UserError) as error:
        plot_history.main(["-i", str(path)])
    assert str(error.value) == message
