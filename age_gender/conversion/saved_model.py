"""Converted networks as TensorFlow's SavedModel: a folder with the function ``serving_default``."""

import json

import tensorflow as tf

from age_gender.command_line import UserError
from wide_resnet import AGE_CLASSES

ABOUT = "assets.extra/metadata.json"  # where a SavedModel has what its user adds


def write(folder, model, half, metadata):
    """Write a SavedModel.

    Args:
        folder: a path where nothing is yet.
        model: a Keras model of `wide_resnet.WideResNet`.
        half: store the weights in half precision; the arithmetic stays float32.
        metadata: dict for JSON.

    Raises `UserError` where TensorFlow cannot write.
    """
    served = _Served(model, tf.float16 if half else tf.float32)
    try:
        tf.saved_model.save(served, str(folder), signatures=served.predict)
    except tf.errors.OpError as error:
        raise UserError(f"{folder}: {error.message.splitlines()[0]}") from error
    (folder / ABOUT).parent.mkdir()
    (folder / ABOUT).write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")


class _Served(tf.Module):
    """The network as a function of uint8 faces, with variables of its own."""

    def __init__(self, model, dtype):
        super().__init__()
        trainable, others = model.trainable_variables, model.non_trainable_variables
        self.trainable = [tf.Variable(tf.cast(each, dtype)) for each in trainable]
        self.others = [tf.Variable(tf.cast(each, dtype)) for each in others]
        side = model.input.shape[1]

        @tf.function(input_signature=[tf.TensorSpec((None, side, side, 3), tf.uint8, "faces")])
        def predict(faces):
            numbers = [
                [tf.cast(each, tf.float32) for each in part]
                for part in (self.trainable, self.others)
            ]
            faces = tf.cast(faces, tf.float32)
            (gender, age), _ = model.stateless_call(*numbers, faces, training=False)
            return {
                "age": tf.linalg.matvec(age, tf.range(AGE_CLASSES, dtype=tf.float32)),
                "age_probabilities": age,
                "gender_probabilities": gender,
            }

        self.predict = predict


def load(folder):
    """The function in a SavedModel: faces (N, S, S, 3) uint8 to a dict of arrays."""
    loaded = tf.saved_model.load(str(folder))
    predict = loaded.signatures["serving_default"]

    def run(faces, loaded=loaded):  # its variables live as long as it does
        with tf.device("CPU:0"):
            return {name: value.numpy() for name, value in predict(faces=faces).items()}

    return run


def metadata(folder):
    """What `write` was told about the network."""
    return json.loads((folder / ABOUT).read_text(encoding="utf-8"))
