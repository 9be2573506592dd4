import datetime
import os
import re

import cv2
import numpy as np
import pytest
import scipy.io

import create_db
from age_gender.command_line import UserError
from age_gender.data import imdb_wiki
from age_gender.data.database import FaceDatabase

NAMES = ["01/a.jpg", "02/b.jpg", "02/ü.jpg", "03/d.jpg", "03/e.jpg", "03/f.jpg", "03/g.jpg"]


def datenum(year, month, day):
    """MATLAB's number of a day."""
    return datetime.date(year, month, day).toordinal() + 366


def write_tree(folder, db="wiki", **fields):
    """Crops and a meta file with one row that each rule drops, in the types of the real one."""
    columns = {
        "dob": np.array([[datenum(1970, 6, 30), datenum(1970, 7, 1)] + [datenum(1980, 1, 1)] * 5]),
        "photo_taken": np.array([[2000, 2000, 2000, 2000, 1979, 2000, 2000]], np.uint16),
        "gender": np.array([[0.0, 1.0, 1.0, 1.0, 1.0, np.nan, 0.0]]),
        "face_score": np.array([[1.0, 4.0, -np.inf, 3.0, 3.0, 3.0, 3.0]]),
        "second_face_score": np.array([[np.nan, 0.0, np.nan, 1.5, np.nan, np.nan, np.nan]]),
        "name": np.array([[f"person {row}" for row in range(7)]], object),
    } | fields
    paths = np.empty((1, 7), object)
    for row, name in enumerate(NAMES):
        paths[0, row] = name
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture = np.random.default_rng(row).integers(0, 256, (50 + row, 60, 3), dtype=np.uint8)
        (folder / name).write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    scipy.io.savemat(folder / f"{db}.mat", {db: columns | {"full_path": paths}})
    return folder


def test_rows_are_chosen_by_the_originals_rules(tmp_path, capsys):
    folder = write_tree(tmp_path / "wiki_crop")
    output = tmp_path / "wiki.mat"
    create_db.main(["-o", str(output), "-i", str(folder)])
    assert capsys.readouterr().out.splitlines()[:7] == [
        "rows 7",
        "dropped, face score below 1.0 1",
        "dropped, a second face 1",
        "dropped, age not in 0 to 100 1",
        "dropped, no gender 1",
        "kept 3",
        "read 3 pictures",
    ]
    database = FaceDatabase(output)
    assert database.ages.tolist() == [30, 29, 20] and database.genders.tolist() == [0, 1, 0]
    assert database.sources() == ["01/a.jpg", "02/b.jpg", "03/g.jpg"]
    for row, name in enumerate(database.sources()):
        expected = cv2.resize(cv2.imread(str(folder / name)), (32, 32))
        np.testing.assert_array_equal(database.images[row], expected)
    assert (database.db, database.img_size, database.min_score) == ("wiki", 32, 1.0)
    assert (database.crop, database.margin, database.resize) == ("margin", 0.4, "linear")


def test_default_folder_is_the_downloads(tmp_path, monkeypatch):
    write_tree(tmp_path / "data" / "imdb_crop", "imdb")
    monkeypatch.chdir(tmp_path)
    create_db.main(["--db", "imdb", "--output", "data/imdb_db.mat", "--min_score", "3.5"])
    assert FaceDatabase("data/imdb_db.mat").sources() == ["02/b.jpg"]
    assert create_db.get_args(["-o", "a.mat"]).input == create_db.Path("data/wiki_crop")


def test_missing_and_unreadable_pictures_are_named_beside_the_output(tmp_path, capsys):
    folder = write_tree(tmp_path / "wiki_crop")
    (folder / NAMES[0]).unlink()
    (folder / NAMES[1]).write_bytes(b"GIF89a")
    create_db.main(["-o", str(tmp_path / "wiki.mat"), "-i", str(folder)])
    assert f"skipped 2, named in {tmp_path}/wiki_skipped.csv" in capsys.readouterr().out
    assert (tmp_path / "wiki_skipped.csv").read_text().splitlines() == [
        "file,reason",
        "01/a.jpg,No such file or directory",
        "02/b.jpg,it is damaged or not a picture",
    ]
    assert FaceDatabase(tmp_path / "wiki.mat").sources() == ["03/g.jpg"]


def test_ages_are_those_of_pythons_calendar():
    rng = np.random.default_rng(0)
    born = rng.integers(1, datetime.date(2020, 1, 1).toordinal(), 3000)
    taken = rng.integers(1900, 2016, 3000)
    dates = [datetime.date.fromordinal(int(day)) for day in born]
    expected = [year - date.year - (date.month >= 7) for year, date in zip(taken, dates)]
    assert imdb_wiki.ages_of(taken, born).tolist() == expected


def test_years_of_the_meta_file_do_not_wrap_round(tmp_path):
    """They are uint16, in which 2009 - 2055 is 65,490."""
    dob = np.array([[datenum(2055, 1, 1)] * 6 + [datenum(1980, 1, 1)]])
    folder = write_tree(tmp_path, dob=dob, photo_taken=np.full((1, 7), 2009, np.uint16))
    rows = imdb_wiki.read_meta(folder / "wiki.mat", "wiki")
    assert rows.ages.tolist() == [-46] * 6 + [29]


def test_real_meta_file_keeps_38138_rows(shared):
    rows = imdb_wiki.read_meta(shared / "wiki_crop" / "wiki.mat", "wiki")
    kept, dropped = imdb_wiki.select(rows, 1.0)
    assert (len(kept), kept.sum()) == (62328, 38138)
    assert [count for _, count in dropped] == [19335, 4070, 49, 736]


@pytest.mark.parametrize(
    "content, problem",
    [
        (None, None),
        (b"", "it is truncated"),
        (b"<html>", "it is truncated"),
        ("other", "it has no 'wiki'"),
        ("lacks", "its 'wiki' has no 'photo_taken'"),
        ("uneven", "it has 7 names, but 5 of 'gender'"),
    ],
)
def test_wrong_meta_file_is_one_line_and_leaves_nothing(tmp_path, content, problem):
    folder = write_tree(tmp_path / "crop")
    meta = folder / "wiki.mat"
    expected = (
        f"{meta} is not the metadata file of wiki: {problem}: fetch it again with "
        "./download.sh wiki"
    )
    if content is None:
        meta.unlink()
        expected = f"{meta} is not a file: fetch it with ./download.sh wiki"
    elif isinstance(content, bytes):
        meta.write_bytes(content)
    elif content == "other":
        os.replace(write_tree(tmp_path / "crop", "imdb") / "imdb.mat", meta)
    elif content == "lacks":
        scipy.io.savemat(meta, {"wiki": {"dob": np.zeros((1, 3))}})
    else:
        write_tree(tmp_path / "crop", gender=np.zeros((1, 5)))
    with pytest.raises(UserError) as error:
        create_db.main(["-o", str(tmp_path / "out" / "a.mat"), "-i", str(folder)])
    assert str(error.value) == f"--input: {expected}"
    assert os.listdir(tmp_path) == ["crop"]


def test_score_that_leaves_no_row_is_one_line(tmp_path):
    folder = write_tree(tmp_path)
    with pytest.raises(UserError) as error:
        create_db.main(["-o", str(tmp_path / "a.mat"), "-i", str(folder), "--min_score", "9"])
    assert str(error.value) == "--min_score 9.0 leaves no row: give a lower one"


def test_original_flags_and_defaults(command):
    done = command("create_db.py", "--help")
    assert done.returncode == 0
    assert re.search(r"--output( OUTPUT)?, -o OUTPUT", done.stdout)  # without, from Python 3.13 on
    for text in ("--db {wiki,imdb}", "(default: wiki)"):
        assert text in done.stdout
    args = create_db.get_args(["-o", "a.mat"])
    assert (args.db, args.img_size, args.min_score) == ("wiki", 32, 1.0)
    done = command("create_db.py", "-o", "a.mat", "--min_score", "nan")
    assert done.returncode == 2
    assert done.stderr == (
        "create_db.py: error: argument --min_score: must be a number from -1000 to 1000, "
        "received 'nan'\n"
    )
