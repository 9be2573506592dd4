import csv

import cv2
import numpy as np
import pytest

from age_gender.data import report
from age_gender.data.builder import Built
from age_gender.data.dataset import Pictures
from age_gender.genders import UNKNOWN


@pytest.fixture
def made(tmp_path):
    """Five pictures, of which one was skipped, two are identical and a third is like them."""
    names = ["a.jpg", "b/ä.jpg", "c.jpg", "d.jpg", "e.jpg"]
    pictures = Pictures(tmp_path, names, np.array([100, 9, 9, 10, 9]), np.array([0, 1, 1, 0, 1]))
    differ = np.array([False, True, True, True])
    built = Built(
        rows=np.array([0, 1, 3, 4]),
        digests=np.arange(128, dtype=np.uint8).reshape(4, 32),
        identical=np.array([0, 1, 2, 1]),
        groups=np.array([0, 1, 1, 1]),
        conflicting=differ,
        written=~differ,
        skipped={2: "it is empty"},
    )
    return tmp_path / "faces.mat", pictures, built


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_tables_name_the_skipped_and_the_duplicates(made):
    output, pictures, built = made
    report.write_tables(output, pictures, built)
    assert rows(output.with_name("faces_skipped.csv")) == [
        ["file", "reason"],
        ["c.jpg", "it is empty"],
    ]
    duplicates = rows(output.with_name("faces_duplicates.csv"))
    assert duplicates[0] == ["group", "file", "age", "gender", "labels", "written", "sha256"]
    assert [row[:6] for row in duplicates[1:]] == [
        ["1", "b/ä.jpg", "9", "M", "differ", "no"],
        ["1", "d.jpg", "10", "F", "differ", "no"],
        ["1", "e.jpg", "9", "M", "differ", "no"],
    ]
    assert duplicates[1][6] == bytes(range(32, 64)).hex()


def test_unknown_gender_has_a_letter_too(made):
    output, pictures, built = made
    pictures.genders[:] = UNKNOWN
    report.write_tables(output, pictures, built)
    listed = rows(output.with_name("faces_duplicates.csv"))[1:]
    assert [row[3] for row in listed] == ["?", "?", "?"]


def test_tables_of_an_earlier_run_go_where_there_is_nothing_to_name(made):
    output, pictures, built = made
    report.write_tables(output, pictures, built)
    built.skipped.clear()
    built.groups[:] = range(4)
    report.write_tables(output, pictures, built)
    assert list(output.parent.iterdir()) == []


def test_report_counts_what_became_of_the_pictures(made, capsys):
    output, pictures, built = made
    built.written[3] = True
    report.report(output, pictures, built)
    folder = output.parent
    assert capsys.readouterr().out.splitlines() == [
        "read 5 pictures",
        f"skipped 1, named in {folder}/faces_skipped.csv",
        "groups of byte-identical pictures 1, with different labels 0",
        "groups of alike pictures 1, with different labels 1",
        "left out for different labels 2",
        "written 2",
        "age        female    male",
        "0 to 9          0       1",
        *[f"{decade} to {decade + 9:<3}       0       0" for decade in range(10, 100, 10)],
        "100             1       0",
        f"duplicates are named in {folder}/faces_duplicates.csv",
        f"database {folder}/faces.mat",
    ]


def test_plot_is_a_picture_of_the_ages(made, capsys):
    output, pictures, built = made
    built.written[:] = True
    report.report(output, pictures, built, with_plot=True)
    path = output.with_name("faces.png")
    assert f"ages and genders are drawn in {path}" in capsys.readouterr().out
    picture = cv2.imread(str(path))
    assert picture.shape == (600, 960, 3) and picture.std() > 10
