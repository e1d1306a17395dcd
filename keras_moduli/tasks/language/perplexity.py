"""What a language model's cross-entropy is called."""

import math
from typing import Any

import keras
from keras import ops

from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class BitsPerCharacter(keras.metrics.SparseCategoricalCrossentropy):
    """Mean cross-entropy of logits in bits, without regularisation terms.

    Args:
        name: Name of the metric.
        dtype: Its dtype.
        **kwargs: Those of `keras.metrics.SparseCategoricalCrossentropy`.

    Example:

    >>> metric = keras_moduli.tasks.language.BitsPerCharacter()
    >>> round(float(metric(np.array([1]), np.zeros((1, 2)))), 4)
    1.0
    """

    def __init__(
        self, name: str = "bits_per_character", dtype: Any = None, **kwargs: Any
    ) -> None:
        kwargs.pop("from_logits", None)
        super().__init__(name=name, dtype=dtype, from_logits=True, **kwargs)

    def result(self) -> Tensor:
        return super().result() / math.log(2.0)


@keras.saving.register_keras_serializable(package="keras_moduli")
class Perplexity(keras.metrics.SparseCategoricalCrossentropy):
    """The exponential of the mean cross-entropy of logits.

    It stops at e^80, near the end of float32: trainings at a large learning
    rate come back from there.

    Args:
        name: Name of the metric.
        dtype: Its dtype.
        **kwargs: Those of `keras.metrics.SparseCategoricalCrossentropy`.

    Example:

    >>> metric = keras_moduli.tasks.language.Perplexity()
    >>> round(float(metric(np.array([1]), np.zeros((1, 2)))), 4)
    2.0
    """

    def __init__(
        self, name: str = "perplexity", dtype: Any = None, **kwargs: Any
    ) -> None:
        kwargs.pop("from_logits", None)
        super().__init__(name=name, dtype=dtype, from_logits=True, **kwargs)

    def result(self) -> Tensor:
        return ops.exp(ops.minimum(super().result(), 80.0))
