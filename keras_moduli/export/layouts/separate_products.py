"""Many small products of their own, where a runtime is slow at batched ones."""

import keras
import numpy as np

from keras_moduli.export.programs.constants import once


def taken(x, places):
    """What products read of the second axis, in their order."""
    if np.array_equal(places, np.arange(x.shape[1])):
        return x
    return keras.ops.take(x, places, axis=1)


def separate_products(matrices):
    """A function from a tensor, its parts side by side, to their products.

    One gather for all before it, and a split, are faster than many gathers.

    Args:
        matrices: A list of arrays `(part, columns)`, one for each part.

    Returns:
        A function from a tensor `(batch, parts)` to a list of tensors.
    """
    import tensorflow as tf

    widths = [len(matrix) for matrix in matrices]
    even = len(set(widths)) == 1
    constants = [once(matrix) for matrix in matrices]

    def multiplied(x):
        parts = [x]  # a split of one would stay in the file
        if len(widths) > 1:
            parts = tf.split(x, len(widths) if even else widths, axis=1)
        return [
            keras.ops.matmul(part, constant())
            for part, constant in zip(parts, constants, strict=True)
        ]

    return multiplied
