from pathlib import Path

import numpy as np
import pytest
import scipy.io

from age_gender.command_line import UserError
from age_gender.data import imdb_wiki

COUNT = 5


def meta(path, compressed=False, **changed):
    """A metadata file of COUNT rows, in which some fields are others."""
    names = np.array([f"{row:02}/{row}.jpg" for row in range(COUNT)], object)
    fields = {
        "dob": np.full(COUNT, 730000, np.int32),
        "photo_taken": np.full(COUNT, 2010, np.uint16),
        "full_path": names,
        "gender": np.array([0, 1, np.nan, 1, 0.0]),
        "face_score": np.array([3.5, -np.inf, 1, 2, 3]),
        "second_face_score": np.full(COUNT, np.nan),
    } | changed
    fields = {name: value for name, value in fields.items() if value is not None}
    scipy.io.savemat(path, {"wiki": fields}, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_rows_are_read(tmp_path, compressed):
    rows = imdb_wiki.read_meta(meta(tmp_path / "wiki.mat", compressed), "wiki")
    assert rows.names[:2] == ["00/0.jpg", "01/1.jpg"] and len(rows.names) == COUNT
    assert rows.ages.tolist() == [11] * COUNT
    np.testing.assert_array_equal(rows.genders, [0, 1, np.nan, 1, 0])
    assert rows.scores[1] == -np.inf and np.isnan(rows.second_scores).all()


def test_real_file_is_read(shared):
    rows = imdb_wiki.read_meta(shared / "wiki_crop/wiki.mat", "wiki")
    assert len(rows.names) == 62_328
    kept, _ = imdb_wiki.select(rows, 1.0)
    assert kept.sum() == 38_138


def refused(path):
    with pytest.raises(UserError) as error:
        imdb_wiki.read_meta(path, "wiki")
    return str(error.value)


@pytest.mark.parametrize(
    "changed, problem",
    [
        ({"gender": None}, "its 'wiki' has no 'gender'"),
        ({"gender": np.array([0, 1, -1, 1, 0])}, "its 'gender' is not 0, 1 or unknown everywhere"),
        ({"gender": np.array([0, 1, 0.5, 1, 0])}, "its 'gender' is not 0, 1 or unknown everywhere"),
        ({"gender": np.zeros(4)}, "it has 5 names, but 4 of 'gender'"),
        ({"gender": "fmfmf"}, "its 'gender' holds something other than numbers"),
        ({"full_path": np.array([1, 2], object)}, "its 'full_path' is not a text"),
        ({"dob": np.full(COUNT, 2**62)}, "its 'dob' has days or years that are none"),
        ({"dob": np.full(COUNT, np.nan)}, "its 'dob' has days or years that are none"),
        (
            {"photo_taken": np.full(COUNT, -np.inf)},
            "its 'photo_taken' has days or years that are none",
        ),
        ({"full_path": np.zeros(COUNT)}, "its 'full_path' is of another kind, or damaged"),
        (
            {"full_path": np.array(["../a.jpg"] * COUNT, object)},
            "it names files outside its folder",
        ),
        (
            {"full_path": np.array(["/etc/a.jpg"] * COUNT, object)},
            "it names files outside its folder",
        ),
    ],
)
def test_other_fields_are_one_line(tmp_path, changed, problem):
    path = meta(tmp_path / "wiki.mat", **changed)
    assert refused(path) == (
        f"{path} is not the metadata file of wiki: {problem}: fetch it again with "
        "./download.sh wiki"
    )


@pytest.mark.parametrize("name", ["wiki_cut1.mat", "wiki_gender_neg.mat"])
def test_damaged_file_is_one_line(damaged, name):
    path = damaged / name
    assert refused(path).startswith(f"{path} is not the metadata file of wiki: ")


def test_missing_file_is_one_line():
    assert refused(Path("none.mat")) == "none.mat is not a file: fetch it with ./download.sh wiki"
