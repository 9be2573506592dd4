import shutil

import cv2
import pandas
import pytest

import plot_history
from command_line import UserError


def test_history_becomes_two_pictures_beside_it(tmp_path, capsys):
    columns = ["loss", "pred_gender_loss", "pred_age_loss", "pred_gender_accuracy"]
    columns += ["pred_age_accuracy", *(f"val_{name}" for name in columns)]
    path = tmp_path / "history_16_8.h5"
    rows = [[5.0 - epoch] * len(columns) for epoch in range(3)]
    pandas.DataFrame(rows, columns=columns).to_hdf(path, key="history")
    plot_history.main(["-i", str(path)])
    pictures = [tmp_path / "loss.png", tmp_path / "accuracy.png"]
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
    plot_history.draw(plot_history.read_history(path), (), "accuracy", without_curves)
    drawn, empty = cv2.imread(str(tmp_path / "accuracy.png")), cv2.imread(str(without_curves))
    assert (drawn != empty).any(axis=2).sum() > 1000


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
        message = f"--input {path} is not a file: give the history that train.py wrote"
    else:
        path.write_bytes(content)
        message = f"--input {path} is not a training history of train.py"
    with pytest.raises(UserError) as error:
        plot_history.main(["-i", str(path)])
    assert str(error.value) == message
