import pickle

import h5py
import numpy as np
import pandas
import pytest

from age_gender import history
from age_gender.command_line import UserError

TABLE = pandas.DataFrame({"loss": [5.0, 4.0], "val_loss": [6.5, 5.5], "epochs": [1, 2]})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"format": "table"},
        {"format": "table", "data_columns": True},
        {"complevel": 5},
        {"format": "table", "complevel": 5},
    ],
)
def test_what_pandas_writes_is_read(tmp_path, options):
    TABLE.to_hdf(tmp_path / "h.h5", key="history", mode="w", **options)
    columns = history.read(tmp_path / "h.h5")
    assert sorted(columns) == sorted(TABLE)
    for name, values in columns.items():
        np.testing.assert_array_equal(values, TABLE[name])


class Payload:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return __import__("os").mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "options, place, name",
    [
        ({}, "history", "encoding"),
        ({}, "history", "pandas_type"),
        ({}, "history/axis0", "name"),
        ({}, "history/block0_items", "nan_rep"),
        ({}, "/", "TITLE"),
        ({"format": "table"}, "history", "info"),
        ({"format": "table"}, "history", "non_index_axes"),
        ({"format": "table"}, "history/table", "values_block_0_kind"),
    ],
)
def test_nothing_is_unpickled(tmp_path, options, place, name):
    path = tmp_path / "h.h5"
    TABLE.to_hdf(path, key="history", mode="w", **options)
    with h5py.File(path, "r+") as file:
        file[place].attrs[name] = np.bytes_(pickle.dumps(Payload(tmp_path / "ran"), 0))
    if name.startswith("values_block"):
        with pytest.raises(UserError, match="its columns have no names"):
            history.read(path)
    else:
        assert sorted(history.read(path)) == sorted(TABLE)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "change, problem",
    [
        (lambda file: file.__delitem__("history"), "it has no 'history'"),
        (
            lambda file: file["history"].attrs.__setitem__("nblocks", 2**40),
            "its 'history' is not a table",
        ),
        (
            lambda file: file["history"].attrs.__setitem__("nblocks", "two"),
            "its 'history' is not a table",
        ),
        (lambda file: file["history"].attrs.__setitem__("nblocks", 0), "it has no column 'loss'"),
        (
            lambda file: file["history"].__delitem__("block0_items"),
            "it has no 'history/block0_items'",
        ),
        (
            lambda file: [
                file["history"].__delitem__("block0_values"),
                file["history"].create_dataset("block0_values", data=np.zeros((2, 9))),
            ],
            "its columns are not numbers",
        ),
    ],
)
def test_other_content_is_one_line(tmp_path, change, problem):
    path = tmp_path / "h.h5"
    TABLE.to_hdf(path, key="history", mode="w")
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(UserError) as error:
        history.read(path)
    assert str(error.value) == f"{path} is not a training history of train.py: {problem}"


def test_damaged_file_is_one_line(damaged):
    with pytest.raises(UserError, match="ours_flip7.h5 is not a training history of train.py: it"):
        history.read(damaged / "ours_flip7.h5")
