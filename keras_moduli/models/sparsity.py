"""How sparse a model is."""

import keras
import numpy as np

from keras_moduli.models.kernels import kernels


def sparsity(model: keras.Model) -> dict[str, float]:
    """The fraction of exact zeros in every kernel of a model.

    Args:
        model: A built `keras.Model`.

    Returns:
        A dict from weight path to the fraction of zeros in `[0, 1]`. Biases
        and other vectors are left out.

    Example:

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    >>> keras_moduli.sparsity(model)
    {'dense/kernel': 0.0}
    """
    return {
        path: float(np.mean(keras.ops.convert_to_numpy(variable) == 0))
        for path, variable in kernels(model).items()
    }
