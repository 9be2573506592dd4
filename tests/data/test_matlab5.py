import os
import struct
import zlib

import numpy as np
import pytest
import scipy.io

from age_gender.data import matlab5
from age_gender.stored import Unreadable


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (11, 6, 5, 3), dtype=np.uint8)


def save(path, pictures, **options):
    scipy.io.savemat(
        path, {"age": np.arange(len(pictures)), "image": pictures, "db": "wiki"}, **options
    )
    return path


def rows(path):
    return matlab5.opened(path).array("image").rows()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("bytes_at_a_time", [1, 4 * 90])
def test_arrays_are_the_ones_that_were_saved(
    tmp_path, pictures, monkeypatch, compressed, bytes_at_a_time
):
    monkeypatch.setattr(matlab5, "BLOCK_BYTES", bytes_at_a_time)
    file = matlab5.opened(save(tmp_path / "a.mat", pictures, do_compression=compressed))
    found = file.array("image").rows()
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, pictures)
    kept = file.array("image").rows(pictures.nbytes)
    assert not isinstance(kept, np.memmap)
    np.testing.assert_array_equal(kept, pictures)
    np.testing.assert_array_equal(file.array("age").read(), [np.arange(11)])
    assert file.array("db").text() == "wiki"
    assert os.listdir(tmp_path) == ["a.mat"]


def test_large_compressed_array_is_unfolded_on_disk(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(matlab5, "PIECE", 100)
    found = rows(save(tmp_path / "a.mat", pictures, do_compression=True))
    np.testing.assert_array_equal(found, pictures)


def test_pictures_of_the_original_are_those_that_scipy_reads(shared):
    path = shared / "original/utkface_32_original.mat"
    np.testing.assert_array_equal(rows(path), scipy.io.loadmat(path)["image"])


@pytest.mark.parametrize("text", ["a", "wiki", "ä日"])
def test_texts_and_structures_are_read(tmp_path, text):
    cells = np.array([text, "b/c.jpg"], object)
    table = {"names": cells, "n": np.float64(3.5), "some": np.array([[1, 2], [3, 4]], np.int8)}
    scipy.io.savemat(tmp_path / "a.mat", {"t": table, "u": text})
    file = matlab5.opened(tmp_path / "a.mat")
    assert file.array("u").text() == text
    fields = file.array("t").fields()
    assert fields["names"].texts() == [text, "b/c.jpg"]
    assert fields["n"].read() == [[3.5]]
    np.testing.assert_array_equal(fields["some"].read(), [[1, 2], [3, 4]])


def test_file_of_the_other_byte_order_is_read(tmp_path):
    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content.ljust(
            -(-len(content) // 8) * 8, b"\0"
        )

    matrix = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 1, 2))
    matrix += element(1, b"numbers") + element(9, struct.pack(">dd", 1.5, -2))
    path = tmp_path / "a.mat"
    path.write_bytes(bytes(124) + b"\x01\x00MI" + element(14, matrix))
    np.testing.assert_array_equal(matlab5.opened(path).array("numbers").read(), [[1.5, -2]])


def problem(path, name="image"):
    with pytest.raises(Unreadable) as error:
        array = matlab5.opened(path).array(name)
        array.rows() if name == "image" else array.read()
    return str(error.value)


@pytest.mark.parametrize("size, said", [(0, "it is truncated"), (900, "it is truncated")])
def test_truncated_file_is_refused(tmp_path, pictures, size, said):
    path = save(tmp_path / "a.mat", pictures)
    os.truncate(path, size)
    assert problem(path) == said


def test_file_without_pictures_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"age": np.arange(3), "image": "none"})
    assert problem(tmp_path / "a.mat") == "its 'image' holds something other than numbers"
    assert problem(tmp_path / "a.mat", "gender") == "it has no 'gender'"
    (tmp_path / "a.mat").write_bytes(b"no database" * 20)
    assert problem(tmp_path / "a.mat") == "it is neither an HDF5 nor a MATLAB 5 file"


def test_other_shapes_than_the_file_has_are_refused(tmp_path, pictures):
    path = save(tmp_path / "a.mat", pictures)
    content = path.read_bytes()
    shape = struct.pack("<4i", *pictures.shape)
    for claimed in ((11, 6, 5, 4), (2**30, 6, 5, 3), (-11, -6, 5, 3)):
        path.write_bytes(content.replace(shape, struct.pack("<4i", *claimed)))
        assert problem(path) == "its 'image' is damaged"


@pytest.mark.parametrize("step", [1, 7])
def test_no_flip_in_a_compressed_file_goes_unnoticed(tmp_path, step):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"age": np.arange(3)}, do_compression=True)
    content = path.read_bytes()
    for place in range(128, len(content), step):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        assert problem(path, "age") in (
            "it is damaged",
            "it is truncated",
            "its 'age' is damaged",
            "it has no 'age'",
        )


@pytest.mark.parametrize("claimed", [2**20, 2**31])
def test_what_unfolds_to_more_than_it_claims_or_all_too_much_is_refused(tmp_path, claimed):
    array = struct.pack("<IIIIII", 6, 8, 9, 0, 5, 8) + struct.pack("<ii", 1, 2**20)
    array += struct.pack("<II3sx", 1 | 3 << 16, 0, b"age")[:4] + b"age\0"
    element = struct.pack("<II", 14, claimed) + array + bytes(2**23)
    packed = zlib.compress(element)
    path = tmp_path / "a.mat"
    path.write_bytes(bytes(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed)
    assert problem(path, "age") == ("it is damaged" if claimed > 2**30 else "its 'age' is damaged")
