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
    with pytest.raises(
        UserError, match="gt_avg_test.csv has no column file_name and no apparent_a"
    ):
        appa_real.read_table(release, "test")


def test_labels_that_are_none_are_refused_where_they_are_used(release):
    table = release / "gt_avg_train.csv"
    table.write_text(table.read_text().replace(",24\n", ",nan\n"))
    assert appa_real.read(release, "apparent").ages.tolist() == [20, 21, 22]
    for use in (
        lambda: appa_real.read(release, "real"),
        lambda: appa_real.read_table(release, "train"),
    ):
        with pytest.raises(UserError) as error:
            use()
        assert str(error.value) == (
            f"{table}, row 4: real_age must be a number from 0 to 122, received 'nan'"
        )


def test_repeated_rows_count_once_and_other_ages_in_them_are_refused(release, capsys):
    table = release / "gt_avg_train.csv"
    rows = table.read_text()
    table.write_text(rows + rows.splitlines()[2] + "\n")
    names, ages = appa_real.read_table(release, "train")
    assert len(names) == len(ages["real"]) == 3
    assert capsys.readouterr().err == (
        f"{table}: 1 row left out: the same picture and ages as in another\n"
    )
    table.write_text(rows + "000001.jpg,38,50,4.5,23\n")
    with pytest.raises(UserError) as error:
        appa_real.read_table(release, "train")
    assert str(error.value) == (
        f"{table}, row 5: 000001.jpg has another age in row 3: leave one out"
    )


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..\\x"])
def test_names_that_lead_out_of_the_folder_are_refused(release, name):
    with open(release / "gt_avg_train.csv", "a") as table:
        table.write(f"{name},38,50,4.5,23\n")
    with pytest.raises(UserError, match=r"row 5: '.*' is not the name of a file$"):
        appa_real.read_table(release, "train")


def test_pictures_that_no_row_or_only_the_list_names_are_told(release, capsys):
    (release / "train" / "more.jpg_face.jpg").write_bytes(b"")
    appa_real.read(release, ignored={"000001.jpg", "other.jpg"})
    assert capsys.readouterr().err.splitlines() == [
        "left out, as gt_avg_train.csv does not name them: 1 (train/more.jpg_face.jpg)",
        "1 picture left out by the list of 2",
    ]


@pytest.mark.parametrize(
    "content, why", [(None, "does not exist"), (b"\xff\xfe\x00", "is damaged")]
)
def test_unreadable_list_is_one_line(tmp_path, content, why):
    path = tmp_path / "list.csv"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path} {why}"):
        appa_real.read_names(path)
