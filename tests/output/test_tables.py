import csv
import json

import pytest

from age_gender.command_line import UserError
from age_gender.estimates import Estimate
from age_gender.output import tables


def test_earlier_results_are_refused_unless_overwritten(tmp_path):
    tables.refuse_existing(tmp_path, overwrite=False)
    (tmp_path / "results.jsonl").write_text("")
    with pytest.raises(UserError) as error:
        tables.refuse_existing(tmp_path, overwrite=False)
    assert str(error.value) == (
        f"{tmp_path} holds results.jsonl: add --overwrite to replace it, or give another folder"
    )
    tables.refuse_existing(tmp_path, overwrite=True)
    with pytest.raises(UserError) as error:
        tables.refuse_existing(tmp_path / "results.jsonl", overwrite=True)
    assert str(error.value) == f"{tmp_path}/results.jsonl is a file: give a folder"


def test_tables_appear_when_they_are_complete(tmp_path):
    columns = tables.face_columns(["file"], False)
    row = tables.face_row({"file": "ä.png"}, (1, 2, 3, 4), 0.5, Estimate(33.333, 0.2))
    with tables.open_tables(tmp_path / "out", columns) as write:
        write(row)
        assert not (tmp_path / "out" / "results.csv").exists()
    with open(tmp_path / "out" / "results.csv", newline="", encoding="utf-8") as table:
        (read,) = csv.DictReader(table)
    assert read == {key: str(value) for key, value in row.items()}
    assert json.loads((tmp_path / "out" / "results.jsonl").read_text()) == row
    with pytest.raises(UserError), tables.open_tables(tmp_path / "none", columns):
        raise UserError("nothing came")
    assert list((tmp_path / "none").iterdir()) == []


def test_line_and_row_tell_the_interval_where_there_is_one():
    columns = tables.face_columns(["file"], True)
    row = tables.face_row({"file": "a"}, (1, 2, 3, 4), None, Estimate(33.333, 0.8, 28.4, 40.6))
    assert list(row) == columns and (row["low"], row["high"]) == (28, 41)
    assert tables.face_line("a", row) == "a  box 1 2 3 4  M 0.80  age 33.3 (28-41)"
