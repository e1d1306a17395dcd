"""What a language model's cross-entropy is called."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_moduli")
class BitsPerCharacter(keras.metrics.SparseCategoricalCrossentropy):
    """Mean cross-entropy of logits in bits, without regularisation terms."""

    def __init__(self, name="bits_per_character", dtype=None, **kwargs):
        kwargs.pop("from_logits", None)
        super().__init__(name=name, dtype=dtype, from_logits=True, **kwargs)

    def result(self):
        return super().result() / math.log(2.0)


@keras.saving.register_keras_serializable(package="keras_moduli")
class Perplexity(keras.metrics.SparseCategoricalCrossentropy):
    """The exponential of the mean cross-entropy of logits.

    It stops at e^80, near the end of float32: trainings at a large learning
    rate come back from there.
    """

    def __init__(self, name="perplexity", dtype=None, **kwargs):
        kwargs.pop("from_logits", None)
        super().__init__(name=name, dtype=dtype, from_logits=True, **kwargs)

    def result(self):
        return ops.exp(ops.minimum(super().result(), 80.0))
