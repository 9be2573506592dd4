"""Ages and genders of face crops: the one prediction path of the suite, on one of two runtimes.

LiteRT is for looking: it is ready in a twentieth of the time that TensorFlow takes, and in a tenth
of its memory. TensorFlow is for the thousands of faces of an evaluation. Both compute in float32
on every machine and give the same numbers to 1e-5 of a probability (benchmarks/README.md).
"""

import importlib.util

import numpy as np

from age_gender import weights
from age_gender.backend import quiet, quiet_start
from age_gender.command_line import log
from age_gender.conversion import inference
from age_gender.estimates import Estimates
from age_gender.genders import MALE, NAMES
from wide_resnet import AGE_CLASSES

RUNTIMES = ("litert", "keras")
BATCH_SIZE = 64  # faces that go through the network at once in TensorFlow, at most


class Estimator:
    """The network with its weights.

    Args:
        weight_file: a path or a published name; None for the weights that ship.
        depth, width: raise `UserError` if the file holds another network; None accepts any.
        runtime: one of RUNTIMES; the other, with a line on stderr, where it is not installed or
            LiteRT fails.
        threads: of LiteRT; TensorFlow takes all cores.

    Attributes:
        path: of the weight file.
        description: `weights.Description`.
        image_size: side of the faces in pixels.
        runtime: the one of RUNTIMES that is used.
    """

    def __init__(self, weight_file=None, depth=None, width=None, *, runtime="litert", threads=1):
        self.path, self.description, arrays = weights.load(weight_file, depth, width)
        self.image_size = self.description.image_size
        self.runtime = runtime
        network = self.description.network
        there = importlib.util.find_spec("tensorflow") is not None
        if runtime == "keras" and not there:
            log("TensorFlow is not installed: LiteRT estimates, at a lower speed")
            self.runtime = "litert"
        if self.runtime == "litert":
            try:
                self.predict = _litert(network, arrays, threads)
            except (ImportError, RuntimeError, ValueError) as error:
                if not there:
                    raise
                reason = " ".join(str(error).split())
                log(f"LiteRT cannot be used, TensorFlow takes longer to start: {reason}")
                self.runtime = "keras"
        if self.runtime == "keras":
            self.predict = _keras(network, arrays)

    def __call__(self, faces):
        """Estimate faces.

        Args:
            faces: (N, S, S, 3) uint8 BGR, S being `image_size`; N may be 0.

        Returns:
            `Estimates`.
        """
        faces = np.asarray(faces, np.uint8).reshape(-1, self.image_size, self.image_size, 3)
        gender, age = self.predict(faces)
        if self.description.mirrored:
            other_gender, other_age = self.predict(faces[:, :, ::-1])
            gender, age = (gender + other_gender) / 2, (age + other_age) / 2
        male = gender[:, self.description.gender_order.split(",").index(NAMES[MALE])]
        return Estimates.from_probabilities(male, age)


def _litert(network, arrays, threads):
    """The function from faces (N, S, S, 3) uint8 to genders (N, 2) and ages (N, 101), by LiteRT.

    Faces go through one by one: batches gain nothing there, and take memory.
    """
    with quiet():  # it tells what it computes with
        from ai_edge_litert.interpreter import Interpreter

        content = inference.model(network, arrays)
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    (faces_in,) = (each["index"] for each in interpreter.get_input_details())
    gender_out, age_out = (each["index"] for each in interpreter.get_output_details())

    def predict(faces):
        gender = np.empty((len(faces), 2), np.float32)
        age = np.empty((len(faces), AGE_CLASSES), np.float32)
        for number, face in enumerate(faces):
            interpreter.set_tensor(faces_in, face[None].astype(np.float32))
            interpreter.invoke()
            gender[number] = interpreter.get_tensor(gender_out)[0]
            age[number] = interpreter.get_tensor(age_out)[0]
        return gender, age

    return predict


def _keras(network, arrays):
    """The same function by Keras on TensorFlow's own kernels, one graph for any batch.

    bfloat16 gains nothing for one face, and XLA nothing for 64.
    """
    with quiet_start():
        import tensorflow as tf

        model = network.in_precision("float32")
    model.set_weights(arrays)

    side = network.image_size

    @tf.function(input_signature=[tf.TensorSpec((None, side, side, 3), tf.uint8)])
    def graph(faces):
        return model(tf.cast(faces, tf.float32), training=False)

    def predict(faces):
        genders, ages = [np.empty((0, 2), np.float32)], [np.empty((0, AGE_CLASSES), np.float32)]
        for start in range(0, len(faces), BATCH_SIZE):
            gender, age = graph(faces[start : start + BATCH_SIZE])
            genders.append(gender.numpy())
            ages.append(age.numpy())
        return np.concatenate(genders), np.concatenate(ages)

    predict.graph = graph
    return predict
