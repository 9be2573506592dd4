import dataclasses
import hashlib
import math
import shutil
import sys

import h5py
import numpy as np
import pytest

from age_gender import published, weights
from age_gender.command_line import UserError
from wide_resnet import WideResNet

NAME = "weights.29-3.76_utk.hdf5"


@pytest.mark.parametrize("kind", ["weights_only", "full_model"])
def test_original_file_gives_the_original_numbers(shared, kind):
    description, arrays = weights.read(shared / f"original/original_10_1_32_{kind}.hdf5")
    assert description.network == WideResNet(32, 10, 1)
    assert (description.crop, description.margin) == ("margin", 0.4)
    model = WideResNet(32, 10, 1)()
    model.set_weights(arrays)
    expected = np.load(shared / "original/original_10_1_32_expected.npz")
    gender, age = model.predict(expected["images"].astype(np.float32), verbose=0)
    assert abs(gender - expected["gender"]).max() < 1e-5
    assert abs(age - expected["age"]).max() < 1e-5


def test_written_file_comes_back_with_its_description(tmp_path, tiny_weights):
    _, model = tiny_weights
    said = weights.Description(
        WideResNet(32, 10, 1),
        margin=0.2,
        data="faces",
        split_seed=7,
        validation_split=0.1,
        test_split=0.0,
        val_loss=3.5,
        training="train.py --input ä日.mat",
    )
    weights.write(tmp_path / "w.hdf5", model, said)
    description, arrays = weights.read(tmp_path / "w.hdf5")
    assert description == said
    for written, held in zip(arrays, model.get_weights()):
        np.testing.assert_array_equal(written, held)
    assert [path.name for path in tmp_path.iterdir()] == ["w.hdf5"]


@pytest.mark.parametrize("loss", [-1.0, 3141407342592.0, float(np.finfo(np.float32).max)])
def test_weights_of_a_loss_of_any_size_are_read(tmp_path, tiny_weights, loss):
    said = weights.Description(WideResNet(32, 10, 1), val_loss=loss)
    weights.write(tmp_path / "w.hdf5", tiny_weights[1], said)
    assert weights.read(tmp_path / "w.hdf5")[0].val_loss == loss


@pytest.mark.parametrize("network", [(64, 10, 1, 2, "local"), (48, 10, 2, 2, "global")])
def test_other_stem_and_pool_come_back_and_predict_the_same(tmp_path, network):
    from age_gender.estimator import Estimator

    size = network[0]
    model = WideResNet(*network)()
    said = weights.Description(WideResNet(*network))
    weights.write(tmp_path / "w.hdf5", model, said)
    assert weights.read(tmp_path / "w.hdf5")[0] == said
    faces = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    expected = model(faces.astype(np.float32))[1]
    estimates = Estimator(tmp_path / "w.hdf5")(faces)
    np.testing.assert_allclose(estimates.age_probabilities, expected, atol=1e-5)


def test_keras_2_reads_what_is_written(tmp_path, tiny_weights, monkeypatch):
    path, model = tiny_weights
    tf_keras = pytest.importorskip("tf_keras")
    faces = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    expected = model.predict(faces, verbose=0)
    monkeypatch.setitem(sys.modules, "keras", tf_keras)
    original = WideResNet(32, 10, 1)()
    original.load_weights(str(path))
    for ours, theirs in zip(expected, original.predict(faces, verbose=0)):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_halved_copy_keeps_description_and_numbers(tmp_path, tiny_weights, capsys):
    path, _ = tiny_weights
    assert weights.main([str(path), "--half", str(tmp_path / "half.hdf5")]) is None
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "holds a WideResNet 10-1 for 32 px faces, 499,568 numbers"
    assert "crop: aligned" in printed
    (description, arrays), (halved, small) = (
        weights.read(path),
        weights.read(tmp_path / "half.hdf5"),
    )
    assert description == halved
    assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(arrays, small))
    with pytest.raises(UserError, match="--half: .*half.hdf5 exists: give another name"):
        weights.main([str(path), "--half", str(tmp_path / "half.hdf5")])


def test_copy_whose_estimates_are_means_over_the_mirrored_face(tmp_path, tiny_weights):
    from age_gender.estimator import Estimator

    copy = tmp_path / "mirrored.hdf5"
    weights.main([str(tiny_weights[0]), "--half", str(copy), "--mirrored"])
    assert weights.read(copy)[0].mirrored == 1
    faces = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    means = Estimator(copy)(faces)
    single = Estimator(tiny_weights[0])(np.concatenate([faces, faces[:, :, ::-1]]))
    expected = single.age_probabilities.reshape(2, 2, 101).mean(0)
    np.testing.assert_allclose(means.age_probabilities, expected, atol=2e-3)
    np.testing.assert_allclose(means.males, single.males.reshape(2, 2).mean(0), atol=2e-3)
    with pytest.raises(SystemExit, match="2"):
        weights.main([str(copy), "--mirrored"])


def test_model_starts_from_what_fits(tiny_weights):
    path, model = tiny_weights
    description, arrays = weights.read(path)
    other = WideResNet(48, 10, 1)
    started = other()
    said = weights.load_into(started, description, arrays, other)
    assert said.endswith("; the heads (gender, age) do not fit and start from random numbers")
    for ours, theirs in zip(started.get_weights()[:-2], arrays):
        np.testing.assert_array_equal(ours, theirs)
    swapped = dataclasses.replace(description, gender_order="male,female")
    same = WideResNet(32, 10, 1)
    started = same()
    assert weights.load_into(started, swapped, arrays, same) == (
        "starting from a WideResNet 10-1 for 32 px faces"
    )
    np.testing.assert_array_equal(started.get_weights()[-2], arrays[-2][:, ::-1])
    with pytest.raises(UserError, match="of a WideResNet 10-1 .* not fit a WideResNet 10-2"):
        weights.load_into(WideResNet(32, 10, 2)(), description, arrays, WideResNet(32, 10, 2))


def _bad_files(good):
    """(content, problem) of files that are no weights, by name."""
    whole = good.read_bytes()
    return {
        "page": (
            b"<!DOCTYPE html><html>Not Found</html>",
            "it is a web page saved under this name",
        ),
        "empty": (b"", "it is empty"),
        "cut": (whole[: len(whole) // 2], "it is truncated"),
        "text": (b"hello", "it is not an HDF5 file"),
    }


@pytest.mark.parametrize("kind", ["page", "empty", "cut", "text"])
def test_file_that_is_no_weights_is_one_line(tmp_path, tiny_weights, kind):
    path = tmp_path / "bad.hdf5"
    content, problem = _bad_files(tiny_weights[0])[kind]
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        weights.read(path)
    assert str(error.value) == (
        f"{path} is not a weight file: {problem}: download or copy it again"
    )


def test_file_of_another_kind_is_one_line(tmp_path, tiny_weights):
    path = tmp_path / "other.hdf5"
    with h5py.File(path, "w") as file:
        file["numbers"] = [1, 2]
    with pytest.raises(UserError) as error:
        weights.read(path)
    assert str(error.value) == (
        f"{path} is an HDF5 file without Keras 2 weights in it: give a file that train.py or the "
        "original program wrote"
    )
    shutil.copy(tiny_weights[0], path)
    with h5py.File(path, "r+") as file:
        del file["conv2d"].attrs["weight_names"]
    with pytest.raises(UserError) as error:
        weights.read(path)
    assert str(error.value) == f"{path} holds 38 arrays that are not a whole WideResNet's"


def changed(tmp_path, tiny_weights, change):
    """A copy of the tiny weights in which a function of the h5py file has changed something."""
    path = tmp_path / "bad.hdf5"
    shutil.copy(tiny_weights[0], path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def refused(path):
    with pytest.raises(UserError) as error:
        weights.read(path)
    message = str(error.value)
    assert message.startswith(str(path)) and message.isprintable()
    return message.removeprefix(f"{path} ")


KERNEL = "conv2d/conv2d/kernel:0"


def with_kernel(**options):
    """A change: the first kernel is another data set."""

    def change(file):
        del file[KERNEL]
        file.create_dataset(KERNEL, **options)

    return change


def names_of_weights(names):
    return lambda file: file["conv2d"].attrs.__setitem__("weight_names", names)


@pytest.mark.parametrize(
    "change, problem",
    [
        (
            with_kernel(data="import os", dtype=h5py.string_dtype()),
            f"its '{KERNEL}' holds something other than numbers",
        ),
        (
            with_kernel(data=np.zeros((3, 3, 3, 16), int)),
            f"its '{KERNEL}' holds something other than weights",
        ),
        (with_kernel(shape=(3, 3, 3, 16), dtype="f4"), f"its '{KERNEL}' is incomplete"),
        (
            with_kernel(shape=(2**16, 2**16, 3, 16), dtype="f4", chunks=(2**10, 2**10, 3, 16)),
            f"its '{KERNEL}' has chunks that are too large",
        ),
        (
            with_kernel(shape=(3, 3, 3, 16), dtype="f4", external=[("/etc/passwd", 0, 1728)]),
            f"its '{KERNEL}' is stored in other files",
        ),
        (
            names_of_weights(np.array([b"conv2d/kernel:0"] * 2)),
            "its names of layers or weights are not a list of different names",
        ),
        (names_of_weights(5), "its names of layers or weights are not a list of different names"),
        (
            lambda file: file.attrs.__setitem__("layer_names", "conv2d"),
            "its names of layers or weights are not a list of different names",
        ),
        (
            lambda file: [file.attrs.__setitem__(f"a{n}", n) for n in range(1001)],
            "it has more than 1000 attributes in one place",
        ),
    ],
)
def test_what_is_no_weights_is_refused_before_it_is_read(tmp_path, tiny_weights, change, problem):
    assert refused(changed(tmp_path, tiny_weights, change)) == (
        f"is not a weight file: {problem}: download or copy it again"
    )


@pytest.mark.parametrize("shape", [(4, 3, 3, 16), (3, 3, 3, 2**30), (3, 3, 3), ()])
def test_shapes_of_no_network_are_refused(tmp_path, tiny_weights, shape):
    size = math.prod(shape)
    data = {"data": np.zeros(shape, "f4")} if size < 2**20 else {"shape": shape, "dtype": "f4"}
    path = changed(tmp_path, tiny_weights, with_kernel(**data))
    assert refused(path) in (
        "holds 39 arrays that are not a whole WideResNet's",
        f"is not a weight file: its '{KERNEL}' is incomplete: download or copy it again",
    )


@pytest.mark.parametrize(
    "attribute, value, problem",
    [
        ("resize", "cubic", "the resize 'cubic'"),
        ("crop", "round", "the crop 'round'"),
        ("crop", 5, "the crop 5"),
        ("margin", "wide", "the margin 'wide'"),
        ("margin", float("nan"), "the margin nan"),
        ("margin", -1.0, "the margin -1.0"),
        ("data", 7, "the data 7"),
        ("split_seed", 0.5, "the split_seed 0.5"),
        ("split_seed", 3, "a split_seed, but no validation_split"),
        ("fold", "6/5", "the fold '6/5'"),
        ("fold", "five", "the fold 'five'"),
        ("epoch", "first", "the epoch 'first'"),
        ("val_loss", np.inf, "the val_loss inf"),
        ("val_age_mae", "small", "the val_age_mae 'small'"),
        ("val_gender_accuracy", 2.0, "the val_gender_accuracy 2.0"),
        ("interval_factor", "1", "the interval_factor '1'"),
        ("interval_quantiles", "0 x", "the interval_quantiles '0 x'"),
        (
            "interval_quantiles",
            "5 0.1000 0.9000",
            "the interval_quantiles '5 0.1000 0.9000'",
        ),
        ("interval_level", 1.5, "the interval_level 1.5"),
        ("depth", 16, "the depth 16, but holds a WideResNet 10-1 for 32 px faces"),
        ("image_size", "big", "the image_size 'big', but holds a WideResNet 10-1 for 32 px faces"),
        ("crop", "\x1b[31mred", r"the crop '\\x1b[31mred'"),
    ],
)
def test_attribute_of_another_type_or_range_is_one_line(
    tmp_path, tiny_weights, attribute, value, problem
):
    path = changed(tmp_path, tiny_weights, lambda file: file.attrs.__setitem__(attribute, value))
    assert refused(path) == f"has {problem}: it is damaged, or of a newer version of this program"


@pytest.mark.parametrize("value", [[1, 2], np.zeros((2, 2)), h5py.Empty("f4"), True])
def test_attribute_that_is_no_number_or_text_is_one_line(tmp_path, tiny_weights, value):
    path = changed(tmp_path, tiny_weights, lambda file: file.attrs.__setitem__("epoch", value))
    assert refused(path) == (
        "is not a weight file: its attribute 'epoch' is neither a number nor a text: "
        "download or copy it again"
    )


def test_texts_of_older_files_are_read_and_long_ones_cut(tmp_path, tiny_weights):
    older = changed(tmp_path, tiny_weights, lambda f: f.attrs.__setitem__("training", "t\tä" * 99))
    description, _ = weights.read(older)
    assert description.training == r"t\tä" * 99
    long = dataclasses.replace(description, training="x" * 5000)
    weights.write(tmp_path / "new.hdf5", tiny_weights[1], long)
    assert weights.read(tmp_path / "new.hdf5")[0].training == "x" * 4000


def test_file_with_flipped_bytes_is_one_line_or_reads(tmp_path, tiny_weights):
    whole = np.frombuffer(tiny_weights[0].read_bytes(), np.uint8)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        damaged = whole.copy()
        damaged[rng.integers(0, 60_000, 40)] = rng.integers(0, 256, 40)
        path = tmp_path / "bad.hdf5"
        path.write_bytes(damaged.tobytes())
        try:
            weights.read(path)
        except UserError as error:
            assert str(path) in str(error)


def test_numbers_that_are_not_finite_are_refused(tmp_path, tiny_weights):
    path = tmp_path / "nan.hdf5"
    shutil.copy(tiny_weights[0], path)
    with h5py.File(path, "r+") as file:
        file["conv2d/conv2d/kernel:0"][0] = np.nan
    with pytest.raises(UserError, match="holds numbers that are not finite"):
        weights.read(path)


def test_other_network_than_asked_is_one_line(tiny_weights):
    path, _ = tiny_weights
    description, _ = weights.read(path)
    weights.require(description, path, depth=10, width=1)
    with pytest.raises(UserError) as error:
        weights.require(description, path, depth=16, width=8, image_size=64)
    assert str(error.value) == (
        f"{path} holds a WideResNet 10-1 for 32 px faces, but depth 16, width 8, image size 64 "
        "is required: give another file, or leave the requirement out"
    )


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(UserError) as error:
        weights.find(tmp_path / "none.hdf5")
    assert str(error.value) == (
        f"{tmp_path}/none.hdf5 does not exist: give a file, one of the published names "
        "(weights.28-3.73.hdf5, weights.29-3.76_utk.hdf5), or no name for the weights that ship"
    )
    with pytest.raises(UserError, match="is a folder: name a file in it"):
        weights.find(tmp_path)


def test_weights_that_ship_describe_themselves():
    description, _ = weights.read(weights.find())
    assert description.crop == "aligned"
    assert description.gender_order == "female,male"
    assert description.split_seed is not None and description.test_split == 0.1
    assert description.val_age_mae < 6.2 and description.val_gender_accuracy > 0.91


def test_utkface_weights_of_the_original_have_utkfaces_gender_order(tmp_path, tiny_weights):
    plain = tmp_path / NAME
    shutil.copy(tiny_weights[0], plain)
    with h5py.File(plain, "r+") as file:
        for name in [name for name in file.attrs if name not in ("layer_names", "backend")]:
            del file.attrs[name]
    description, _ = weights.read(plain)
    assert description.gender_order == "male,female"
    assert description.data == "UTKFace"


@pytest.fixture
def release(release_page, monkeypatch, tmp_path, tiny_weights):
    """A local release page that serves the tiny weights under every name."""
    release_page.content = tiny_weights[0].read_bytes()
    monkeypatch.setattr(published, "RELEASE", release_page.address)
    monkeypatch.setattr(published, "FOLDER", tmp_path / "pretrained_models")
    return release_page


def test_published_name_is_downloaded_once(release):
    path = weights.find(NAME)
    assert path == published.FOLDER / NAME
    assert path.read_bytes() == release.content
    assert weights.find(NAME) == path
    assert release.ranges == [0]
    assert [file.name for file in published.FOLDER.iterdir()] == [NAME]


def test_wrong_content_is_not_kept(release):
    name = "weights.28-3.73.hdf5"
    with pytest.raises(UserError) as error:
        weights.find(name)
    received = hashlib.md5(release.content).hexdigest()
    assert str(error.value) == (
        f"{name}: the downloaded file is not the published one (MD5 {received}, not "
        "fbe63257a054c1c5466cfd7bf14646d6): run the command again"
    )
    assert list(published.FOLDER.iterdir()) == []


def test_offline_says_where_to_put_the_file(monkeypatch, tmp_path):
    monkeypatch.setattr(published, "RELEASE", "http://127.0.0.1:9/")
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    with pytest.raises(UserError) as error:
        weights.find(NAME)
    assert str(error.value) == (
        f"{NAME}: it could not be downloaded (Connection refused): run the command again "
        f"to resume, or download http://127.0.0.1:9/{NAME} by hand and put it at {tmp_path / NAME}"
    )
