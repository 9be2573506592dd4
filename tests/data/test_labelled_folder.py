import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.data import labelled_folder
from age_gender.data.builder import UnusablePicture
from age_gender.faces import Cut, Face
from age_gender.genders import FEMALE, MALE, UNKNOWN


def table(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_fairfaces_table(tmp_path, capsys):
    path = table(
        tmp_path,
        "file,age,gender,race,service_test\nval/1.jpg,3-9,Male,East Asian,False\n"
        "val/2.jpg,more than 70,Female,Indian,True\nval/3.jpg,0-2,Male,Black,True\n",
    )
    pictures, races = labelled_folder.read(tmp_path, path)
    assert pictures.names == ["val/1.jpg", "val/2.jpg", "val/3.jpg"]
    assert pictures.ages.tolist() == [6, 74, 1]
    assert pictures.genders.tolist() == [MALE, FEMALE, MALE]
    assert races["val/2.jpg"] == "Indian"
    assert "3 of 3 ages are ranges: the middle of each is taken" in capsys.readouterr().err


def test_other_columns_without_genders(tmp_path):
    path = table(tmp_path, "Name;Years\na.jpg;31,6\nb.jpg;104\n")
    pictures, races = labelled_folder.read(tmp_path, path, ["name", "YEARS"])
    assert pictures.ages.tolist() == [32, 100] and races == {"a.jpg": "", "b.jpg": ""}
    assert pictures.genders.tolist() == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("gender", ["", "?", "unknown"])
def test_unknown_gender(tmp_path, gender):
    path = table(tmp_path, f"file,age,gender\na.jpg,3,{gender}\nb.jpg,4,F\n")
    pictures, _ = labelled_folder.read(tmp_path, path)
    assert pictures.genders.tolist() == [UNKNOWN, FEMALE]


@pytest.mark.parametrize(
    "row, message",
    [
        ("a.jpg,old,F", "row 2: age must be a number from 0 to 122 or a range as in 20-29, rec"),
        ("a.jpg,30-20,F", "row 2: age must be a number from 0 to 122 or a range as in 20-29, rec"),
        ("a.jpg,123,F", "row 2: age must be a number from 0 to 122 or a range as in 20-29, rece"),
        ("a.jpg,30,1", "row 2: gender must be F or M, female or male, or empty, received '1'"),
        ("a.jpg,,F", "row 2: it has no age"),
        ("/a.jpg,30,F", "row 2: '/a.jpg' is not in the folder: give names relative to it"),
        ("C:\\a.jpg,30,F", "is not in the folder: give names relative to it"),
        ("b/../../a.jpg,30,F", "row 2: 'b/../../a.jpg' is not in the folder: give names relative"),
        ("a.jpg,30,F\na.jpg,31,F", "row 3: a.jpg has other labels in a row above: leave one out"),
    ],
)
def test_labels_that_are_none(tmp_path, row, message):
    with pytest.raises(UserError) as error:
        labelled_folder.read(tmp_path, table(tmp_path, f"file,age,gender\n{row}\n"))
    assert message in str(error.value)


def test_named_columns_must_be_there(tmp_path):
    path = table(tmp_path, "file,age\na.jpg,3\n")
    with pytest.raises(UserError, match="has no column sex"):
        labelled_folder.read(tmp_path, path, ["file", "age", "sex"])


class Finder:
    def __init__(self, *found):
        self.found = found

    def find(self, image):
        return self.found


def test_largest_face_is_cut():
    image = np.zeros((90, 90, 3), np.uint8)
    image[40:80, 40:80] = 200
    cutter = labelled_folder.LargestFace(Cut("margin", 0.0, 8, "linear"))
    cutter._finder = Finder(Face(0, 0, 20, 20, 1.0), Face(40, 40, 39, 39, 0.5))
    assert (cutter(image) == 200).all()
    cutter._finder = Finder()
    with pytest.raises(UnusablePicture, match="no face is found"):
        cutter(image)
    whole = labelled_folder.LargestFace(Cut("margin", 0.0, 9, "area"), cropped=True)(image)
    assert whole.shape == (9, 9, 3) and whole[0, 0, 0] == 0 and whole[6, 6, 0] == 200
