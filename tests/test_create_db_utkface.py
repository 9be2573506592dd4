import os
import shutil

import cv2
import numpy as np
import pytest

import create_db_utkface
from age_gender import faces
from age_gender.command_line import UserError
from age_gender.data.database import FaceDatabase
from age_gender.data.utkface import labels_of
from helpers.pictures import write_chips


def test_folders_become_a_database(tmp_path, capsys):
    chips = write_chips(tmp_path / "UTKFace", 30)
    names = sorted(os.listdir(chips))
    (chips / "part2" / "deep").mkdir(parents=True)
    os.replace(chips / names[3], chips / "part2" / "deep" / names[3])
    shutil.copy(chips / names[4], chips / ("50_0_" + names[4].split("_", 2)[2]))
    (chips / "face.jpg").write_bytes(b"")
    (chips / "20_0_0_1.jpg").write_bytes(b"no picture")
    (chips / "readme.txt").write_text("no chip")
    output = tmp_path / "new" / "utk.mat"
    create_db_utkface.main(["-i", str(chips), "-o", str(output), "--img_size", "32"])
    out, err = capsys.readouterr()
    assert out.splitlines()[:3] == [
        "read 33 pictures",
        f"skipped 2, named in {tmp_path}/new/utk_skipped.csv",
        "groups of byte-identical pictures 1, with different labels 1",
    ]
    assert err.splitlines() == [
        "left out, neither *.jpg nor named like UTKFace's pictures: 1 (readme.txt)",
        "malformed names: 1 (face.jpg); those that start with age and gender are used",
    ]
    assert (tmp_path / "new" / "utk_skipped.csv").read_text().splitlines()[1:] == [
        "20_0_0_1.jpg,it is damaged or not a picture",
        "face.jpg,its name does not start with an age",
    ]
    database = FaceDatabase(output)
    assert len(database) == 31 and len(set(database.groups)) <= 30
    assert (database.db, database.crop, database.img_size) == ("utk", "aligned", 32)
    assert f"part2/deep/{names[3]}" in database.sources()
    for row, name in enumerate(database.sources()):
        assert (database.ages[row], database.genders[row]) == labels_of(os.path.basename(name))
        chip = cv2.resize(cv2.imread(str(chips / name)), (32, 32))
        np.testing.assert_array_equal(database.images[row], chip)
    assert database.sources() == sorted(database.sources())


def test_filter_is_kept_and_recorded(tmp_path):
    chips = write_chips(tmp_path / "UTKFace", 2)
    output = tmp_path / "utk.mat"
    create_db_utkface.main(
        ["-i", str(chips), "-o", str(output), "--img_size", "16", "--resize", "area"]
    )
    database = FaceDatabase(output)
    assert database.resize == "area"
    picture = cv2.imread(str(chips / database.sources()[0]))
    chip = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(database.images[0], chip)


@pytest.fixture
def raw(tmp_path, astronaut):
    """Raw pictures in two folders: one face, the same at the edge, two faces, none."""
    folder = tmp_path / "raw"
    for part in ("part1", "part2"):
        (folder / part).mkdir(parents=True)
    for name, picture in (
        ("part1/47_1_0_1.jpg", astronaut),
        ("part1/48_1_0_2.jpg", astronaut[40:, 140:300]),
        ("part2/49_1_0_3.jpg", np.hstack([astronaut, astronaut])),
        ("part2/50_1_0_4.jpg", np.full_like(astronaut, 90)),
    ):
        cv2.imwrite(str(folder / name), picture)
    return folder


def test_raw_pictures_are_aligned_or_cut_with_a_margin(raw, tmp_path, capsys):
    finder = faces.FaceFinder()
    picture = cv2.imread(str(raw / "part1/47_1_0_1.jpg"))
    (face,) = finder.find(picture)
    output = tmp_path / "a.mat"
    for options, expected, margin in (
        (["--align"], finder.aligned(picture, face, 64), None),
        (["--margin", "0.2"], faces.with_margin(picture, face, 0.2, 64), 0.2),
    ):
        create_db_utkface.main(["-i", str(raw), "-o", str(output), "--overwrite", *options])
        database = FaceDatabase(output)
        assert database.sources() == ["part1/47_1_0_1.jpg", "part1/48_1_0_2.jpg"]
        np.testing.assert_array_equal(database.images[0], expected)
        assert database.crop == ("aligned" if margin is None else "margin")
        assert database.margin == margin
        assert (tmp_path / "a_skipped.csv").read_text().splitlines()[1:] == [
            "part2/49_1_0_3.jpg,it shows 2 faces",
            "part2/50_1_0_4.jpg,no face is found",
        ]


def test_margin_beyond_the_picture_repeats_its_border(raw, tmp_path):
    picture = cv2.imread(str(raw / "part1/48_1_0_2.jpg"))
    (face,) = faces.FaceFinder().find(picture)
    create_db_utkface.main(["-i", str(raw), "-o", str(tmp_path / "a.mat"), "--margin", "1"])
    wide = cv2.copyMakeBorder(picture, *[400] * 4, cv2.BORDER_REPLICATE)
    moved = faces.Face(face.left + 400, face.top + 400, face.width, face.height)
    expected = faces.with_margin(wide, moved, 1, 64)
    np.testing.assert_array_equal(FaceDatabase(tmp_path / "a.mat").images[1], expected)
    assert face.left - face.width < 0


def test_raw_pictures_taken_for_chips_are_warned_of(raw, tmp_path, capsys):
    create_db_utkface.main(["-i", str(raw), "-o", str(tmp_path / "a.mat")])
    assert capsys.readouterr().err.splitlines()[-1] == (
        "warning: of 4 pictures that were tried, those look like whole photographs, not like faces "
        "that are cut out: 3 (part1/47_1_0_1.jpg, part1/48_1_0_2.jpg, part2/49_1_0_3.jpg): raw "
        "pictures need --align or --margin"
    )


def test_align_and_margin_exclude_each_other(command):
    done = command("create_db_utkface.py", "-i", ".", "-o", "a.mat", "--align", "--margin", "0.4")
    assert done.returncode == 2
    assert done.stderr == (
        "create_db_utkface.py: error: argument --margin: not allowed with argument --align\n"
    )


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
        f"--input: {tmp_path}/none is not a folder: give the folder of the pictures"
    )
    with pytest.raises(UserError) as error:
        create_db_utkface.main(["-i", str(tmp_path), "-o", str(output)])
    assert str(error.value) == (
        f"--input: {tmp_path} holds no *.jpg file: give the folder of the pictures"
    )
    (tmp_path / "face.jpg").write_bytes(b"")
    with pytest.raises(UserError) as error:
        create_db_utkface.main(["-i", str(tmp_path), "-o", str(output)])
    assert str(error.value) == (
        f"none of the 1 pictures in {tmp_path} can be used; the first is face.jpg: its name does "
        "not start with an age"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["face.jpg"]
