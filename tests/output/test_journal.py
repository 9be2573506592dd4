import dataclasses
import json
import os

import pytest

from age_gender.command_line import UserError
from age_gender.output import journal
from age_gender.output.journal import Journal

SETTINGS = {"version": "1", "weights": "ab", "cropped": "False"}


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "in").mkdir()
    made = {name: tmp_path / "in" / name for name in ("a.jpg", "b.jpg", "c.jpg")}
    for name, path in made.items():
        path.write_text(name)
    return made


def write(output, paths, count, torn=""):
    """What a run leaves that ended after so many pictures."""
    made = Journal(output, SETTINGS, paths, resume=False)
    assert made.kept == {}
    made.open()
    rows = ""
    for name, path in [*paths.items()][:count]:
        rows += f'{{"file": "{name}", "face": 1}}\n{{"file": "{name}", "face": 2}}\n'
        made.add(name, journal.stamp(path))
    made.close()
    (output / "results.jsonl.part").write_text(rows + torn)


def test_rows_of_pictures_that_are_done_are_kept(tmp_path, paths):
    write(tmp_path, paths, 2, torn='{"file": "c.jpg", "face": 1}\n{"file": "c.j')
    with open(tmp_path / "resume.jsonl", "a") as file:
        file.write('{"file": "c.jpg", "sta')
    made = Journal(tmp_path, SETTINGS, paths, resume=True)
    assert {name: len(rows) for name, rows in made.kept.items()} == {"a.jpg": 2, "b.jpg": 2}
    made.open()
    made.close()
    lines = (tmp_path / "resume.jsonl").read_text().splitlines()
    assert [json.loads(line).get("file") for line in lines] == [None, "a.jpg", "b.jpg"]


def test_pictures_that_changed_or_are_gone_are_not_kept(tmp_path, paths):
    write(tmp_path, paths, 3)
    os.utime(paths["a.jpg"], (1, 1))
    paths["b.jpg"].write_text("longer")
    assert list(Journal(tmp_path, SETTINGS, paths, resume=True).kept) == ["c.jpg"]
    paths["c.jpg"].unlink()
    assert Journal(tmp_path, SETTINGS, paths, resume=True).kept == {}


def test_complete_tables_are_kept_too(tmp_path, paths):
    write(tmp_path, paths, 3)
    os.rename(tmp_path / "results.jsonl.part", tmp_path / "results.jsonl")
    assert list(Journal(tmp_path, SETTINGS, paths, resume=True).kept) == [*paths]


@pytest.mark.parametrize(
    "name, value, what",
    [
        ("weights", "cd", "other weights"),
        ("cropped", "True", "cropped False, which is True now"),
        ("label", "age", "label None, which is age now"),
    ],
)
def test_other_settings_are_refused(tmp_path, paths, name, value, what):
    write(tmp_path, paths, 1)
    with pytest.raises(UserError) as error:
        Journal(tmp_path, SETTINGS | {name: value}, paths, resume=True)
    assert str(error.value) == (
        f"{tmp_path} was begun with {what}: give the same again, or --overwrite to start anew"
    )
    assert Journal(tmp_path, SETTINGS | {name: value}, paths, resume=False).kept == {}


def test_damaged_journal_keeps_nothing(tmp_path, paths):
    write(tmp_path, paths, 3)
    for damage in ("", "\0\0", "[1]\n", "null\n", '{"file": "a.jpg", "stamp": 3}\n'):
        (tmp_path / "resume.jsonl").write_text(damage)
        assert Journal(tmp_path, SETTINGS, paths, resume=True).kept == {}


def test_results_are_neither_replaced_nor_resumed_unasked(tmp_path, paths):
    journal.refuse_existing(tmp_path, False, False)
    journal.refuse_existing(tmp_path / "none", False, True)
    write(tmp_path, paths, 1)
    with pytest.raises(UserError) as error:
        journal.refuse_existing(tmp_path, False, False)
    assert str(error.value) == (
        f"{tmp_path} holds results.jsonl.part: add --overwrite to replace it, or give another "
        "folder; --resume goes on where it stopped"
    )
    journal.refuse_existing(tmp_path, True, False)
    journal.refuse_existing(tmp_path, False, True)
    (tmp_path / "resume.jsonl").unlink()
    journal.refuse_existing(tmp_path, False, False)  # of a video: there is nothing to resume
    (tmp_path / "results.csv").touch()
    with pytest.raises(UserError) as error:
        journal.refuse_existing(tmp_path, False, True)
    assert str(error.value) == (
        f"{tmp_path} holds results.csv without resume.jsonl, so it cannot be resumed: add "
        "--overwrite instead to replace it, or give another folder"
    )
    with pytest.raises(UserError, match="is a file: give a folder$"):
        journal.refuse_existing(tmp_path / "results.csv", False, True)


def test_settings_are_those_that_estimates_depend_on(tmp_path):
    @dataclasses.dataclass
    class Recipe:
        weight_file: str
        description: str
        age_offset: float

    (tmp_path / "weights").write_text("numbers")
    found = journal.settings(Recipe(tmp_path / "weights", "long", 1.5))
    assert found.keys() == {"version", "weights", "age_offset"}
    assert found["age_offset"] == "1.5" and len(found["weights"]) == 64
