"""Weight files: read and write them, and print what is in them.

    python3 -m age_gender.weights pretrained_models/wide_resnet_16_3.hdf5

Files are in Keras 2's HDF5 layout, which the original program reads and writes. Only numbers
and short texts are read from a file, never code, so that a file from a stranger is safe to open.
Files written here carry attributes that describe them (see `Description`).

h5py and NumPy are imported when a file is opened, because this module is a command too: its help
must not wait for them.
"""

from age_gender.start import run

import collections
import contextlib
import dataclasses
import io
import re
from pathlib import Path

from age_gender import published
from age_gender.command_line import Parser, UserError, option
from age_gender.files import atomic_write
from age_gender.genders import ORDER, SWAPPED_ORDER
from wide_resnet import AGE_CLASSES, GENDER_CLASSES, WideResNet

MARGIN = 0.4  # around the face, in parts of its box's sides
CHOICES = {  # the values of some attributes
    "crop": ("margin", "aligned"),
    "resize": ("linear", "area"),
    "gender_order": (ORDER, SWAPPED_ORDER),
}
ATTRIBUTES = {"k": "width"}  # of numbers of the network that have another name in the file


@dataclasses.dataclass
class Description:
    """A weight file's metadata; the defaults are those of the original's files."""

    network: WideResNet = WideResNet()  # in the file an attribute for each of its numbers
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
    interval_level: float | None = None  # share of labels that age intervals are to cover
    interval_factor: float | None = None  # on the spread of the ages, for that level

    @property
    def image_size(self):
        """Side of the faces in pixels."""
        return self.network.image_size

    def attributes(self):
        """The attributes of the file: a dict of numbers and short texts."""
        network = {ATTRIBUTES.get(name, name): n for name, n in vars(self.network).items()}
        return network | {k: v for k, v in vars(self).items() if k != "network" and v is not None}

    def split_of(self, database):
        """Rows of a database for training, validation and test, as these weights had them.

        Args:
            database: a `FaceDatabase` or `LabelledFaces`.
        """
        fold = tuple(map(int, self.fold.split("/"))) if self.fold else None
        return database.split(self.validation_split, self.test_split, self.split_seed, fold)


def load(weight_file=None, depth=None, width=None):
    """Find and read a weight file, and check that it holds the network that is required.

    Args:
        weight_file: a path or a published name; None for the weights that ship.
        depth, width: as in `require`.

    Returns:
        (path, `Description`, list of arrays as `read` returns them).

    Raises `UserError`.
    """
    path = find(weight_file)
    description, arrays = read(path)
    require(description, path, depth, width)
    return path, description, arrays


def find(weight_file=None):
    """Return the path of a weight file: a path, a published name, or None for the one that ships.

    A published name that is not there yet is downloaded. Raises `UserError` if there is no such
    file.
    """
    return published.find(weight_file, read)


def read(path):
    """Read a weight file of this program or of the original (weights only, or full model).

    Returns:
        (`Description`, list of float32 arrays in the order of the network's layers).

    Raises `UserError` if the file is not a complete weight file of this network.
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
            attributes = {key: _plain(value) for key, value in file.attrs.items()}
        description = _description(path, arrays, attributes)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        truncated = "truncated" in str(error)
        raise UserError(
            f"{path} is truncated: download or copy it again"
            if truncated
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


def _description(path, arrays, attributes):
    """The metadata in the attributes, with the network's numbers as the arrays have them."""
    import numpy as np

    fields = {field.name for field in dataclasses.fields(Description)} - {"network"}
    known = {key: value for key, value in attributes.items() if key in fields}
    if not known:
        known = {k: v for k, v in published.facts_of(path).items() if k in fields}
    if known.get("crop") == "aligned":
        known["margin"] = None
    description = Description(_network_of(arrays, path, attributes), **known)
    for name, choices in CHOICES.items():
        if getattr(description, name) not in choices:
            raise UserError(
                f"{path} has the {name} {getattr(description, name)!r}: it is damaged, or of a "
                "newer version of this program"
            )
    if description.crop == "margin" and not 0 <= description.margin <= 10:
        raise UserError(f"{path} has the margin {description.margin!r}: it is damaged")
    if not all(np.isfinite(array).all() for array in arrays):
        raise UserError(f"{path} holds numbers that are not finite: its training diverged")
    return description


def _network_of(arrays, path, attributes):
    """The network: its numbers are read off the arrays' shapes, the others are attributes.

    Where it pools globally the shapes do not show the image size.
    """
    shapes = [array.shape for array in arrays]
    kernels = [shape for shape in shapes if len(shape) == 4]
    heads = [shape for shape in shapes if len(shape) == 2]
    if [shape[1] for shape in heads] == [GENDER_CLASSES, AGE_CLASSES] and kernels:
        names = {
            ATTRIBUTES.get(each.name, each.name): each.name
            for each in dataclasses.fields(WideResNet)
        }
        numbers = {names[key]: value for key, value in attributes.items() if key in names}
        numbers["depth"] = sum(shape[:2] == (3, 3) for shape in kernels[1:]) + 4
        numbers["stem"] = stem = (kernels[0][0] - 1) // 2
        numbers["k"] = width = kernels[-1][3] // 64
        numbers["pool"] = "global" if heads[0][0] == 64 * width else "local"
        if numbers["pool"] == "local" and width:
            numbers["image_size"] = int(4 * stem * (heads[0][0] // (64 * width)) ** 0.5)
        with contextlib.suppress(ValueError):  # there is no such network
            network = WideResNet(**numbers)
            if network.shapes() == shapes:
                return network
    raise UserError(f"{path} holds {len(arrays)} arrays that are not a whole WideResNet's")


def require(description, path, depth=None, width=None, image_size=None):
    """Raise `UserError` if a file is not of the depth, width or image size that is required."""
    required = {"depth": depth, "k": width, "image_size": image_size}
    wrong = [
        f"{ATTRIBUTES.get(name, name).replace('_', ' ')} {value}"
        for name, value in required.items()
        if value not in (None, getattr(description.network, name))
    ]
    if wrong:
        raise UserError(
            f"{path} holds a {description.network}, but {', '.join(wrong)} is required: give "
            "another file, or leave the requirement out"
        )


def load_into(model, description, arrays, network):
    """Copy the numbers of a weight file into a model, as far as they fit.

    Args:
        model: a Keras model.
        description, arrays: what `read` returned.
        network: the `wide_resnet.WideResNet` that the model is of.

    Returns a text that says what was copied. Raises `UserError` if the layers before the heads
    do not fit.
    """
    if description.gender_order == SWAPPED_ORDER:
        arrays = [*arrays[:-2], arrays[-2][:, ::-1], arrays[-1]]
    initial = model.get_weights()
    fits = [len(arrays) == len(initial) and a.shape == b.shape for a, b in zip(arrays, initial)]
    if len(arrays) != len(initial) or not all(fits[:-2]):
        raise UserError(
            f"the weights are of a {description.network}, which does not fit a {network}: depth, "
            "width, stem and pool must be the same"
        )
    model.set_weights([a if fit else b for fit, a, b in zip(fits, arrays, initial)])
    left = [name for name, fit in zip(("gender", "age"), fits[-2:]) if not fit]
    return f"starting from a {description.network}" + (
        f"; the heads ({', '.join(left)}) do not fit and start from random numbers" if left else ""
    )


def write(path, model, description):
    """Write a model's weights and their metadata; the file appears when it is complete.

    Args:
        path: the file.
        model: a Keras model of `wide_resnet.WideResNet`.
        description: a `Description`.
    """
    import numpy as np

    with _hdf5(path) as file:
        file.attrs.update(description.attributes())
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["keras_version"] = np.bytes_("2.2.4")
        names = []
        kinds = collections.Counter()
        for layer in model.layers:
            if not layer.weights:
                continue
            # Keras counts layers through the whole process, Keras 2's files from 0
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


@contextlib.contextmanager
def _hdf5(path, content=b""):
    """Yield an HDF5 file to write to, which holds ``content``; it appears when it is complete.

    It is made in memory, because HDF5 does not survive a full disk.
    """
    import h5py

    memory = io.BytesIO(content)
    with h5py.File(memory, "r+" if content else "w") as file:
        yield file
    with atomic_write(Path(path)) as partial:
        partial.write_bytes(memory.getbuffer())


def keep_interval(path, level, factor):
    """Write into a weight file the factor with which its age intervals cover a share ``level``."""
    with _hdf5(path, Path(path).read_bytes()) as file:
        file.attrs["interval_level"] = level
        file.attrs["interval_factor"] = factor


def copy_halved(source, target):
    """Copy a weight file written here with its numbers as float16: half the size.

    Raises `UserError` if the target exists.
    """
    import h5py

    if target.exists():
        raise UserError(f"{target} exists: give another name")

    with h5py.File(source, "r", locking=False) as file, _hdf5(target) as new:
        old = file.get("model_weights", file)
        new.attrs.update(old.attrs)
        for layer in old.attrs["layer_names"]:
            group = new.create_group(layer)
            group.attrs.update(old[layer].attrs)
            for name in old[layer].attrs["weight_names"]:
                group.create_dataset(name, data=old[layer][name][...].astype("float16"))


def get_args(argv=None):
    parser = Parser(description="Print the metadata of a weight file.")
    parser.add_argument("weight_file", help="a weight file or the name of a published one")
    parser.add_argument(
        "--half", type=Path, metavar="COPY", help="also write a copy in half precision"
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = get_args(argv)
    path = find(args.weight_file)
    description, arrays = read(path)
    if args.half:
        with option("--half"):
            copy_halved(path, args.half)
    print(f"holds a {description.network}, {sum(a.size for a in arrays):,} numbers")
    for name, value in description.attributes().items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    run(main)
