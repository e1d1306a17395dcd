"""Whether the numbers in a file are the model's weights, rounded.

Where a net hardly uses a kernel its answers do not tell a kernel that is
wrong from one that is coarse; its numbers do.
"""

import dataclasses

import numpy as np

from keras_moduli.export.errors import ExportError
from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.flatbuffers import sparse_encoding

# Of a step between two numbers: a half, and what is rounded otherwise. Of the
# numbers themselves: what float32 rounds.
_HALF, _FLOAT32 = 0.51, 1e-6
_BLOCK = 16  # sources, which a sparse int8 kernel is made a multiple of
_PRODUCTS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")
# What integers of these read, may be folded out of several weights.
_ELEMENTWISE = ("ADD", "SUB", "MUL")


@dataclasses.dataclass(frozen=True)
class Stored:
    """A constant of a file.

    Attributes:
        name: The tensor's name.
        values: What its numbers mean, an array.
        step: How far apart neighbours are that it could hold.
        lowest, highest: The least and the largest number it could hold.
        is_sparse: Whether its zeros are left out.
    """

    name: str
    values: np.ndarray
    step: object = 0.0
    lowest: object = -np.inf
    highest: object = np.inf
    is_sparse: bool = False


def check_rounded(content, exact):
    """Raises an `ExportError` if weights are not those of another file.

    Every matrix, dense or sparse, has to be a float32 one of the same model,
    as it is, transposed, or one of a stack, to half a step of its precision;
    so has every bias. Tables that are gathered from may be clipped to the
    range that activations had. What has a shape that the other file does not
    have is left alone.

    Args:
        content: The bytes of a file with quantized weights.
        exact: The bytes of the same file without quantization.
    """
    known = {}
    model = flatbuffer.read(exact)
    for values in [s.values for s in _stored(model)] + _no_biases(model):
        for part in _parts(values):
            known.setdefault(part.shape, []).append(part)
    for stored in _stored(flatbuffer.read(content)):
        candidates = known.get(stored.values.shape, [])
        if stored.is_sparse:
            candidates = _padded(known, stored.values.shape)
        if candidates and not any(_near(stored, c) for c in candidates):
            raise ExportError(
                "what was written does not give what the Keras model gives: "
                f"{stored.name} holds other weights than the model, not the "
                "same ones rounded. Nothing was left at the target."
            )


def _near(stored, candidate):
    """Whether numbers are rounded, or at the end of the range learnt."""
    wanted = np.clip(candidate, stored.lowest, stored.highest)
    allowed = _HALF * stored.step + _FLOAT32 * np.abs(wanted)
    # Never so for NaN.
    return bool(np.all(np.abs(stored.values - wanted) <= allowed))


def _stored(model):
    """The weights of a file: its constants of one axis or more."""
    for graph in model.subgraphs:
        biases = {bias: factors for bias, *factors in _products(model, graph)}
        folded = {
            index
            for operator in graph.operators or []
            if flatbuffer.name_of(model, operator) in _ELEMENTWISE
            for index in operator.inputs
        }
        for place, tensor in enumerate(graph.tensors):
            kind, found = flatbuffer.type_of(tensor), None
            if kind == "int32" and place in biases:
                found = _integer_bias(model, tensor, *biases[place])
            elif kind == "int8" and place not in folded:
                found = _integers(model, tensor)
            elif kind in ("float32", "float16"):
                found = _floats(model, tensor)
            if found is not None:
                yield found


def _no_biases(model):
    """Zeros for every product without a bias: others may write them."""
    return [
        np.zeros(weights.shape[axis])
        for graph in model.subgraphs
        for bias, _, weights in _products(model, graph)
        if bias < 0
        # Depthwise convolutions have their channels there.
        for axis in (0, -1)
    ]


def _products(model, graph):
    """The place of every bias, -1 for none, and the tensors of the factors."""
    for operator in graph.operators or []:
        if flatbuffer.name_of(model, operator) in _PRODUCTS:
            first, second, *others = map(int, operator.inputs)
            bias = others[0] if others else -1
            yield bias, graph.tensors[first], graph.tensors[second]


def _integer_bias(model, tensor, inputs, weights):
    """A bias of integers, in steps that the runtime takes from the factors."""
    data = flatbuffer.data_of(model, tensor)
    if data is None or not (_has_scale(inputs) and _has_scale(weights)):
        return None
    step = _scales(inputs) * _scales(weights)
    return Stored(_name(tensor), step * np.frombuffer(data, "int32"), step)


def _integers(model, tensor):
    """A matrix of 8-bit integers with a scale."""
    array = _array(model, tensor)
    if array is None or array.ndim < 2 or not _has_scale(tensor):
        return None
    step = _along(tensor, _scales(tensor))
    zero = _along(tensor, _zero_points(tensor))
    values, lowest, highest = (
        step * (np.asarray(number, "float64") - zero)
        for number in (array, np.iinfo("int8").min, np.iinfo("int8").max)
    )
    is_sparse = tensor.sparsity is not None
    return Stored(_name(tensor), values, step, lowest, highest, is_sparse)


def _floats(model, tensor):
    array = _array(model, tensor)
    if array is None or not array.ndim:
        return None
    is_half = array.dtype == "float16"
    return Stored(
        _name(tensor),
        array.astype("float64"),
        np.spacing(np.abs(array)).astype("float64") if is_half else 0.0,
        is_sparse=tensor.sparsity is not None,
    )


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


def _parts(array):
    """An array, and the matrices in it, each as it is and transposed."""
    if array.ndim != 2:
        yield array
    if array.ndim > 1:
        for matrix in array.reshape(-1, *array.shape[-2:]):
            yield matrix
            yield matrix.T


def _name(tensor):
    return tensor.name.decode() if tensor.name else "a tensor"


def _has_scale(tensor):
    quantization = tensor.quantization
    return quantization is not None and quantization.scale is not None


def _scales(tensor):
    return np.asarray(tensor.quantization.scale, "float64")


def _zero_points(tensor):
    points = tensor.quantization.zeroPoint
    return np.zeros(1) if points is None else np.asarray(points, "float64")


def _along(tensor, numbers):
    """One number for all values, or one for each place of an axis."""
    if len(numbers) == 1:
        return numbers
    shape = [1] * len(tensor.shape)
    shape[tensor.quantization.quantizedDimension] = -1
    return numbers.reshape(shape)
