import os
import shutil

import cv2
import numpy as np
import pytest
from conftest import write_chips

import create_db_utkface
from command_line import UserError
from create_db_utkface import labels_of
from face_database import FaceDatabase


@pytest.mark.parametrize(
    "name, age, gender",
    [
        ("26_0_3_20170119181108337.jpg.chip.jpg", 26, 1),
        ("26_1_3_20170119181108337.jpg.chip.jpg", 26, 0),
        ("39_1_20170116174525125.jpg.chip.jpg", 39, 0),
        ("116_1_0_20170112213500903.jpg.chip.jpg", 100, 0),
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
        ("26_3_1.jpg", "its name has no gender 0 or 1 in second place"),
        ("26__1.jpg", "its name has no gender 0 or 1 in second place"),
    ],
)
def test_name_without_labels_is_refused(name, problem):
    with pytest.raises(ValueError) as error:
        labels_of(name)
    assert str(error.value) == problem


def test_folder_becomes_a_database(tmp_path, capsys):
    chips = write_chips(tmp_path / "UTKFace", 30)
    names = sorted(os.listdir(chips))
    shutil.copy(chips / names[4], chips / ("50_0_" + names[4].split("_", 2)[2]))
    (chips / "face.jpg").write_bytes(b"")
    (chips / "20_0_0_1.jpg").write_bytes(b"no picture")
    (chips / "readme.txt").write_text("no chip")
    output = tmp_path / "new" / "utk.mat"
    create_db_utkface.main(["-i", str(chips), "-o", str(output), "--img_size", "32"])
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "read 33 pictures",
        "written 31 (0 of them with a malformed name)",
        "skipped 2",
        "byte-identical copies 1",
        f"database {output}",
    ]
    assert "skipped face.jpg: its name does not start with an age" in err.splitlines()
    assert "skipped 20_0_0_1.jpg: it cannot be read as a picture" in err.splitlines()
    database = FaceDatabase(output)
    assert len(database) == 31 and len(set(database.groups)) == 30
    assert (database.db, database.crop, database.img_size) == ("utk", "aligned", 32)
    for row, name in enumerate(database.sources()):
        age, gender = labels_of(name)
        assert (database.ages[row], database.genders[row]) == (age, gender)
        chip = cv2.resize(cv2.imread(str(chips / name)), (32, 32))
        np.testing.assert_array_equal(database.images[row], chip)
    assert database.sources() == sorted(database.sources())


def test_malformed_names_of_utkface_are_kept(shared):
    """Five names of the real data break its own pattern; age and gender are readable."""
    import tarfile

    odd = []
    for tar in ("utkface_1.tar", "utkface_2.tar"):
        with tarfile.open(shared / tar) as names:
            odd += [os.path.basename(name) for name in names.getnames() if name.endswith(".jpg")]
    assert len(odd) == 21360
    odd = [name for name in odd if not create_db_utkface.PATTERN.match(name)]
    assert len(odd) == 5
    assert all(0 <= labels_of(name)[0] <= 100 for name in odd)


def test_existing_output_is_refused_unless_overwritten(tmp_path):
    chips = write_chips(tmp_path / "UTKFace", 3)
    output = tmp_path / "utk.mat"
    output.write_text("precious")
    with pytest.raises(UserError) as error:
        create_db_utkface.main(["-i", str(chips), "-o", str(output)])
    assert str(error.value) == f"--output {output} exists: add --overwrite to replace it"
    assert output.read_text() == "precious"
    create_db_utkface.main(["-i", str(chips), "-o", str(output), "--overwrite"])
    assert len(FaceDatabase(output)) == 3


def test_wrong_folder_is_one_line_and_leaves_nothing(tmp_path):
    output = tmp_path / "utk.mat"
    with pytest.raises(UserError) as error:
        create_db_utkface.main(["-i", str(tmp_path / "none"), "-o", str(output)])
    assert str(error.value) == (
        f"--input {tmp_path}/none is not a folder: give the folder of the chips"
    )
    with pytest.raises(UserError) as error:
        create_db_utkface.main(["-i", str(tmp_path), "-o", str(output)])
    assert str(error.value) == (
        f"--input {tmp_path} holds no *.jpg file: give the folder of the chips"
    )
    (tmp_path / "face.jpg").write_bytes(b"")
    with pytest.raises(UserError) as error:
        create_db_utkface.main(["-i", str(tmp_path), "-o", str(output)])
    assert str(error.value) == f"--input {tmp_path}: none of its 1 pictures can be used"
    assert [path.name for path in tmp_path.iterdir()] == ["face.jpg"]
