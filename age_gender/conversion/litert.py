"""Converted networks for LiteRT, formerly TensorFlow Lite: .tflite files."""

import json
import tempfile
import zipfile
from pathlib import Path

import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.tools import flatbuffer_utils

from age_gender import interrupts
from age_gender.conversion import saved_model

ABOUT = "metadata.json"
OUTPUTS = ("age", "age_probabilities", "gender_probabilities")


def write(path, model, half, metadata):
    """Write a .tflite file, with the metadata in a zip archive behind it, as LiteRT has them.

    Arguments as of `saved_model.write`.
    """
    with tempfile.TemporaryDirectory() as temporary, interrupts.unfinished(temporary):
        folder = Path(temporary, "saved_model")
        saved_model.write(folder, model, False, metadata)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        if half:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        path.write_bytes(_named(converter.convert()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(ABOUT), json.dumps(metadata, indent=1) + "\n")


def _named(content):
    """The content of a .tflite file with plain names of its inputs and outputs, in our order."""
    made = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (graph,), (signature,) = made.subgraphs, made.signatureDefs
    for each in (*signature.inputs, *signature.outputs):
        graph.tensors[each.tensorIndex].name = each.name
    places = {each.name.decode(): each.tensorIndex for each in signature.outputs}
    graph.outputs = [places[name] for name in OUTPUTS]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(made))


def load(path, threads=None):
    """The function in a .tflite file: faces (N, S, S, 3) uint8 to a dict of arrays."""
    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    runner = interpreter.get_signature_runner()
    return lambda faces: runner(faces=faces)


def metadata(path):
    """What `write` was told about the network."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(ABOUT))
