"""The network: a wide residual network with two softmax heads, gender and age.

Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016, in the pre-activation form.
Keras is imported when a network is built, so that the numbers below cost nothing to read.
"""

IMAGE_SIZE = 64
DEPTH = 16
WIDTH = 8
GENDER_CLASSES = 2  # 0 female, 1 male
AGE_CLASSES = 101  # 0 to 100 years
L2 = 0.0005


class WideResNet:
    """A recipe for the network; call it to get the Keras model.

    Args:
        image_size: side of the square input in pixels, a multiple of 4.
        depth: layers, 6 n + 4 for n blocks in each of the three groups.
        k: width, the factor on the channels 16, 32 and 64.
    """

    def __init__(self, image_size=IMAGE_SIZE, depth=DEPTH, k=WIDTH):
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth must be 10, 16, 22, 28, ... (6 n + 4). Received: {depth}")
        if k < 1:
            raise ValueError(f"width must be at least 1. Received: {k}")
        if image_size < 8 or image_size % 4:
            raise ValueError(
                f"image size must be a multiple of 4 from 8 up. Received: {image_size}"
            )
        self.image_size = image_size
        self.depth = depth
        self.k = k

    def __call__(self):
        """Build the model.

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
                use_bias=False,
                kernel_initializer="he_normal",
                kernel_regularizer=regularizer(),
            )(x)

        def normalised(x):
            x = layers.BatchNormalization(momentum=0.99, epsilon=0.001)(x)
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
                name=name,
            )(x)

        inputs = keras.Input((self.image_size, self.image_size, 3))
        x = convolution(inputs, 16, 3)
        for group, stride in enumerate((1, 2, 2)):
            for i in range((self.depth - 4) // 6):
                x = block(x, 16 * self.k * 2**group, stride if i == 0 else 1)
        x = normalised(x)
        x = layers.AveragePooling2D(8, strides=1, padding="same")(x)
        x = layers.Flatten()(x)
        heads = [head(x, GENDER_CLASSES, "pred_gender"), head(x, AGE_CLASSES, "pred_age")]
        return keras.Model(inputs, heads)
