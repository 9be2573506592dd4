import types

import numpy as np
import pytest

from age_gender import weights
from age_gender.command_line import UserError
from age_gender.estimates import Estimates
from age_gender.evaluation import pictures
from helpers.pictures import write_chips, write_database
from wide_resnet import WideResNet


def description(**fields):
    return weights.Description(WideResNet(32, 10, 1), **fields)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("database")
    return write_database(folder / "utk.mat", write_chips(folder / "UTKFace", 40))


def test_every_other_cut_is_warned_of_once(database, tmp_path, capsys):
    margin = description()
    several = [description(crop="aligned", margin=None), margin, margin]
    assert len(pictures.open_pictures(database, several, tmp_path, "apparent")) == 40
    assert capsys.readouterr().err == (
        f"warning: the faces of {database} are cut differently (aligned, linear) from those that "
        "the weights were trained on (margin 0.4, linear)\n"
    )


def test_weights_of_several_sizes_are_refused():
    other = weights.Description(WideResNet(64, 10, 1))
    pictures.check_sizes(["a", "b"], [other, other])
    with pytest.raises(UserError) as error:
        pictures.check_sizes(["a", "b"], [description(), other])
    assert str(error.value) == ("b takes faces of 64 px, not 32: compare weight files of one size")


def test_part_is_the_validation_of_the_same_data_set(database, tmp_path, capsys):
    made_of = {"crop": "aligned", "margin": None}
    faces = pictures.open_pictures(database, [description(**made_of)], tmp_path, "apparent")
    split = {"split_seed": 0, "validation_split": 0.3, "test_split": 0.2}
    for data, fields, part in (
        ("IMDB-WIKI (wiki)", split, "all"),
        ("IMDB-WIKI (wiki), UTKFace", split, "validation"),
        ("UTKFace", {}, "all"),
    ):
        chosen = pictures.select(faces, "auto", description(data=data, **fields))
        assert chosen.part == part and len(chosen.races) == len(chosen)
    assert capsys.readouterr().err == (
        "warning: the weights may have been trained on some of these pictures\n"
    )
    parts = [pictures.select(faces, part, description(**split)) for part in pictures.PARTS]
    assert sorted(np.concatenate([part.rows for part in parts])) == list(range(40))
    some = parts[0].faces(np.array([1, 0]))
    np.testing.assert_array_equal(some[0], faces.images[parts[0].rows[1]])
    with pytest.raises(UserError, match="^the weights do not record their split$"):
        pictures.select(faces, "test", description())


def test_estimates_of_many_batches_are_in_order(monkeypatch):
    monkeypatch.setattr(pictures, "BATCH_SIZE", 4)
    images = np.arange(10)[:, None] + np.zeros((1, 3))

    def estimator(faces):
        assert len(faces) <= 4
        return Estimates(faces[:, 0], faces[:, 1] / 10, np.tile(faces[:, :1], 101))

    rows = np.array([7, 1, 2, 3, 9])
    found = pictures.estimate(estimator, types.SimpleNamespace(images=images), rows)
    assert found.ages.tolist() == rows.tolist() and found.age_probabilities.shape == (5, 101)
