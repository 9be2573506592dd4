"""The network: a wide residual network with two softmax heads, gender and age.

Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016, in the pre-activation form.
Keras is imported when a network is built, so that the numbers below cost nothing to read.
"""

import dataclasses

IMAGE_SIZE = 64
DEPTH = 16
WIDTH = 8
GENDER_CLASSES = 2  # the order is in age_gender/genders.py
AGE_CLASSES = 101  # 0 to 100 years
POOLS = ("local", "global")
L2 = 0.0005
LAYOUT = "channels_last"  # whatever Keras is set to


@dataclasses.dataclass(frozen=True)
class WideResNet:
    """A recipe for the network; call it to get the Keras model.

    Args:
        image_size: side of the square input in pixels, a multiple of 4.
        depth: layers, 6 n + 4 for n blocks in each of the three groups.
        k: width, the factor on the channels 16, 32 and 64.
        stem: stride of the first convolution, 1 or 2; with 2 a step costs a quarter.
        pool: what the heads see: "local" averages (the original), or the "global" one of each
            channel, with which they need few parameters.
    """

    image_size: int = IMAGE_SIZE
    depth: int = DEPTH
    k: int = WIDTH
    stem: int = 1
    pool: str = "local"

    def __post_init__(self):
        if self.depth < 10 or (self.depth - 4) % 6:
            raise ValueError(f"depth must be 10, 16, 22, 28, ... (6 n + 4). Received: {self.depth}")
        if self.k < 1:
            raise ValueError(f"width must be at least 1. Received: {self.k}")
        if self.stem not in (1, 2):
            raise ValueError(f"stem must be 1 or 2. Received: {self.stem}")
        if self.pool not in POOLS:
            raise ValueError(f"pool must be one of {', '.join(POOLS)}. Received: {self.pool}")
        if self.image_size < 8 * self.stem or self.image_size % (4 * self.stem):
            raise ValueError(
                f"image size must be a multiple of {4 * self.stem} from {8 * self.stem} up. "
                f"Received: {self.image_size}"
            )

    def in_precision(self, precision, synchronized=False):
        """Build the model with its activations in "float32" or "bfloat16"."""
        import keras

        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy({"bfloat16": "mixed_bfloat16"}.get(precision, precision))
        try:
            return self(synchronized)
        finally:
            keras.config.set_dtype_policy(before)

    def shapes(self):
        """Shapes of the model's arrays, in the order of its layers."""
        channels = 16 * self.stem
        shapes = [(2 * self.stem + 1, 2 * self.stem + 1, 3, channels)]
        for group in range(3):
            for _ in range((self.depth - 4) // 6):
                out = 16 * self.k * 2**group
                shapes += [(channels,)] * 4 + [(3, 3, channels, out)]
                shapes += [(out,)] * 4 + [(3, 3, out, out)]
                shapes += [(1, 1, channels, out)] if channels != out else []
                channels = out
        places = 1 if self.pool == "global" else (self.image_size // (4 * self.stem)) ** 2
        heads = [(places * channels, classes) for classes in (GENDER_CLASSES, AGE_CLASSES)]
        return shapes + [(channels,)] * 4 + heads

    def training_flops(self):
        """Operations in a step of training for each picture: the convolutions' and the heads'."""
        side, channels = self.image_size // self.stem, 16 * self.stem
        products = side**2 * (2 * self.stem + 1) ** 2 * 3 * channels
        for group, stride in enumerate((1, 2, 2)):
            side //= stride
            out = 16 * self.k * 2**group
            for _ in range((self.depth - 4) // 6):
                shortcut = channels * out if channels != out else 0
                products += side**2 * (9 * channels * out + 9 * out**2 + shortcut)
                channels = out
        features = channels * (1 if self.pool == "global" else side**2)
        products += features * (GENDER_CLASSES + AGE_CLASSES)
        return 3 * 2 * products  # forward, and back to the pictures and to the weights

    def __str__(self):
        stem = f", stem {self.stem}" if self.stem != 1 else ""
        pool = f", {self.pool} pooling" if self.pool != "local" else ""
        return f"WideResNet {self.depth}-{self.k} for {self.image_size} px faces{stem}{pool}"

    def __call__(self, synchronized=False):
        """Build the model, in the precision of Keras's policy.

        Args:
            synchronized: normalise batches over all devices of a TensorFlow strategy.

        Input: (N, image_size, image_size, 3) float BGR, 0 to 255, unscaled.
        Outputs: ``pred_gender`` (N, 2) and ``pred_age`` (N, 101), probabilities.
        """
        import keras
        from keras import layers

        def regularizer():
            return keras.regularizers.L2(L2)

        def convolution(x, channels, size, stride=1):
            return layers.Conv2D(
                channels,
                size,
                strides=stride,
                padding="same",
                data_format=LAYOUT,
                use_bias=False,
                kernel_initializer="he_normal",
                kernel_regularizer=regularizer(),
            )(x)

        def normalised(x):
            x = layers.BatchNormalization(momentum=0.99, epsilon=0.001, synchronized=synchronized)(
                x
            )
            return layers.Activation("relu")(x)

        def block(x, channels, stride):
            activated = normalised(x)
            y = convolution(activated, channels, 3, stride)
            y = convolution(normalised(y), channels, 3)
            if x.shape[-1] != channels:
                x = convolution(activated, channels, 1, stride)
            return layers.Add()([y, x])

        def head(x, classes, name):
            return layers.Dense(
                classes,
                use_bias=False,
                kernel_initializer="he_normal",
                kernel_regularizer=regularizer(),
                activation="softmax",
                dtype="float32",  # whatever the precision of the rest
                name=name,
            )(x)

        inputs = keras.Input((self.image_size, self.image_size, 3), dtype="float32")
        x = convolution(inputs, 16 * self.stem, 2 * self.stem + 1, self.stem)
        for group, stride in enumerate((1, 2, 2)):
            for i in range((self.depth - 4) // 6):
                x = block(x, 16 * self.k * 2**group, stride if i == 0 else 1)
        x = normalised(x)
        if self.pool == "global":
            x = layers.GlobalAveragePooling2D(LAYOUT)(x)
        else:
            x = layers.AveragePooling2D(8, 1, "same", LAYOUT)(x)
            x = layers.Flatten(LAYOUT)(x)
        heads = [head(x, GENDER_CLASSES, "pred_gender"), head(x, AGE_CLASSES, "pred_age")]
        return keras.Model(inputs, heads)


def with_embeddings(model, length):
    """A model that also predicts embeddings (N, length), for training only."""
    import keras

    head = keras.layers.Dense(length, dtype="float32", name="pred_embedding")
    return keras.Model(model.input, [*model.outputs, head(model.layers[-1].input)])


def two_heads(model):
    """The model of gender and age within one that may have been built by `with_embeddings`."""
    import keras

    return model if len(model.outputs) == 2 else keras.Model(model.input, model.outputs[:2])
