import os

import h5py
import numpy as np
import pytest
import scipy.io

from age_gender.command_line import UserError
from age_gender.data import database as face_database
from age_gender.data.database import FaceDatabase, split
from age_gender.files import NO_ROOM


def write(path, count, size=16, step=100, **options):
    settings = {"db": "utk", "min_score": -1, "crop": "aligned"} | options
    with face_database.create(path, size, **settings) as database:
        for start in range(0, count, step):
            rows = np.arange(start, min(start + step, count))
            database.append(
                images_of(rows, size),
                rows % 2,
                rows % 101,
                rows // 2,
                digests_of(rows),
                names(rows),
            )
    return path


def images_of(rows, size):
    return np.broadcast_to((rows % 256)[:, None, None, None], (len(rows), size, size, 3))


def digests_of(rows):
    return np.frombuffer(b"".join(int(row).to_bytes(32, "big") for row in rows), np.uint8).reshape(
        -1, 32
    )


def names(rows):
    return [f"{row} ä日\udcff.jpg" for row in rows]


@pytest.mark.parametrize(
    "count, memory", [(0, 0), (1, 0), (255, 0), (256, 0), (700, 0), (700, 700 * 768), (0, 1)]
)
def test_what_is_written_is_read(tmp_path, count, memory):
    database = FaceDatabase(write(tmp_path / "faces.mat", count), memory)
    assert isinstance(database.images, np.ndarray) == (count > 0 and memory > 0)
    rows = np.arange(count)
    assert database.images.shape == (count, 16, 16, 3)
    np.testing.assert_array_equal(database.genders, rows % 2)
    np.testing.assert_array_equal(database.ages, rows % 101)
    np.testing.assert_array_equal(database.groups, rows // 2)
    assert database.sources() == names(rows)
    assert all((database.images[row] == row % 256).all() for row in rows)
    assert (database.db, database.img_size, database.min_score) == ("utk", 16, -1)
    assert (database.crop, database.margin, database.resize) == ("aligned", None, "linear")


def test_margin_is_kept(tmp_path):
    path = write(tmp_path / "faces.mat", 1, db="imdb", crop="margin", margin=0.4)
    database = FaceDatabase(path)
    assert (database.db, database.crop, database.margin) == ("imdb", "margin", 0.4)


def test_file_is_a_matlab_7_3_file(tmp_path):
    path = write(tmp_path / "faces.mat", 3)
    header = path.read_bytes()[:512]
    assert header.startswith(b"MATLAB 7.3 MAT-file") and header[124:128] == b"\x00\x02IM"
    assert scipy.io.matlab.matfile_version(path) == (2, 0)
    with h5py.File(path) as file:
        assert file["image"].attrs["MATLAB_class"] == b"uint8"
        assert file["db"].attrs["MATLAB_class"] == b"char" and file["db"].dtype == np.uint16
        assert file["age"].shape == file["gender"].shape == (3, 1)


def test_matlab_5_database_of_the_original_is_read_with_the_right_genders(shared):
    database = FaceDatabase(shared / "original/utkface_32_original.mat")
    raw = scipy.io.loadmat(shared / "original/utkface_32_original.mat")
    assert len(database) == 320 and database.images.shape == (320, 32, 32, 3)
    np.testing.assert_array_equal(database.genders, 1 - raw["gender"][0])
    np.testing.assert_array_equal(database.ages, raw["age"][0])
    assert (database.db, database.crop) == ("utk", "aligned")


def test_matlab_5_database_of_imdb_keeps_its_genders(tmp_path):
    path = tmp_path / "imdb.mat"
    labels = {"gender": np.array([[0, 1, 1]]), "age": np.array([[5, 50, 100]])}
    scipy.io.savemat(
        path,
        {"image": np.zeros((3, 8, 8, 3), np.uint8), "db": "imdb", "img_size": 8, "min_score": 1.0}
        | labels,
    )
    database = FaceDatabase(path)
    assert database.genders.tolist() == [0, 1, 1] and database.ages.tolist() == [5, 50, 100]
    assert (database.crop, database.margin) == ("margin", 0.4)
    with pytest.raises(UserError, match="does not record the names of its pictures"):
        database.sources()


def test_room_is_reserved_and_what_is_not_needed_given_back(tmp_path):
    exact = write(tmp_path / "exact.mat", 300).stat().st_size
    reserved = write(tmp_path / "reserved.mat", 300, expected=5000)
    assert abs(reserved.stat().st_size - exact) < 100
    assert len(FaceDatabase(reserved)) == 300


def test_disk_without_room_is_refused_at_once_and_leaves_no_file(tmp_path):
    with pytest.raises(OSError) as error:
        write(tmp_path / "faces.mat", 1, expected=10**12)
    assert error.value.errno in NO_ROOM
    assert list(tmp_path.iterdir()) == []


def test_error_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError):
        with face_database.create(tmp_path / "faces.mat", 8, "utk", -1, "aligned"):
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


MAKE = "make it with create_db.py or create_db_utkface.py"


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", "it is truncated"),
        (b"no database" * 20, "it is neither an HDF5 nor a MATLAB 5 file"),
        (b"<html>" * 100, "it is neither an HDF5 nor a MATLAB 5 file"),
        (b"\x89HDF\r\n\x1a\n", "it is damaged"),
    ],
)
def test_other_file_is_one_line(tmp_path, content, problem):
    path = tmp_path / "faces.mat"
    path.write_bytes(content)
    assert refused(path) == f"{path} is not a complete face database: {problem}: {MAKE}"


def refused(path, memory=0):
    with pytest.raises(UserError) as error:
        FaceDatabase(path, memory)
    return str(error.value)


@pytest.mark.parametrize("original", [True, False])
def test_truncated_file_is_one_line(tmp_path, original):
    path = tmp_path / "faces.mat"
    write_original(path) if original else write(path, 500)
    os.truncate(path, path.stat().st_size * 2 // 3)
    said = refused(path)
    assert said == f"{path} is not a complete face database: it is truncated: {MAKE}"


def write_original(path, count=200, **changed):
    rows = np.arange(count)
    fields = {
        "gender": rows[None] % 2,
        "age": rows[None] % 101,
        "image": np.ascontiguousarray(images_of(rows, 16).astype(np.uint8)),
        "db": "imdb",
        "img_size": 16,
        "min_score": 1.0,
    } | changed
    scipy.io.savemat(path, {name: value for name, value in fields.items() if value is not None})
    return path


def write_ours(path, count=200, **changed):
    write(path, count)
    with h5py.File(path, "r+") as file:
        for name, value in changed.items():
            del file[name]
            if value is not None:
                file[name] = np.reshape(value, (-1, 1)) if name != "image" else value
    return path


@pytest.mark.parametrize("make", [write_original, write_ours])
@pytest.mark.parametrize(
    "changed, problem",
    [
        ({"age": None}, "it has no 'age'"),
        ({"gender": None}, "it has no 'gender'"),
        ({"image": None}, "it has no 'image'"),
        ({"img_size": None}, "it has no 'img_size'"),
        ({"age": np.zeros(150)}, "it has 200 images, but 150 of 'age'"),
        ({"age": np.full(200, np.nan)}, "its row 0 has the age nan, not one of 0 to 100"),
        ({"age": np.full(200, 0.5)}, "its row 0 has the age 0.5, not one of 0 to 100"),
        ({"age": np.full(200, 2.0**63)}, "its row 0 has the age 9.22337e+18, not one of 0 to 100"),
        ({"gender": np.full(200, -1)}, "its row 0 has the gender -1, not one of 0 to 2"),
        ({"img_size": np.inf}, "its 'img_size' is not a number from 1 to 4096"),
        ({"min_score": np.nan}, "its 'min_score' is not a number from -inf to inf"),
        ({"age": np.r_[np.zeros(199), 101]}, "its row 199 has the age 101, not one of 0 to 100"),
        ({"gender": np.full(200, 3)}, "its row 0 has the gender 3, not one of 0 to 2"),
        ({"img_size": 17}, "its images are uint8 (200, 16, 16, 3), not uint8 (N, 17, 17, 3)"),
    ],
)
def test_damaged_database_is_one_line(tmp_path, make, changed, problem):
    path = make(tmp_path / "faces.mat", **changed)
    assert refused(path) == f"{path} is not a complete face database: {problem}: {MAKE}"


def damage(path, change):
    """Change something in a database of ours by a function of the h5py file."""
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(name, **options):
    """A change: another data set has the name of one."""

    def change(file):
        del file[name]
        file.create_dataset(name, **options)

    return change


def linked(name, link):
    def change(file):
        del file[name]
        file[name] = link

    return change


def looped(file):
    del file["image"]
    group = file.create_group("image")
    group["image"] = group


def from_other_rows(file):
    """The image as a view of another data set, in this file or in others."""
    layout = h5py.VirtualLayout((200, 16, 16, 3), np.uint8)
    layout[:] = h5py.VirtualSource(file["image"])
    file.move("image", "other")
    file.create_virtual_dataset("image", layout)


SHAPE = {"shape": (200, 16, 16, 3), "dtype": np.uint8}
DIGESTS = {"dtype": np.uint8, "chunks": (100, 32)}


@pytest.mark.parametrize(
    "change, problem",
    [
        (
            replaced("image", **SHAPE, external=[("/etc/passwd", 0, 153_600)]),
            "its 'image' is stored in other files",
        ),
        (from_other_rows, "its 'image' is stored in other files"),
        (
            linked("image", h5py.ExternalLink("/dev/zero", "image")),
            "its 'image' is a link to elsewhere",
        ),
        (linked("image", h5py.SoftLink("/image")), "its 'image' is a link to elsewhere"),
        (looped, "its 'image' is not an array"),
        (replaced("image", **SHAPE), "its 'image' is incomplete"),
        (
            replaced("image", **SHAPE, chunks=(16, 16, 16, 3), fillvalue=7),
            "its 'image' is incomplete",
        ),
        (
            replaced("image", **SHAPE, compression="lzf"),
            "its 'image' went through a filter that is not read here",
        ),
        (
            replaced("image", shape=(2**40, 16, 16, 3), dtype=np.uint8, chunks=(16, 16, 16, 3)),
            "its 'image' is incomplete",
        ),
        (replaced("sha256", shape=(200, 32), **DIGESTS), "its 'sha256' is incomplete"),
        (replaced("sha256", shape=(2**40, 32), **DIGESTS), "its 'sha256' is incomplete"),
        (
            replaced("sha256", data=np.zeros((199, 32), np.uint8)),
            "its 'sha256' is not 32 bytes for each image",
        ),
        (replaced("age", data=h5py.Empty("u1")), "its 'age' is empty"),
        (replaced("age", data=[b"young"] * 200), "its 'age' holds something other than numbers"),
        (
            replaced("age", data=["old"] * 200, dtype=h5py.string_dtype()),
            "its 'age' holds something other than numbers",
        ),
        (
            replaced("age", data=np.zeros(200, [("a", "i4")])),
            "its 'age' holds something other than numbers",
        ),
        (replaced("db", data=np.zeros((5000, 1), np.uint16)), "its 'db' is too large: (5000, 1)"),
        (replaced("crop", data=np.frombuffer(b"r\0d\0", "<u2")[:, None]), "its 'crop' is 'rd'"),
    ],
)
def test_what_the_file_does_not_hold_itself_is_refused(tmp_path, change, problem):
    path = write(tmp_path / "faces.mat", 200)
    damage(path, change)
    assert refused(path) == f"{path} is not a complete face database: {problem}: {MAKE}"


def test_margin_that_is_none_is_one_line(tmp_path):
    path = write(tmp_path / "faces.mat", 1, crop="margin", margin=0.4)
    codes = np.frombuffer("wide".encode("utf-16-le"), "<u2")[:, None]
    damage(path, replaced("margin", data=codes))
    assert refused(path).endswith(f": its 'margin' is 'wide': {MAKE}")


@pytest.mark.parametrize(
    "name, place", [("image", 3), ("image", 100_000), ("age", 4), ("sha256", 9)]
)
def test_flipped_bit_is_noticed_and_named(tmp_path, name, place):
    path = write(tmp_path / "faces.mat", 200)
    with h5py.File(path) as file:
        chunk = min(place // (16 * 768), 12) if name == "image" else 0
        offset = file[name].id.get_chunk_info(chunk).byte_offset + place - chunk * 16 * 768
        data = path.read_bytes()
        if data.find(file[name][16 * chunk : 16 * chunk + 16].tobytes(), offset) != offset:
            offset += file.userblock_size
    path.write_bytes(data[:offset] + bytes([data[offset] ^ 4]) + data[offset + 1 :])
    rows = f" in the rows {16 * chunk} to {16 * chunk + 15}" if name == "image" else ""
    for memory in (0, 2**20):
        assert refused(path, memory).endswith(f": its '{name}' is damaged{rows}: {MAKE}")


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (16, 16, 16, 3)},  # as databases were before they had checksums
        {},
        {"chunks": (16, 16, 16, 3), "compression": "gzip"},
        {"chunks": (64, 8, 16, 1), "compression": "gzip", "shuffle": True, "fletcher32": True},
    ],
)
def test_image_that_is_laid_out_otherwise_is_read(tmp_path, options):
    path = write(tmp_path / "faces.mat", 200)
    damage(path, replaced("image", data=images_of(np.arange(200), 16).astype(np.uint8), **options))
    for memory in (0, 2**20):
        images = FaceDatabase(path, memory).images
        assert all((images[row] == row).all() for row in range(200))
        assert (images[190:] == np.arange(190, 200)[:, None, None, None]).all()


def test_names_that_are_not_one_for_each_row_are_one_line(tmp_path):
    path = write(tmp_path / "faces.mat", 200)
    damage(path, replaced("source", data=np.full((7, 1), 10, np.uint16)))
    with pytest.raises(UserError, match="faces.mat names 7 pictures for its 200 rows"):
        FaceDatabase(path).sources()


@pytest.mark.parametrize(
    "name, problem",
    [
        ("h5_empty_age.mat", "its 'age' is empty"),
        ("h5_flip44.mat", "it is damaged"),
        ("h5_huge_sha256.mat", "its 'sha256' is incomplete"),
        ("h5_loop_image.mat", "its 'image' is a link to elsewhere"),
        ("h5_missing_sha256.mat", "it has no 'sha256'"),
        ("m5c_flip0.mat", "it is damaged"),
    ],
)
def test_damaged_file_is_one_line(damaged, name, problem):
    assert refused(damaged / name) == (
        f"{damaged / name} is not a complete face database: {problem}: {MAKE}"
    )


def test_fifo_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "faces.mat")
    assert "faces.mat is not a file: make a database with" in refused(tmp_path / "faces.mat")


def test_missing_database_is_one_line(tmp_path):
    assert refused(tmp_path / "none.mat") == (
        f"{tmp_path}/none.mat is not a file: make a database with create_db.py or "
        "create_db_utkface.py"
    )


def test_split_has_its_sizes_and_no_overlap():
    digests = [number.to_bytes(32, "big") for number in range(5000)]
    parts = split(digests, np.arange(5000), 0.1, 0.2, seed=3)
    assert sorted(np.concatenate(parts)) == list(range(5000))
    assert [round(len(part) / 5000, 1) for part in parts] == [0.7, 0.1, 0.2]


def test_split_does_not_depend_on_order_or_company():
    digests = [number.to_bytes(32, "big") for number in range(400)]
    _, held, _ = split(digests, np.arange(400), 0.3, 0.1, seed=3)
    backward = digests[::-1][:300]
    _, again, _ = split(backward, np.arange(300), 0.3, 0.1, seed=3)
    assert {backward[row] for row in again} == {digests[row] for row in held} & set(backward)
    _, other, _ = split(digests, np.arange(400), 0.3, 0.1, seed=4)
    assert set(other) != set(held)


def test_copies_stay_on_one_side():
    digests = [number.to_bytes(32, "big") for number in range(400)]
    groups = np.arange(400) // 4
    for part in split(digests, groups, 0.3, 0.3, seed=0):
        assert all(np.isin(np.flatnonzero(groups == groups[row]), part).all() for row in part)


def test_known_digest_has_a_known_place():
    """The split is a promise: these rows must stay where they are."""
    digests = [number.to_bytes(32, "big") for number in range(10)]
    parts = split(digests, np.arange(10), 0.3, 0.3, seed=0)
    assert [part.tolist() for part in parts] == [[0, 1, 4, 5, 7, 8], [2, 6], [3, 9]]
