"""Constant tensors of a finished .tflite file are stored sparsely.

The converter's own sparse encoding (`Optimize.EXPERIMENTAL_SPARSITY`) drops
rows that do not fill a block, marks quantized matrices so that XNNPACK takes
them for dense ones, and never uses the kernel for single nonzeros. So the
encoding is done here, for exactly the cases that the runtime computes right:

| tensor | stored as | multiplied |
|---|---|---|
| float32, of FULLY_CONNECTED | blocks of 4 sources, or elements | sparsely |
| int8, of FULLY_CONNECTED | blocks of 16, up to 4,096 sources | sparsely |
| other float32, float16 | elements, before a DENSIFY operator | densely |
| float16 tables that are gathered from | as it was: delegates lose it | |
| other int8 | as it was: delegates refuse its DENSIFY | densely |
"""

import dataclasses

import numpy as np

from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.flatbuffers import sparse_encoding


@dataclasses.dataclass(frozen=True)
class Stored:
    """What became of one constant tensor.

    Attributes:
        shape: The tensor's shape.
        type: Its type (`"float32"`, ...).
        sparsity: The fraction of zeros in it.
        form: How it is stored, and how it runs.
        bytes: About what it takes in the file.
    """

    shape: tuple
    type: str
    sparsity: float
    form: str
    bytes: int


class _Dense:
    """The tensor stays as it is."""

    name = "dense"
    stores_less = False

    def allows(self, weights):
        del weights
        return True

    def bytes(self, weights):
        return weights.nbytes

    def time(self, weights):
        return weights.size * _TIME_DENSE

    def apply(self, place):
        pass


class _Multiplied(_Dense):
    """FULLY_CONNECTED multiplies with the nonzeros only."""

    stores_less = True

    def __init__(self, name, form, rows=None, time=1.0):
        self.name, self.form = f"{name}, multiplied sparsely", form
        self.rows, self.time_each = rows, time

    def allows(self, weights):
        sources = weights.shape[-1]
        return sources % self.form.block == 0 and (
            self.rows is None or sources <= self.rows
        )

    def bytes(self, weights):
        return sparse_encoding.stored_bytes(self.form, weights)

    def time(self, weights):
        return self.form.stores(weights) * self.time_each

    def apply(self, place):
        place.store(self.form)
        place.mark_users(_SPARSE_VERSION)


class _Densified(_Dense):
    """A DENSIFY operator unpacks the tensor, once."""

    name = "elements, unpacked when loaded"
    stores_less = True
    form = sparse_encoding.Elements()

    def bytes(self, weights):
        return sparse_encoding.stored_bytes(self.form, weights) + _DENSIFY_BYTES

    def apply(self, place):
        place.store(self.form)
        place.insert_densify()


def encode(content, optimize_for):
    """Stores the sparse constants of a .tflite file sparsely.

    Of all forms that are not much larger than the smallest one, each tensor
    gets the fastest.

    Args:
        content: The bytes of a file without sparse tensors.
        optimize_for: `"size"` allows a tenth more than the smallest form,
            `"latency"` twice as much.

    Returns:
        A pair: the new bytes, and a list with a `Stored` for every constant
        that is now stored sparsely.
    """
    model = flatbuffer.read(content)
    stored = []
    for graph in model.subgraphs:
        for index in range(len(graph.tensors)):
            weights = flatbuffer.constant(model, graph.tensors[index])
            if _matters(weights):
                place = flatbuffer.Place(model, graph, index, weights)
                form = _best(weights, place, optimize_for)
                if form.stores_less:
                    form.apply(place)
                    stored.append(_stored(weights, form))
    return flatbuffer.write(model), stored


def _matters(weights):
    return (
        weights is not None
        and weights.ndim >= 2
        and weights.size >= _SMALLEST
        and str(weights.dtype) in _UNPACKED
        # Constant states of zeros are no weights.
        and weights.any()
        and np.count_nonzero(weights) < _WORTH * weights.size
    )


def _best(weights, place, optimize_for):
    dtype = str(weights.dtype)
    forms = [
        form
        for form in [
            _Dense(),
            *([] if _is_half_table(place) else _UNPACKED[dtype]),
            *(_MULTIPLIED[dtype] if place.is_multiplied() else []),
        ]
        if form.allows(weights)
    ]
    limit = _SLACK[optimize_for] * min(form.bytes(weights) for form in forms)
    return min(
        (form for form in forms if form.bytes(weights) <= limit),
        key=lambda form: form.time(weights),
    )


def _is_half_table(place):
    """Whether float16 numbers are gathered from, once they are float32."""
    made = {
        int(user.outputs[0])
        for user in place.users
        if flatbuffer.name_of(place.model, user) == "DEQUANTIZE"
    }
    return any(
        flatbuffer.name_of(place.model, operator) == "GATHER"
        and int(operator.inputs[0]) in made
        for operator in place.graph.operators
    )


def _stored(weights, form):
    return Stored(
        shape=tuple(map(int, weights.shape)),
        type=str(weights.dtype),
        sparsity=float(np.mean(weights == 0)),
        form=form.name,
        bytes=int(form.bytes(weights)),
    )


# Version 8 of FULLY_CONNECTED says that the weights are sparse; delegates
# that know no sparse products leave such a node to the built-in kernels.
_SPARSE_VERSION = 8

# Times of one stored weight, relative to a float in a block of four.
_TIME_ELEMENT = 3.5
_TIME_DENSE = 0.3

_SLACK = {"size": 1.1, "latency": 2.0}
_DENSIFY_BYTES = 200  # an operator, a tensor, its name
_SMALLEST = 256  # weights; sparse storage of fewer is not worth its overhead
_WORTH = 0.8  # the largest fraction of nonzeros

_ELEMENTS = _Multiplied(
    "elements", sparse_encoding.Elements(), time=_TIME_ELEMENT
)
_BLOCKS_4 = _Multiplied("blocks of 4", sparse_encoding.Blocks(4))
# The sparse int8 kernel counts a row's blocks in one byte.
_BLOCKS_16 = _Multiplied("blocks of 16", sparse_encoding.Blocks(16), rows=4096)

_MULTIPLIED = {
    "float32": [_BLOCKS_4, _ELEMENTS],
    "float16": [],
    "int8": [_BLOCKS_16],
}
_UNPACKED = {"float32": [_Densified()], "float16": [_Densified()], "int8": []}
