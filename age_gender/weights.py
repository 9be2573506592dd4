"""Weight files: find or download them, read and write them, and say what is in them.

    python3 -m age_gender.weights pretrained_models/wide_resnet_16_3.hdf5

Files are in Keras 2's HDF5 layout, which the original program reads and writes. Only numbers
and short texts are read from a file, never code, so that a file from a stranger is safe to open.
Files written here carry attributes that describe them (see `Description`).
"""

import collections
import dataclasses
import hashlib
import re
from pathlib import Path

from age_gender import installation
from age_gender.command_line import Parser, UserError, run
from age_gender.download import download
from age_gender.files import atomic_write
from age_gender.genders import ORDER, SWAPPED_ORDER
from wide_resnet import (
    AGE_CLASSES,
    DEPTH,
    GENDER_CLASSES,
    IMAGE_SIZE,
    POOLS,
    WIDTH,
    WideResNet,
)

FOLDER = installation.WEIGHTS
SHIPPED = "wide_resnet_16_3.hdf5"
RELEASE = "https://github.com/yu4u/age-gender-estimation/releases/download/v0.5/"
PUBLISHED = {
    "weights.28-3.73.hdf5": {
        "md5": "fbe63257a054c1c5466cfd7bf14646d6",
        "gender_order": ORDER,
        "data": "IMDB-WIKI (imdb)",
        "terms": "academic research only",
    },
    "weights.29-3.76_utk.hdf5": {
        "md5": None,  # none was published: the size and the arrays are checked instead
        "gender_order": SWAPPED_ORDER,
        "data": "UTKFace",
        "terms": "non-commercial research only",
    },
}
MARGIN = 0.4
KNOWN = {  # what a description may say
    "crop": ("margin", "aligned"),
    "resize": ("linear", "area"),
    "gender_order": (ORDER, SWAPPED_ORDER),
    "pool": POOLS,
}


@dataclasses.dataclass
class Description:
    """What a weight file says of itself; the defaults are those of the original's files."""

    depth: int = DEPTH
    width: int = WIDTH
    image_size: int = IMAGE_SIZE  # pixels
    stem: int = 1  # stride of the first convolution
    pool: str = "local"  # before the heads
    crop: str = "margin"  # how faces are cut: "margin" or "aligned"
    margin: float | None = MARGIN  # of the face box's sides, where crop is "margin"
    resize: str = "linear"  # OpenCV's filter
    gender_order: str = ORDER  # of the output, index 0 first
    data: str = "unknown"
    terms: str = "unknown"
    split_seed: int | None = None
    validation_split: float | None = None
    test_split: float | None = None
    fold: str | None = None  # "K/N": validated on the K-th of N parts, trained on the others
    training: str | None = None  # the command line
    engine: str | None = None
    precision: str | None = None
    epoch: int | None = None
    val_loss: float | None = None
    val_age_mae: float | None = None  # years
    val_gender_accuracy: float | None = None  # 0 to 1
    interval_level: float | None = None  # share of labels that age intervals shall hold
    interval_factor: float | None = None  # on the spread of the ages, for that level

    def split_of(self, database):
        """Rows of a database (or of several) for training, validation and test, as here."""
        fold = tuple(map(int, self.fold.split("/"))) if self.fold else None
        return database.split(self.validation_split, self.test_split, self.split_seed, fold)

    @property
    def network(self):
        recipe = WideResNet(self.image_size, self.depth, self.width, self.stem, self.pool)
        return f"a {recipe}"


def find(weight_file=None):
    """Return the path of a weight file: the shipped one, a path, or a published name.

    A published name (`PUBLISHED`) is downloaded first if need be: into ``pretrained_models/`` of
    a checkout, else into the user's cache.
    Raises `UserError` where there is no such file.
    """
    if weight_file is None:
        weight_file = FOLDER / SHIPPED
    path = Path(weight_file)
    if path.is_file():
        return path
    if path.is_dir():
        raise UserError(f"--weight_file {weight_file} is a folder: name a file in it")
    if str(weight_file) in PUBLISHED:
        kept = (FOLDER if installation.CHECKOUT else installation.cache()) / path.name
        if not kept.is_file():
            download(RELEASE + path.name, kept, lambda whole: _check_download(whole, path.name))
        return kept
    raise UserError(
        f"--weight_file {weight_file} does not exist: give a file, one of the published names "
        f"({', '.join(PUBLISHED)}), or leave it out for the weights that ship"
    )


def _check_download(path, name):
    """Raise `UserError` where a file that was downloaded is not the published one."""
    expected = PUBLISHED[name]["md5"]
    if not expected:
        read(path)
        return
    received = _md5(path)
    if received != expected:
        raise UserError(
            f"{name}: what came is not the published file (MD5 {received}, not {expected}): "
            "run the command again"
        )


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def read(path):
    """Read a weight file of this program or of the original (weights only, or full model).

    Returns:
        (`Description`, list of float32 arrays in the order of the network's layers).

    Raises `UserError` where the file is not a whole weight file of this network.
    """
    import h5py

    path = Path(path)
    with open(path, "rb") as file:
        start = file.read(512)
    if start.lstrip()[:1] == b"<":
        raise UserError(f"{path} is a web page saved under this name: download the file again")
    if not start:
        raise UserError(f"{path} is empty: download or copy it again")
    try:
        with h5py.File(path, "r", locking=False) as file:
            group = file.get("model_weights", file)
            arrays = _arrays(group, path)
            said = {key: _plain(value) for key, value in file.attrs.items()}
        description = _description(path, arrays, said)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        damaged = "truncated" in str(error)
        raise UserError(
            f"{path} is cut short: download or copy it again"
            if damaged
            else f"{path} is not an HDF5 weight file, or is damaged: download or copy it again"
        ) from error
    return description, arrays


def _arrays(group, path):
    import h5py

    if "layer_names" not in group.attrs:
        raise UserError(
            f"{path} is an HDF5 file without Keras 2 weights in it: give a file that train.py "
            "or the original program wrote"
        )
    arrays = []
    for layer in group.attrs["layer_names"]:
        layer_group = group[_plain(layer)]
        for name in layer_group.attrs.get("weight_names", []):
            data = layer_group[_plain(name)]
            if not isinstance(data, h5py.Dataset) or data.dtype.kind != "f" or data.external:
                raise UserError(f"{path} holds something other than numbers at {data.name}")
            arrays.append(data[...].astype("float32"))
    return arrays


def _plain(value):
    value = value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _description(path, arrays, said):
    """What the attributes say, with depth, width and size as the arrays have them."""
    import numpy as np

    fields = {field.name for field in dataclasses.fields(Description)}
    known = {key: value for key, value in said.items() if key in fields}
    if not known:
        known = {k: v for k, v in _published_facts(path).items() if k in fields}
    if known.get("crop") == "aligned":
        known["margin"] = None
    known.update(_network_of(arrays, path, known.get("image_size", IMAGE_SIZE)))
    description = Description(**known)
    for name, known_values in KNOWN.items():
        if getattr(description, name) not in known_values:
            raise UserError(
                f"{path} says {name} {getattr(description, name)!r}: it is damaged, or of a newer "
                "version of this program"
            )
    if description.crop == "margin" and not 0 <= description.margin <= 10:
        raise UserError(f"{path} says margin {description.margin!r}: it is damaged")
    if not all(np.isfinite(array).all() for array in arrays):
        raise UserError(f"{path} holds numbers that are not finite: its training went astray")
    return description


def _published_facts(path):
    """What is known of one of the original's files, by its name, or by its MD5 if renamed."""
    if path.name.removesuffix(".part") in PUBLISHED:
        return PUBLISHED[path.name.removesuffix(".part")]
    md5 = _md5(path)
    return next((facts for facts in PUBLISHED.values() if facts["md5"] == md5), {})


def _network_of(arrays, path, image_size):
    """What network it is, read off the shapes of the arrays.

    The size of its pictures does not show where it pools globally: it is taken as given then.
    """
    shapes = [array.shape for array in arrays]
    kernels = [shape for shape in shapes if len(shape) == 4]
    heads = [shape for shape in shapes if len(shape) == 2]
    if [shape[1] for shape in heads] == [GENDER_CLASSES, AGE_CLASSES] and kernels:
        stem = (kernels[0][0] - 1) // 2
        width = kernels[-1][3] // 64
        depth = sum(shape[:2] == (3, 3) for shape in kernels[1:]) + 4
        network = {"depth": depth, "width": width, "stem": stem, "image_size": image_size}
        network["pool"] = "global" if heads[0][0] == 64 * width else "local"
        if network["pool"] == "local" and width:
            network["image_size"] = int(4 * stem * (heads[0][0] // (64 * width)) ** 0.5)
        if shapes == expected_shapes(**network):
            return network
    raise UserError(f"{path} holds {len(arrays)} arrays that are not a whole WideResNet's")


def expected_shapes(depth, width, image_size, stem=1, pool="local"):
    """Shapes of the network's arrays, in the order of its layers."""
    channels = 16 * stem
    shapes = [(2 * stem + 1, 2 * stem + 1, 3, channels)]
    for group in range(3):
        for _ in range((depth - 4) // 6):
            out = 16 * width * 2**group
            shapes += [(channels,)] * 4 + [(3, 3, channels, out)]
            shapes += [(out,)] * 4 + [(3, 3, out, out)]
            shapes += [(1, 1, channels, out)] if channels != out else []
            channels = out
    features = channels * (1 if pool == "global" else (image_size // (4 * stem)) ** 2)
    return shapes + [(channels,)] * 4 + [(features, GENDER_CLASSES), (features, AGE_CLASSES)]


def require(description, path, depth=None, width=None, image_size=None):
    """Raise `UserError` where a file is not of the depth, width or size that was asked for."""
    asked = {"--depth": depth, "--width": width, "image size": image_size}
    held = dict(zip(asked, (description.depth, description.width, description.image_size)))
    wrong = [f"{name} {value}" for name, value in asked.items() if value not in (None, held[name])]
    if wrong:
        raise UserError(
            f"{path} holds {description.network}, but {' '.join(wrong)} was asked: "
            "leave the option out or give the right file"
        )


def load_into(model, description, arrays, network):
    """Give a model the numbers of a weight file, as far as they fit.

    Args:
        model: a Keras model.
        description, arrays: what `read` returned.
        network: the `wide_resnet.WideResNet` that the model is of.

    Returns a text that says what was taken. Raises `UserError` where the layers before the heads
    do not fit.
    """
    if description.gender_order == SWAPPED_ORDER:
        arrays = [*arrays[:-2], arrays[-2][:, ::-1], arrays[-1]]
    held = model.get_weights()
    fits = [len(arrays) == len(held) and a.shape == b.shape for a, b in zip(arrays, held)]
    if len(arrays) != len(held) or not all(fits[:-2]):
        raise UserError(
            f"--weight_file holds {description.network}, not a {network}: give its --depth, "
            "--width, --stem and --pool"
        )
    model.set_weights([a if fit else b for fit, a, b in zip(fits, arrays, held)])
    left = [name for name, fit in zip(("gender", "age"), fits[-2:]) if not fit]
    return f"starting from {description.network}" + (
        f"; the heads ({', '.join(left)}) do not fit and start from random numbers" if left else ""
    )


def write(path, model, description):
    """Write a model's weights with their description, as a file under its final name when whole.

    Args:
        path: the file.
        model: a Keras model of `wide_resnet.WideResNet`.
        description: a `Description`.
    """
    import h5py
    import numpy as np

    with atomic_write(Path(path)) as partial, h5py.File(partial, "w") as file:
        for field in dataclasses.fields(Description):
            value = getattr(description, field.name)
            if value is not None:
                file.attrs[field.name] = value
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["keras_version"] = np.bytes_("2.2.4")
        names = []
        kinds = collections.Counter()
        for layer in model.layers:
            if not layer.weights:
                continue
            # Keras numbers layers on through a process; Keras 2's files count from nothing
            kind = re.sub(r"_\d+$", "", layer.name)
            name = f"{kind}_{kinds[kind]}" if kinds[kind] else kind
            kinds[kind] += 1
            names.append(name)
            group = file.create_group(name)
            inside = [f"{name}/{variable.name}:0" for variable in layer.weights]
            group.attrs["weight_names"] = np.array(inside, dtype="S")
            for where, value in zip(inside, layer.get_weights()):
                group.create_dataset(where, data=value)
        file.attrs["layer_names"] = np.array(names, dtype="S")


def keep_interval(path, level, factor):
    """Write into a weight file with what factor its age intervals hold a share ``level``."""
    import shutil

    import h5py

    with atomic_write(Path(path)) as partial:
        shutil.copyfile(path, partial)
        with h5py.File(partial, "r+") as file:
            file.attrs["interval_level"] = level
            file.attrs["interval_factor"] = factor


def copy_halved(source, target):
    """Copy a weight file written here with its numbers as float16, at half the size."""
    import h5py

    with h5py.File(source, "r", locking=False) as file, atomic_write(target) as partial:
        old = file.get("model_weights", file)
        with h5py.File(partial, "w") as new:
            new.attrs.update(old.attrs)
            for layer in old.attrs["layer_names"]:
                group = new.create_group(layer)
                group.attrs.update(old[layer].attrs)
                for name in old[layer].attrs["weight_names"]:
                    group.create_dataset(name, data=old[layer][name][...].astype("float16"))


def get_args(argv=None):
    parser = Parser(description="Print what a weight file says of itself.")
    parser.add_argument("weight_file", help="a weight file or the name of a published one")
    parser.add_argument(
        "--half", type=Path, metavar="COPY", help="also write a copy in half precision there"
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = get_args(argv)
    path = find(args.weight_file)
    description, arrays = read(path)
    if args.half and args.half.exists():
        raise UserError(f"--half {args.half} exists: give another name")
    if args.half:
        copy_halved(path, args.half)
    print(f"holds {description.network}, {sum(a.size for a in arrays):,} numbers")
    for field in dataclasses.fields(Description):
        value = getattr(description, field.name)
        if value is not None:
            print(f"{field.name}: {value}")


if __name__ == "__main__":
    run(main)
