import contextlib
import os

import h5py
import numpy as np
import pytest

from age_gender import hdf5
from age_gender.command_line import UserError
from age_gender.stored import Unreadable


def problem(path, read):
    with pytest.raises(Unreadable) as error:
        with hdf5.opened(path) as file:
            read(file)
    return str(error.value)


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_texts_and_numbers_are_read(tmp_path, libver):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=(libver, "latest"), userblock_size=512) as file:
        values = {
            "text": "ä\x1b[2J日",
            "bytes": np.bytes_("b"),
            "list": ["a", "ä"],
            "n": 3,
            "x": 0.5,
        }
        file.attrs.update(values | {"none": np.zeros(0), "long": "y" * 50_000})
        file.create_dataset("group/rows", data=np.arange(60).reshape(30, 2), chunks=(4, 2))
    with hdf5.opened(path) as file:
        found = {name: file.attribute(name) for name in (*values, "none", "missing")}
        assert len(file.attribute("long")) == 50_000
        rows = file.array("group/rows").by_rows()
    expected = {"text": r"ä\x1b[2J日", "bytes": "b", "none": [], "missing": None}
    assert found == values | expected
    assert rows[-1].tolist() == [58, 59] and rows[27:].tolist() == [[54, 55], [56, 57], [58, 59]]


@pytest.mark.parametrize("count", [9, 40, 400])
@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
def test_texts_of_many_attributes_are_read(tmp_path, count, libver):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=(libver, "latest"), track_order=True) as file:
        values = {f"name{number}": f"text {number}" for number in range(count)}
        file.attrs.update(values)
        for name in [*values][::3]:
            values[name] = file.attrs[name] = f"new {name}"
    with hdf5.opened(path) as file:
        assert {name: file.attribute(name) for name in values} == values


@pytest.mark.parametrize("mark", [b"FRHP", b"BTHD", b"BTLF", b"FHIB"])
def test_damaged_places_of_many_attributes_are_refused(tmp_path, mark):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs.update({f"name{number}": f"text {number}" for number in range(40)})
    whole = path.read_bytes()
    start = whole.index(mark)
    for place in range(start, start + 150):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with contextlib.suppress(Unreadable), hdf5.opened(path) as file:
            assert file.attribute("name7") == "text 7"


def test_loop_of_free_places_is_not_followed(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a"] = 1.0
    content = bytearray(path.read_bytes())
    heap = content.index(b"HEAP")
    start = int.from_bytes(content[heap + 24 : heap + 32], "little")
    content[heap + 16 : heap + 24] = (16).to_bytes(8, "little")
    content[start + 16 : start + 32] = (16).to_bytes(8, "little") * 2
    path.write_bytes(content)
    with hdf5.opened(path) as file:
        assert file.array("a").read() == 1


@pytest.mark.parametrize("field", [(0, 4, 2**32 - 1), (4, 12, 2**40), (12, 16, 77)])
def test_text_whose_place_is_damaged_is_refused(tmp_path, field):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "hello"
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    reference = (5).to_bytes(4, "little") + heap.to_bytes(8, "little")
    place = content.index(reference)
    first, last, value = field
    content[place + first : place + last] = value.to_bytes(last - first, "little")
    path.write_bytes(content)
    assert problem(path, lambda file: file.attribute("text")) in (
        "it has a text that is damaged or too long",
        "it is truncated",
    )


def test_object_of_no_size_in_a_heap_ends(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "hello"
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 24 : heap + 32] = bytes(8)
    path.write_bytes(content)
    assert problem(path, lambda file: file.attribute("text")) == (
        "it has a text that is damaged or too long"
    )


def test_fifo_and_folder_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, "/dev/zero"):
        with pytest.raises(UserError, match="is not a regular file"), hdf5.opened(path):
            pass


def test_checksum_is_that_of_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    rng = np.random.default_rng(0)
    for shape in ((7,), (300_001,), (5, 3)):
        values = rng.integers(0, 256, shape, np.uint8)
        with h5py.File(path, "w") as file:
            file.create_dataset("a", data=values, chunks=shape, fletcher32=True)
        with hdf5.opened(path) as file:
            np.testing.assert_array_equal(file.array("a").read(), values)
