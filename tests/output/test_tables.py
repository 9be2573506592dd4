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


@pytest.mark.parametrize(
    "rows, names", [(0, set()), (1, {"results.csv.part", "results.jsonl.part"})]
)
def test_rows_are_kept_where_an_error_ends_their_tables(tmp_path, rows, names):
    with pytest.raises(UserError), tables.open_tables(tmp_path, ["file"]) as write:
        for _ in range(rows):
            write({"file": "a"})
        raise UserError("the disk is full")
    assert {path.name for path in tmp_path.iterdir()} == names


def test_tables_begin_with_rows_that_are_kept(tmp_path, capsys):
    kept = [{"file": 'a "b", \n.jpg', "age": 33.3}, {"file": "c", "age": None}]
    with tables.open_tables(tmp_path, ["file", "age"], as_json=True, kept=kept) as write:
        begun = (tmp_path / "results.csv.part").read_text()
        write({"file": "d", "age": 1.0})
        assert (tmp_path / "results.csv.part").read_text() == f"{begun}d,1.0\n"
    assert [json.loads(line)["file"] for line in capsys.readouterr().out.splitlines()] == ["d"]
    with open(tmp_path / "results.csv", newline="", encoding="utf-8") as table:
        rows = [(row["file"], row["age"]) for row in csv.DictReader(table)]
    assert rows == [('a "b", \n.jpg', "33.3"), ("c", ""), ("d", "1.0")]


def test_line_and_row_tell_the_interval_where_there_is_one():
    columns = tables.face_columns(["file"], True)
    row = tables.face_row({"file": "a"}, (1, 2, 3, 4), None, Estimate(33.333, 0.8, 28.4, 40.6))
    assert list(row) == columns and (row["low"], row["high"]) == (28, 41)
    assert tables.face_line("a", row) == "a  box 1 2 3 4  M 0.80  age 33.3 (28-41)"
