import importlib.util
from pathlib import Path

import pytest

from age_gender.command_line import UserError
from age_gender.conversion import formats


@pytest.mark.parametrize(
    "name, kind", [("a.tflite", "LiteRT"), ("b.v2.ONNX", "ONNX"), ("c", "SavedModel")]
)
def test_format_is_told_by_the_name(tmp_path, name, kind):
    assert formats.of(tmp_path / name).name == kind


@pytest.mark.parametrize("name", ["a.pb", "a.hdf5", ".", "..", "a.tflite.gz"])
def test_name_of_no_format_is_refused(name):
    with pytest.raises(UserError) as error:
        formats.of(name)
    assert str(error.value) == (
        f"{Path(name)} is the name of no format: let it end in .tflite or .onnx, or have no suffix "
        "(a SavedModel, which is a folder)"
    )


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name, is_a", [("a.onnx", "folder"), ("model", "file")])
def test_file_and_folder_are_not_taken_for_each_other(tmp_path, name, is_a, overwrite):
    path = tmp_path / name
    path.mkdir() if is_a == "folder" else path.touch()
    with pytest.raises(UserError, match=f"{name} is a {is_a}, which .* is not: give another name$"):
        formats.of(path, overwrite)


def test_folder_with_anything_else_in_it_is_never_replaced(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UserError) as error:
        formats.of(tmp_path, overwrite=True)
    assert str(error.value) == f"{tmp_path} holds more than a SavedModel: give another name"


@pytest.mark.parametrize("name", ["a.tflite", "a.onnx", "model"])
def test_what_exists_is_replaced_only_when_told(tmp_path, name):
    path = tmp_path / name
    if "." not in name:
        path.mkdir()
        assert formats.of(path).folder  # there is nothing in it to lose
        path /= "saved_model.pb"
    path.touch()
    with pytest.raises(UserError) as error:
        formats.of(tmp_path / name)
    assert str(error.value) == f"{tmp_path / name} exists: add --overwrite to replace it"
    assert formats.of(tmp_path / name, overwrite=True)


@pytest.mark.parametrize(
    "suffix, message",
    [
        (".tflite", "ai_edge_litert is not installed: pip install ai-edge-litert"),
        (".onnx", "onnx is not installed: pip install onnx onnxruntime"),
    ],
)
def test_missing_package_is_one_line(monkeypatch, suffix, message):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as error:
        formats.SUFFIXES[suffix].implementation()
    assert str(error.value) == message
