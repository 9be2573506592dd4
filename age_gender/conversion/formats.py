"""The formats that weights are converted to: which one a name means, and what it needs."""

import dataclasses
import importlib
import importlib.util
from pathlib import Path

from age_gender.command_line import UserError


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of converted networks.

    Attributes:
        name: for people.
        module: of this package, with ``write``, ``load`` and ``metadata``.
        packages: what the module needs.
        folder: it is a folder of files.
    """

    name: str
    module: str
    packages: tuple
    folder: bool = False

    def implementation(self):
        """The module, which imports TensorFlow or ONNX. Raises `UserError` without packages."""
        missing = [each for each in self.packages if importlib.util.find_spec(each) is None]
        if missing:
            names = [each.replace("_", "-") for each in self.packages]
            raise UserError(f"{missing[0]} is not installed: pip install {' '.join(names)}")
        return importlib.import_module(f"age_gender.conversion.{self.module}")


SUFFIXES = {
    ".tflite": Format("LiteRT", "litert", ("ai_edge_litert",)),
    ".onnx": Format("ONNX", "onnx_file", ("onnx", "onnxruntime")),
    "": Format("SavedModel", "saved_model", (), folder=True),
}
SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}  # files


def of(output, overwrite=False):
    """The `Format` that an output's name stands for.

    Args:
        output: path of a file that ends in .tflite or .onnx, or of a folder without a suffix.
        overwrite: whether it may exist.

    Raises `UserError` where the name stands for none, or what is there is not to be replaced.
    """
    output = Path(output)
    kind = SUFFIXES.get(output.suffix.lower())
    if kind is None or output.name in ("", ".."):
        raise UserError(
            f"{output} is the name of no format: let it end in .tflite or .onnx, or have no suffix "
            "(a SavedModel, which is a folder)"
        )
    if output.is_dir() != kind.folder and output.exists():
        raise UserError(
            f"{output} is a {'file' if kind.folder else 'folder'}, which {kind.name} is not: give "
            "another name"
        )
    found = {path.name for path in output.iterdir()} if output.is_dir() else set()
    if found and not SAVED_MODEL.issuperset(found):
        raise UserError(f"{output} holds more than a SavedModel: give another name")
    if (found or output.is_file()) and not overwrite:
        raise UserError(f"{output} exists: add --overwrite to replace it")
    return kind
