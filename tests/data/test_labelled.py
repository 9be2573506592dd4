import dataclasses
import os
import shutil

import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.data import labelled
from age_gender.data.database import FaceDatabase
from age_gender.data.labelled import DATASETS, check_teacher, dataset_of, open_faces, races_of
from age_gender.weights import Description
from helpers.pictures import write_appa_real, write_chips, write_database
from wide_resnet import WideResNet


@pytest.fixture
def chips(tmp_path):
    return write_chips(tmp_path / "UTKFace", 30)


def database_of(chips, size=32):
    return write_database(chips.parent / f"utk_{size}.mat", chips, size)


def test_folder_of_chips_is_as_good_as_its_database(chips, tmp_path, capsys):
    made = open_faces([chips], tmp_path / "out", 32)
    given = open_faces([database_of(chips)], tmp_path / "out")
    assert "making" in capsys.readouterr().err
    assert (made.data, made.terms, made.crop) == (given.data, given.terms, "aligned")
    assert made.ages.tolist() == given.ages.tolist()
    for ours, theirs in zip(made.split(0.2, 0.2, 0), given.split(0.2, 0.2, 0)):
        assert ours.tolist() == theirs.tolist()
    np.testing.assert_array_equal(made.images[7], given.images[7])


def test_database_of_a_folder_is_made_once_and_again_when_it_changed(chips, tmp_path, capsys):
    def said():
        faces = open_faces([chips], tmp_path / "out", 32)
        return len(faces), "making" in capsys.readouterr().err

    assert said() == (30, True)
    assert said() == (30, False)
    os.remove(next(chips.iterdir()))
    assert said() == (29, True)


def test_digest_tells_other_pictures_and_other_labels(chips, tmp_path):
    release = write_appa_real(tmp_path / "appa-real-release", 5)
    both = [chips, release]
    digests = {
        open_faces(paths, tmp_path / "out", 16, label).digest()
        for paths, label in ((both, "real"), (both, "apparent"), ([chips], "real"))
    }
    assert len(digests) == 3
    assert open_faces([chips], tmp_path / "out", 16).digest() in digests


def test_several_inputs_are_one_set_with_each_its_split(chips, tmp_path, capsys):
    release = write_appa_real(tmp_path / "appa-real-release", 12)
    faces = open_faces([database_of(chips), release], tmp_path / "out", age_label="real")
    assert "appa-real-release_32.mat is cut differently (margin 0.4, linear)" in (
        capsys.readouterr().err
    )
    assert len(faces) == 42 and faces.img_size == 32
    assert faces.ages[30:].tolist() == list(range(22, 34))
    assert set(faces.genders[:30]) == {0, 1} and set(faces.genders[30:]) == {2}
    assert faces.data == "UTKFace, APPA-REAL"
    assert faces.terms == "non-commercial research only; research only"
    parts = faces.split(0.2, 0.1, 0)
    assert sorted(np.concatenate(parts)) == list(range(42))
    alone = open_faces([tmp_path / "out" / "appa-real-release_32.mat"], tmp_path)
    assert [row - 30 for row in parts[1] if row >= 30] == alone.split(0.2, 0.1, 0)[1].tolist()
    np.testing.assert_array_equal(faces.images[31], alone.images[1])


def test_listed_pictures_of_appa_real_are_left_out(tmp_path):
    release = write_appa_real(tmp_path / "appa-real-release", 5)
    faces = open_faces([release], tmp_path / "out", 16, ignored={"000003.jpg"})
    assert len(faces) == 4 and faces.ages.tolist() == [20, 21, 22, 24]


def test_alike_pictures_of_unknown_gender_are_named(tmp_path):
    release = write_appa_real(tmp_path / "appa-real-release", 5)
    first, second = (release / "train" / f"00000{number}.jpg_face.jpg" for number in range(2))
    shutil.copy(first, second)
    assert len(open_faces([release], tmp_path / "out", 16)) == 5
    table = (tmp_path / "out" / "appa-real-release_16_duplicates.csv").read_text().splitlines()
    assert [row.split(",")[1:5] for row in table[1:]] == [
        ["train/000000.jpg_face.jpg", "20", "?", "differ"],
        ["train/000001.jpg_face.jpg", "21", "?", "differ"],
    ]


def test_known_data_sets_have_different_names_and_terms():
    names = [(each.db, each.name) for each in DATASETS]
    assert len(set(names)) == len(names) == 4 and all(each.terms for each in DATASETS)
    assert dataset_of("wiki").name == "IMDB-WIKI (wiki)"
    unknown = dataset_of("mine")
    assert (unknown.name, unknown.terms) == ("mine", "unknown")


def test_races_are_read_off_utkfaces_names_alone(chips, tmp_path):
    odd = chips / "39_1_20170116174525125.jpg.chip.jpg"
    shutil.copy(next(chips.iterdir()), odd)
    database = FaceDatabase(database_of(chips))
    races = dict(zip(database.sources(), races_of(database)))
    assert races.pop(odd.name) == "" and set(races.values()) == {"White"}
    release = write_appa_real(tmp_path / "appa-real-release", 5)
    made = labelled.database_of(release, tmp_path / "out", 16)
    assert races_of(made) == [""] * 5


def test_other_sizes_and_no_inputs_are_one_line(chips, tmp_path):
    databases = [database_of(chips), database_of(chips, 16)]
    with pytest.raises(UserError, match="holds faces of 32 px, .* of 16: make them of one size"):
        open_faces(databases, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no .*jpg file"):
        open_faces([tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(UserError, match="none.mat is not a file: make a database with"):
        open_faces([tmp_path / "none.mat"], tmp_path / "out")


def test_folder_beside_a_database_has_its_size(chips, tmp_path):
    release = write_appa_real(tmp_path / "appa-real-release", 5)
    faces = open_faces([release, database_of(chips)], tmp_path / "out", 16)
    assert faces.img_size == 32 and faces.images[0].shape == (32, 32, 3)


def test_databases_are_kept_in_memory_as_far_as_they_fit(chips, tmp_path):
    """A database of 30 faces of 32 px, and the folder that another is made of."""
    path = database_of(chips)
    size = 30 * 32 * 32 * 3
    on_disk = open_faces([path, chips], tmp_path / "out", memory=size - 1)
    half = open_faces([path, chips], tmp_path / "out", memory=2 * size - 1)
    both = open_faces([path, chips], tmp_path / "out", memory=2 * size)
    kept = [
        [isinstance(each.images, np.ndarray) for each in faces._databases]
        for faces in (on_disk, half, both)
    ]
    assert kept == [[False, False], [True, False], [True, True]]
    for row in (0, 29, 30, 59):
        np.testing.assert_array_equal(half.images[row], on_disk.images[row])
    alone = open_faces([path], tmp_path / "out", memory=size)
    np.testing.assert_array_equal(alone.images[[3, 29]], [half.images[3], half.images[29]])


def test_teacher_that_suits_faces_ill_is_named(chips, tmp_path, capsys):
    faces = open_faces([database_of(chips)], tmp_path)
    about = {"crop": "aligned", "margin": None, "data": "UTKFace", "split_seed": 0}
    about |= {"validation_split": 0.2, "test_split": 0.2}
    alike = Description(WideResNet(16, 10, 1), **about)
    _, *kept_aside = alike.split_of(faces)
    kept_aside = np.concatenate(kept_aside)
    check_teacher("t.hdf5", alike, faces, "utk.mat", kept_aside)
    assert capsys.readouterr().err == ""
    other = dataclasses.replace(alike, split_seed=1, resize="area")
    seen = len(set(kept_aside) & set(other.split_of(faces)[0]))
    check_teacher("t.hdf5", other, faces, "utk.mat", kept_aside)
    assert seen > 0 and capsys.readouterr().err.splitlines() == [
        "warning: the faces of utk.mat are cut differently (aligned, linear) from those that the "
        "weights were trained on (aligned, area)",
        f"warning: t.hdf5 was trained on {seen} of the {len(kept_aside)} pictures that are kept "
        "aside here: figures on them will be too good",
    ]
    check_teacher("t.hdf5", dataclasses.replace(other, data="IMDB"), faces, "a", kept_aside)
    assert "kept aside" not in capsys.readouterr().err
    large = dataclasses.replace(alike, network=WideResNet(64, 10, 1))
    with pytest.raises(UserError) as error:
        check_teacher("t.hdf5", large, faces, "utk.mat", kept_aside)
    assert str(error.value) == (
        "t.hdf5 takes faces of 64 px, those of utk.mat have 32: make a database of 64 px"
    )
