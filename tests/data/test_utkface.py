import os

import pytest

from age_gender.command_line import UserError
from age_gender.data import utkface
from age_gender.data.utkface import labels_of
from age_gender.genders import FEMALE, MALE


@pytest.mark.parametrize(
    "name, age, gender",
    [
        ("26_0_3_20170119181108337.jpg.chip.jpg", 26, 1),
        ("26_1_3_20170119181108337.jpg.chip.jpg", 26, 0),
        ("39_1_20170116174525125.jpg.chip.jpg", 39, 0),
        ("116_1_0_20170112213500903.jpg.chip.jpg", 100, 0),
        ("122_0_0_1.jpg", 100, 1),
        ("0_0_0_1.jpg", 0, 1),
        ("24_0_1_20170116220224657 .jpg.chip.jpg", 24, 1),
        ("55_0_0_20170116232725357jpg.chip.jpg", 55, 1),
    ],
)
def test_labels_are_read_off_the_name(name, age, gender):
    assert labels_of(name) == (age, gender)


@pytest.mark.parametrize(
    "name, problem",
    [
        ("face.jpg", "its name does not start with an age"),
        ("_0_1.jpg", "its name does not start with an age"),
        ("-3_0_1.jpg", "its name does not start with an age"),
        ("123_0_1.jpg", "its name starts with 123, which is no age"),
        ("20170119_0_1.jpg", "its name starts with 20170119, which is no age"),
        ("nan_0_1.jpg", "its name does not start with an age"),
        ("٣٣_0_1.jpg", "its name does not start with an age"),
        ("26_3_1.jpg", "its name has no gender 0 (male) or 1 (female) in second place"),
        ("26__1.jpg", "its name has no gender 0 (male) or 1 (female) in second place"),
    ],
)
def test_name_without_labels_is_refused(name, problem):
    with pytest.raises(ValueError) as error:
        labels_of(name)
    assert str(error.value) == problem


def test_malformed_names_of_utkface_are_kept(shared):
    """Five names of the real data break its own pattern; age and gender are readable."""
    import tarfile

    odd = []
    for tar in ("utkface_1.tar", "utkface_2.tar"):
        with tarfile.open(shared / tar) as names:
            odd += [os.path.basename(name) for name in names.getnames() if name.endswith(".jpg")]
    assert len(odd) == 21360
    odd = [name for name in odd if not utkface.PATTERN.match(name)]
    assert len(odd) == 5
    assert all(0 <= labels_of(name)[0] <= 100 for name in odd)


@pytest.fixture
def folder(tmp_path):
    """Pictures with several suffixes, other files, and a link to a folder."""
    for name in ("1_0_0_1.JPG", "2_1_0_2.jpeg", "3_0_0_3.png", "a/4_1_0_4", "a/face.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for name in ("a/readme.txt", "a/.DS_Store"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    return tmp_path


def test_everything_in_a_folder_is_read_or_named(folder, capsys):
    pictures = utkface.read(folder)
    assert pictures.names == [
        "1_0_0_1.JPG",
        "2_1_0_2.jpeg",
        "3_0_0_3.png",
        "a/4_1_0_4",
        "a/face.jpg",
    ]
    assert pictures.ages.tolist() == [1, 2, 3, 4, 0]
    assert pictures.genders[:4].tolist() == [MALE, FEMALE, MALE, FEMALE]
    assert pictures.refused == {4: "its name does not start with an age"}
    assert capsys.readouterr().err.splitlines() == [
        "left out, neither *.jpg nor named like UTKFace's pictures: 3 (a/.DS_Store, a/readme.txt, "
        "link)",
        "malformed names: 4 (2_1_0_2.jpeg, 3_0_0_3.png, a/4_1_0_4, ...); those that start with age "
        "and gender are used",
    ]


def test_folder_that_may_not_be_opened_is_named(folder, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if os.path.basename(path) == "a":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert utkface.find_pictures(folder)[1] == ["a", "link"]


def test_folder_without_pictures_is_one_line(tmp_path):
    (tmp_path / "readme.txt").write_bytes(b"")
    with pytest.raises(UserError, match="holds no .*jpg file: give the folder of the pictures$"):
        utkface.read(tmp_path)
    with pytest.raises(UserError, match="readme.txt is not a folder: give the folder of the pict"):
        utkface.read(tmp_path / "readme.txt")


def test_races_are_read_where_a_name_has_one():
    names = ("26_0_3_2017.jpg", "26_0_9_2017.jpg", "26_0_2017.jpg", "face.jpg")
    assert [utkface.race_of(name) for name in names] == ["Indian", "", "", ""]
