"""Penalty matrices: built in blocks of rows, held by reference."""

import contextlib

import keras
import numpy as np
from keras import ops

# Entries in one block of rows: its temporaries stay far below the matrix.
_BLOCK = 2**21


def eager():
    """A scope in which values are computed now, also while tracing.

    A matrix computed inside a traced function would become part of it, and be
    computed (or stored as a constant) in every function anew. An eager tensor
    is captured by reference.
    """
    return _EAGER.get(keras.backend.backend(), contextlib.nullcontext)()


def _eager_tensorflow():
    import tensorflow as tf

    return tf.init_scope()


def _eager_jax():
    import jax

    return jax.ensure_compile_time_eval()


_EAGER = {"tensorflow": _eager_tensorflow, "jax": _eager_jax}


def pairwise_array(function, source, target):
    """A function of all pairs of points, computed in blocks of rows.

    Args:
        function: From points of shape `(rows, dim)` and `(m, dim)` to an
            array of shape `(rows, m)`, with `keras.ops`.
        source: NumPy array of shape `(n, dim)`.
        target: NumPy array of shape `(m, dim)`.

    Returns:
        A float32 NumPy array of shape `(n, m)`.
    """
    rows = max(1, _BLOCK // len(target))
    result = _empty((len(source), len(target)))
    with eager():
        targets = ops.convert_to_tensor(target, "float32")
        for start in range(0, len(source), rows):
            block = source[start : start + rows]
            result[start : start + rows] = ops.convert_to_numpy(
                function(ops.convert_to_tensor(block, "float32"), targets)
            )
    return result


def held(array):
    """An array from `pairwise_array` as an eager tensor of the backend."""
    with eager():
        return _HELD.get(keras.backend.backend(), ops.convert_to_tensor)(array)


def _held_by_tensorflow(array):
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return tf.convert_to_tensor(array)
    # Conversion would copy the matrix twice. This shares its memory, which
    # nobody else holds.
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


_HELD = {"tensorflow": _held_by_tensorflow}


def _empty(shape):
    """An uninitialised float32 array whose memory TensorFlow can share."""
    alignment = 64
    size = 4 * shape[0] * shape[1]
    raw = np.empty(size + alignment, "uint8")
    start = -raw.ctypes.data % alignment
    return raw[start : start + size].view("float32").reshape(shape)


def checked(inhibitor, distance):
    """An inhibitor's values, computed eagerly, if they are penalties."""
    values = inhibitor(distance)
    block = ops.convert_to_numpy(values)
    if block.shape != tuple(distance.shape):
        raise ValueError(
            "`inhibitor` must return an array of the shape of the distances. "
            f"Received: shape {block.shape} for distances of shape "
            f"{tuple(distance.shape)}"
        )
    # False for NaN too.
    if not (block.min() >= 0 and block.max() < np.inf):
        raise ValueError(
            "`inhibitor` must return finite values of at least 0. Received: "
            f"values from {block.min()} to {block.max()}"
        )
    return values
