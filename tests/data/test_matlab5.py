import os

import numpy as np
import pytest
import scipy.io

from age_gender.data import matlab5


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (11, 6, 5, 3), dtype=np.uint8)


def save(path, pictures, **options):
    scipy.io.savemat(
        path, {"age": np.arange(len(pictures)), "image": pictures, "db": "wiki"}, **options
    )
    return path


def test_pictures_are_the_ones_that_were_saved(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(matlab5, "BLOCK", 4)
    found = matlab5.images(save(tmp_path / "a.mat", pictures))
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, pictures)
    assert os.listdir(tmp_path) == ["a.mat"]


def test_pictures_of_the_original_are_those_that_scipy_reads(shared):
    path = shared / "original/utkface_32_original.mat"
    np.testing.assert_array_equal(matlab5.images(path), scipy.io.loadmat(path)["image"])


def test_compressed_file_is_read_too(tmp_path, pictures):
    found = matlab5.images(save(tmp_path / "a.mat", pictures, do_compression=True))
    np.testing.assert_array_equal(found, pictures)


def test_truncated_file_is_refused(tmp_path, pictures):
    path = save(tmp_path / "a.mat", pictures)
    os.truncate(path, 900)
    with pytest.raises(ValueError, match="it is truncated"):
        matlab5.images(path)


def test_file_without_pictures_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"age": np.arange(3)})
    with pytest.raises(KeyError, match="image"):
        matlab5.images(tmp_path / "a.mat")
