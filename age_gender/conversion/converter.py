"""Converts weights to other formats, and checks that they give Keras's numbers there."""

import os

from age_gender import files, weights
from age_gender.command_line import UserError, quiet_start
from age_gender.conversion import parity
from age_gender.conversion.metadata import describe
from age_gender.faces import Cut


def convert(source, output, kind, colour="rgb", half=False):
    """Write a converted network, read it back and compare it with Keras.

    Args:
        source: (path, `weights.Description`, arrays) as `weights.load` returns them.
        output: path of the file or folder; it appears when it is whole and has been compared.
        kind: the output's `formats.Format`.
        colour: order of the channels of the faces that it takes, "rgb" or "bgr".
        half: store the weights in half precision.

    Returns:
        (`parity.Difference`, text that says which faces it is over).

    Raises `UserError` if a package is missing, or the numbers differ too much.
    """
    path, description, arrays = source
    faces, said = parity.reference_faces(Cut.of(description))
    about = describe(path, description, colour, half)
    output.parent.mkdir(parents=True, exist_ok=True)
    whole = files.atomic_folder if kind.folder else files.atomic_write
    with whole(output) as partial, quiet_start():
        implementation = kind.implementation()
        implementation.write(partial, network(description, arrays, colour), half, about)
        taken = faces[..., ::-1] if colour == "rgb" else faces
        theirs = implementation.load(partial)(taken)
        ours = parity.outputs(network(description, arrays), faces)
        found = parity.difference(ours, theirs)
        if not found.probability <= parity.TOLERANCE[half]:
            raise UserError(
                f"{output} was not kept: it differs from Keras by {found}, more than "
                f"{parity.TOLERANCE[half]:g} in a probability"
                + (": leave --float16 out" if half else "")
            )
    return found, said


def network(description, arrays, colour="bgr"):
    """The Keras model of a weight file, for faces of a colour order, genders in our own order."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whose converters these are
    model = description.network.in_precision("float32")
    if colour == "rgb":  # the first convolution takes its channels from the other end
        arrays = [arrays[0][:, :, ::-1], *arrays[1:]]
    weights.load_into(model, description, arrays, description.network)
    return model


def size(path):
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return path.stat().st_size
