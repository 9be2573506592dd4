import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.data import appa_real
from age_gender.genders import UNKNOWN
from helpers.pictures import write_appa_real


@pytest.fixture
def release(tmp_path):
    return write_appa_real(tmp_path / "appa-real-release", 3, parts=("train", "valid"))


def test_table_gives_faces_and_both_ages(release):
    names, ages = appa_real.read_table(release, "valid")
    assert names[1] == "valid/000001.jpg_face.jpg" and (release / names[1]).is_file()
    np.testing.assert_allclose(ages["apparent"], [20.2, 21.2, 22.2])
    assert ages["real"].tolist() == [22, 23, 24]


def test_labels_are_whole_years_and_listed_pictures_are_left_out(release, tmp_path):
    listed = tmp_path / "ignore.csv"
    listed.write_text("img_name\n000000.jpg\n000007.jpg,blurred\n")
    ignored = appa_real.read_names(listed)
    pictures = appa_real.read(release, "apparent", ignored)
    assert pictures.names == ["train/000001.jpg_face.jpg", "train/000002.jpg_face.jpg"]
    assert pictures.ages.tolist() == [21, 22] and pictures.genders.tolist() == [UNKNOWN] * 2
    assert appa_real.read(release, "real").ages.tolist() == [22, 23, 24]


def test_missing_or_other_table_is_one_line(release):
    with pytest.raises(UserError, match="gt_avg_test.csv does not exist: give APPA-REAL's folder"):
        appa_real.read_table(release, "test")
    (release / "gt_avg_test.csv").write_text("name,age\nx,1\n")
    with pytest.raises(UserError, match="gt_avg_test.csv is not APPA-REAL's table: its columns"):
        appa_real.read_table(release, "test")
    (release / "gt_avg_test.csv").write_text("file_name,apparent_age_avg,real_age\n")
    with pytest.raises(UserError, match="gt_avg_test.csv names no picture"):
        appa_real.read_table(release, "test")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_unreadable_list_is_one_line(tmp_path, content):
    path = tmp_path / "list.csv"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path} cannot be read as a list"):
        appa_real.read_names(path)
