"""Ranges of what was zero in every example that they were learnt from.

The converter takes such a tensor, what a masked state gives for one, for
numbers around 1e-8. LiteRT's default delegates refuse the operator that adds
them to others, and with it the file, or end the process.
"""

import numpy as np

from keras_moduli.export.flatbuffers import flatbuffer

_NOTHING = 1e-8  # the converter's steps, where there is no range
_STEP = 2.0**-7  # from -1 to 1, as states and gates have
# What these read has to do with the steps of their biases.
_PRODUCTS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")


def widened(content):
    """The bytes of a file in which such zeros have a range.

    All have the same one, as some operators need it of what they read and
    give.

    Args:
        content: The bytes of a .tflite file of 8-bit integers.
    """
    model = flatbuffer.read(content)
    found = [
        tensor
        for graph in model.subgraphs
        for index, tensor in enumerate(graph.tensors)
        if _is_nothing(model, tensor) and not _is_factor(model, graph, index)
    ]
    for tensor in found:
        tensor.quantization.scale = np.array([_STEP], "float32")
    return flatbuffer.write(model) if found else content


def _is_nothing(model, tensor):
    """Whether a tensor is no constant, and has hardly a range."""
    known = tensor.quantization and tensor.quantization.scale
    return (
        flatbuffer.type_of(tensor) == "int8"
        and known is not None
        and max(known) < _NOTHING
        and flatbuffer.data_of(model, tensor) is None
    )


def _is_factor(model, graph, index):
    return any(
        index in operator.inputs
        and flatbuffer.name_of(model, operator) in _PRODUCTS
        for operator in graph.operators or []
    )
