"""Functions of all pairs of points, computed in blocks of rows."""

import numpy as np
from keras import ops

from keras_moduli.utils.backend import eager

# Entries in one block of rows: its temporaries stay far below the matrix.
_BLOCK = 2**21


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


def _empty(shape):
    """An uninitialised float32 array whose memory TensorFlow can share."""
    alignment = 64
    size = 4 * shape[0] * shape[1]
    raw = np.empty(size + alignment, "uint8")
    start = -raw.ctypes.data % alignment
    return raw[start : start + size].view("float32").reshape(shape)
