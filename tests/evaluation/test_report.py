import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from age_gender.estimates import Estimates
from age_gender.evaluation import figures, report
from age_gender.evaluation.assessment import assess


@pytest.fixture(scope="module")
def found():
    ages = np.arange(5, 95)
    genders = np.arange(90) % 2
    years = np.arange(101)
    weight = np.exp(-0.5 * ((years - ages[:, None] - 3) / 4) ** 2)
    probabilities = weight / weight.sum(1, keepdims=True)
    estimates = Estimates(probabilities @ years, genders * 0.8 + 0.1, probabilities)
    return ages, genders, estimates, assess("w.hdf5", ages, genders, ["x"] * 90, estimates, 0.9)


def test_lines_say_each_figure_with_its_interval(found):
    lines = list(report.lines_of(found[3]))
    assert lines[0].startswith("age MAE: 2.9") and "to" in lines[0]
    assert any(line.startswith("age 10 to 19: 10 pictures, age MAE 3.00") for line in lines)
    assert any(line.startswith("race x: 90 pictures") for line in lines)
    assert any(line.startswith("intervals for 90 percent (halves of these") for line in lines)


def test_table_has_a_row_for_each_group(found, tmp_path):
    path = tmp_path / "bands.csv"
    report.write_table(path, found[3].bands)
    with open(path, newline="") as file:
        rows = {row["group"]: row for row in csv.DictReader(file)}
    assert len(rows) == 9 and rows["10 to 19"]["pictures"] == "10"
    assert float(rows["10 to 19"]["age MAE"]) == pytest.approx(3, abs=0.01)
    assert float(rows["10 to 19"]["gender accuracy from"]) == 100


def test_group_without_genders_has_empty_cells(found, tmp_path):
    ages, _, estimates, _ = found
    unknown = np.full(90, 2)
    groups = figures.by_group(ages, unknown, estimates, ["a"] * 90)
    known = figures.by_group(ages, found[1], estimates, ["b"] * 90)
    report.write_table(tmp_path / "t.csv", known + groups)
    assert (tmp_path / "t.csv").read_text().splitlines()[2].endswith(",,,")


def test_sheet_shows_each_face_with_two_lines(found, tmp_path):
    ages, genders, estimates, _ = found
    faces = [np.full((32, 32, 3), 40 * number, np.uint8) for number in range(5)]
    some = slice(0, 5)
    report.sheet(tmp_path / "sheet.png", faces, ages[some], genders[some], estimates.of(some))
    image = cv2.imread(str(tmp_path / "sheet.png"))
    assert image.shape == (128 + 40, 8 * 128, 3)
    assert image[64, 128 + 64].tolist() == [40] * 3
    assert image[128:, :128].min() < 100 and (image[:, 5 * 128 :] == 255).all()


def test_diagrams_are_drawn(found, tmp_path):
    ages, _, estimates, assessed = found
    report.draw_predicted(tmp_path / "a.png", ages, estimates)
    report.draw_bands(tmp_path / "b.png", assessed.bands)
    report.draw_reliability(
        tmp_path / "c.png", assessed.gender_reliability, assessed.age_reliability
    )
    for name in "abc":
        assert cv2.imread(str(tmp_path / f"{name}.png")).std() > 5


def test_each_of_several_weights_has_a_folder_of_its_own(tmp_path):
    paths = [Path("a", "best.hdf5"), Path("b", "best.hdf5"), Path("other.hdf5")]
    names = [path.name for path in report.folders(tmp_path, paths)]
    assert names == ["best", "best_2", "other"]
    assert report.folders(tmp_path, paths[:1]) == [tmp_path]
