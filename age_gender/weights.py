"""Weight files: read and write them, and print what is in them.

    python3 -m age_gender.weights pretrained_models/wide_resnet_16_2.hdf5

Files are in Keras 2's HDF5 layout, which the original program reads and writes. Only numbers
and short texts are read from a file, never code, so that a file from a stranger is safe to open.
Files written here carry attributes that describe them (see `Description`).

h5py and NumPy are imported when a file is opened, because this module is a command too: its help
must not wait for them.
"""

from age_gender.start import run

import collections
import contextlib
import io
import math
import re
from pathlib import Path

from age_gender import published
from age_gender.command_line import Parser, UserError, option
from age_gender.description import (
    ATTRIBUTES,
    FIELDS,
    NUMBERS,
    SIZES,
    Description,
    of_attributes,
)
from age_gender.files import atomic_write
from age_gender.genders import SWAPPED_ORDER
from wide_resnet import AGE_CLASSES, GENDER_CLASSES, IMAGE_SIZE, WideResNet

__all__ = ("Description", "find", "keep_interval", "load", "load_into", "read", "require", "write")

ARRAYS = 5000  # in a file, and
PARAMETERS = 2 * 10**8  # in all of them: eight times those of the original's network
TEXT = 4000  # characters of a text that is written


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
    import numpy as np

    from age_gender import hdf5

    path = Path(path)
    try:
        with hdf5.opened(path) as file:
            found = {name: file.attribute(name) for name in (*NUMBERS, *FIELDS)}
            attributes = {name: value for name, value in found.items() if value is not None}
            layers = _layers(file, path)
            stored = [array for arrays in layers.values() for array in arrays.values()]
            network = _network_of([a.shape for a in stored], attributes.get("image_size"), path)
            arrays = [array.read().astype("float32") for array in stored]
    except hdf5.Unreadable as problem:
        raise UserError(
            f"{path} is not a weight file: {problem}: download or copy it again"
        ) from problem
    if not FIELDS.keys() & attributes.keys():
        attributes |= published.facts_of(path)
    try:
        description = of_attributes(network, attributes)
    except ValueError as error:
        raise UserError(
            f"{path} has {error}: it is damaged, or of a newer version of this program"
        ) from error
    if not all(np.isfinite(array).all() for array in arrays):
        raise UserError(f"{path} holds numbers that are not finite: its training diverged")
    return description, arrays


def _layers(file, path):
    """The arrays of a file, unread: dict of dicts of `stored.Stored`, by layer and by name."""
    from age_gender.hdf5 import Unreadable

    group = file.group("model_weights") if "model_weights" in file else file
    names = group.attribute("layer_names")
    if names is None:
        raise UserError(
            f"{path} is an HDF5 file without Keras 2 weights in it: give a file that train.py "
            "or the original program wrote"
        )
    layers, count = {}, 0
    for layer in _distinct(names):
        members = group.group(layer)
        inside = _distinct(members.attribute("weight_names") or [])
        count += len(inside)
        if count > ARRAYS:
            raise Unreadable(f"it has more than {ARRAYS} arrays")
        layers[layer] = {name: members.array(name) for name in inside}
        for array in layers[layer].values():
            if array.dtype.kind != "f":
                raise Unreadable(f"its {array.name!r} holds something other than weights")
    return layers


def _distinct(names):
    from age_gender.hdf5 import Unreadable

    if not isinstance(names, list) or len(set(names)) < len(names):
        raise Unreadable("its names of layers or weights are not a list of different names")
    return names


def _network_of(shapes, image_size, path):
    """The network whose arrays have these shapes.

    Where it pools globally the shapes do not show the image size, so it is given.
    """
    kernels = [shape for shape in shapes if len(shape) == 4]
    heads = [shape for shape in shapes if len(shape) == 2]
    if [shape[1] for shape in heads] == [GENDER_CLASSES, AGE_CLASSES] and kernels:
        stem, k, features = (kernels[0][0] - 1) // 2, kernels[-1][3] // 64, heads[0][0]
        pool = "global" if features == 64 * k else "local"
        if pool == "local" and k:
            image_size = 4 * stem * math.isqrt(features // (64 * k))
        elif not isinstance(image_size, int) or not SIZES[0] <= image_size <= SIZES[1]:
            image_size = IMAGE_SIZE
        depth = sum(shape[:2] == (3, 3) for shape in kernels[1:]) + 4
        with contextlib.suppress(ValueError):  # there is no such network
            network = WideResNet(image_size, depth, k, stem, pool)
            if network.shapes() == shapes and sum(map(math.prod, shapes)) <= PARAMETERS:
                return network
    raise UserError(f"{path} holds {len(shapes)} arrays that are not a whole WideResNet's")


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
    layers, kinds = {}, collections.Counter()
    for layer in model.layers:
        if layer.weights:
            # Keras counts layers through the whole process, Keras 2's files from 0
            kind = re.sub(r"_\d+$", "", layer.name)
            name = f"{kind}_{kinds[kind]}" if kinds[kind] else kind
            kinds[kind] += 1
            inside = [f"{name}/{variable.name}:0" for variable in layer.weights]
            layers[name] = dict(zip(inside, layer.get_weights()))
    _write(Path(path), layers, description)


def _write(path, layers, description):
    """Write arrays, a dict of dicts by layer and by name, and their metadata."""
    import numpy as np

    texts = {"backend": "tensorflow", "keras_version": "2.2.4"}
    with _hdf5(path) as file:
        for name, value in (texts | description.attributes()).items():
            if isinstance(value, str):
                value = np.bytes_(value[:TEXT].encode("utf-8", "backslashreplace"))
            if value != b"":
                file.attrs[name] = value
        file.attrs["layer_names"] = np.array([*layers], dtype="S")
        for layer, arrays in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([*arrays], dtype="S")
            for name, array in arrays.items():
                group.create_dataset(name, data=array)


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


def keep_interval(path, level, rule):
    """Write into a weight file the rule with which its age intervals cover a share ``level``.

    Args:
        path: the file.
        level: 0 to 1.
        rule: `estimates.Quantiles`.
    """
    try:
        with _hdf5(path, Path(path).read_bytes()) as file:
            file.attrs["interval_level"] = level
            file.attrs["interval_quantiles"] = str(rule).encode()
            file.attrs.pop("interval_factor", None)  # of an earlier version
    except (RuntimeError, ValueError, KeyError, TypeError) as error:  # HDF5's
        raise UserError(f"{path} is damaged: nothing can be written into it") from error


def copy_halved(source, target, mirrored=None):
    """Copy a weight file with its numbers as float16: half the size.

    Args:
        source, target: paths.
        mirrored: `Description.mirrored` of the copy; None for that of the source.

    Raises `UserError` if the target exists.
    """
    from age_gender import hdf5

    if target.exists():
        raise UserError(f"{target} exists: give another name")
    description, _ = read(source)
    if mirrored is not None:
        description.mirrored = mirrored
    with hdf5.opened(source) as file:
        halved = {
            layer: {name: array.read().astype("float16") for name, array in arrays.items()}
            for layer, arrays in _layers(file, source).items()
            if arrays
        }
    _write(target, halved, description)


def get_args(argv=None):
    parser = Parser(description="Print the metadata of a weight file.")
    parser.add_argument("weight_file", help="a weight file or the name of a published one")
    parser.add_argument(
        "--half", type=Path, metavar="COPY", help="also write a copy in half precision"
    )
    parser.add_argument(
        "--mirrored",
        action="store_true",
        help="let the copy's estimates be the means over a face and its mirror image: better, at "
        "twice the time of the network",
    )
    args = parser.parse_args(argv)
    if args.mirrored and not args.half:
        parser.error("--mirrored needs --half")
    return args


def main(argv=None):
    args = get_args(argv)
    path = find(args.weight_file)
    description, arrays = read(path)
    if args.half:
        with option("--half"):
            copy_halved(path, args.half, 1 if args.mirrored else None)
    print(f"holds a {description.network}, {sum(a.size for a in arrays):,} numbers")
    for name, value in description.attributes().items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    run(main)
