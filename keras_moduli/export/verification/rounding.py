"""Whether the integers of a file are the model's weights, rounded.

Where a net hardly uses a kernel its answers do not tell a kernel that is
wrong from one that is coarse; its numbers do.
"""

import numpy as np

from keras_moduli.export.errors import ExportError
from keras_moduli.export.flatbuffers import flatbuffer

# Of a step between two integers: a half, and what float32 rounds.
_HALF = 0.51


def check_rounded(content, exact):
    """Raises an `ExportError` if weights are not those of another file.

    Every int8 matrix has to be a float32 one of the same model, as it is,
    transposed, or one of a stack, to half a step of its scale. Matrices of
    shapes that the other file does not have, and sparse ones, are left alone.

    Args:
        content: The bytes of a file with int8 weights.
        exact: The bytes of the same file without quantization.
    """
    known = {}
    for _, array in _constants(flatbuffer.read(exact), "float32"):
        for matrix in _matrices(array):
            known.setdefault(matrix.shape, []).append(matrix)
    for tensor, array in _constants(flatbuffer.read(content), "int8"):
        scale = _along(tensor, tensor.quantization.scale)
        values = scale * (array - _along(tensor, _zero_points(tensor)))
        candidates = known.get(values.shape, [])
        near = (np.abs(values - c) <= _HALF * scale for c in candidates)
        if candidates and not any(map(np.all, near)):
            name = tensor.name.decode() if tensor.name else "a tensor"
            raise ExportError(
                "what was written does not give what the Keras model gives: "
                f"{name} holds other weights than the model, not the same "
                "ones rounded. Nothing was left at the target."
            )


def _constants(model, kind):
    """The constant dense tensors of two or more axes, with their values."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            axes = 0 if tensor.shape is None else len(tensor.shape)
            if flatbuffer.type_of(tensor) != kind or axes < 2:
                continue
            array = flatbuffer.constant(model, tensor)
            if array is not None and (kind != "int8" or _has_scale(tensor)):
                yield tensor, array.astype("float32")


def _matrices(array):
    """An array, and the matrices in it, each as it is and transposed."""
    if array.ndim > 2:
        yield array
    for matrix in array.reshape(-1, *array.shape[-2:]):
        yield matrix
        yield matrix.T


def _has_scale(tensor):
    quantization = tensor.quantization
    return quantization is not None and quantization.scale is not None


def _zero_points(tensor):
    points = tensor.quantization.zeroPoint
    return 0 if points is None else points


def _along(tensor, numbers):
    """One number for all values, or one for each place of an axis."""
    numbers = np.atleast_1d(np.asarray(numbers, "float32"))
    if len(numbers) == 1:
        return numbers
    shape = [1] * len(tensor.shape)
    shape[tensor.quantization.quantizedDimension] = -1
    return numbers.reshape(shape)
