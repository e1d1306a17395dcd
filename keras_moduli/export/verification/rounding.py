"""Whether the integers of a file are the model's weights, rounded.

Where a net hardly uses a kernel its answers do not tell a kernel that is
wrong from one that is coarse; its numbers do.
"""

import numpy as np

from keras_moduli.export.errors import ExportError
from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.flatbuffers import sparse_encoding

# Of a step between two integers: a half, and what float32 rounds.
_HALF = 0.51
_LOWEST, _HIGHEST = np.iinfo("int8").min, np.iinfo("int8").max

_BLOCK = 16  # sources, which a sparse int8 kernel is made a multiple of


def check_rounded(content, exact):
    """Raises an `ExportError` if weights are not those of another file.

    Every int8 matrix, dense or sparse, has to be a float32 one of the same
    model, as it is, transposed, or one of a stack, to half a step of its
    scale; tables that are gathered from may be clipped to the range that
    activations had. Matrices of shapes that the other file does not have are
    left alone.

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
        if tensor.sparsity is not None:
            candidates = _padded(known, values.shape)
        near = (_near(array, c - values, scale) for c in candidates)
        if candidates and not any(near):
            name = tensor.name.decode() if tensor.name else "a tensor"
            raise ExportError(
                "what was written does not give what the Keras model gives: "
                f"{name} holds other weights than the model, not the same "
                "ones rounded. Nothing was left at the target."
            )


def _near(integers, differences, scale):
    """Whether numbers are rounded, or beyond the range that was learnt."""
    rounded = np.abs(differences) <= _HALF * scale
    above = (integers >= _HIGHEST) & (differences > 0)
    below = (integers <= _LOWEST) & (differences < 0)
    return bool(np.all(rounded | above | below))


def _constants(model, kind):
    """The constant tensors of two or more axes, with their values."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            axes = 0 if tensor.shape is None else len(tensor.shape)
            if flatbuffer.type_of(tensor) != kind or axes < 2:
                continue
            array = _array(model, tensor)
            if array is not None and (kind != "int8" or _has_scale(tensor)):
                yield tensor, array.astype("float32")


def _array(model, tensor):
    """The values of a dense or sparse constant, `None` if it is not one."""
    if tensor.sparsity is None:
        return flatbuffer.constant(model, tensor)
    values = flatbuffer.values_of(model, tensor)
    if values is None:
        return None
    try:
        return sparse_encoding.decode(values, tensor.sparsity, tensor.shape)
    except (IndexError, ValueError):
        return np.full(tuple(tensor.shape), np.nan)


def _padded(known, shape):
    """The matrices that zeros for whole blocks of sources make that large."""
    return [
        np.pad(matrix, ((0, 0), (0, shape[1] - matrix.shape[1])))
        for found, matrices in known.items()
        if len(found) == 2
        and found[0] == shape[0]
        and 0 <= shape[1] - found[1] < _BLOCK
        for matrix in matrices
    ]


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
