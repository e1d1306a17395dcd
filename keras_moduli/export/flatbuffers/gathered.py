"""Kernels of which groups of targets gather the sources that they read."""

import dataclasses
import math

import numpy as np

from keras_moduli.export.flatbuffers import flatbuffer

_PASSED = ("RESHAPE", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE")
# Which input is taken apart.
_SPLIT = {"SPLIT": 1, "SPLIT_V": 0}


@dataclasses.dataclass(frozen=True)
class GatheredWeights:
    """A kernel in the layout `"gathered"`.

    Attributes:
        groups: How many groups of consecutive units there are.
        group_size: How many units a group has.
        gates: In how many gates.
        fan_in: How many sources each group reads.
        type: The weights' type (`"float32"`, `"int8"`, ...).
        bytes: What the weights take in the file.
        sparsity: The fraction of zeros among them, or `None` if the type is
            not known.
        operator: `"BATCH_MATMUL"` for all groups at once, or
            `"FULLY_CONNECTED"` for each.
    """

    groups: int
    group_size: int
    gates: int
    fan_in: int
    type: str
    bytes: int
    sparsity: float | None
    operator: str

    def __str__(self):
        zeros = (
            ""
            if self.sparsity is None
            else f", {self.sparsity:.1%} of the weights stored are zeros"
        )
        return (
            f"{self.bytes:>10,} bytes  {self.groups} groups of "
            f"{self.group_size} units x {self.gates} gates that read "
            f"{self.fan_in} sources each, {self.type}, "
            f"{self.operator}{zeros}"
        )


def gathered_weights(model):
    """The gathered kernels of a file, in its order.

    Args:
        model: What `flatbuffer.read` gives.

    Returns:
        A list of `GatheredWeights`. A kernel that several steps or signatures
        share is in it once.
    """
    found = {}
    for subgraph in model.subgraphs:
        graph = _Graph(model, subgraph)
        for operator in subgraph.operators or []:
            products = graph.products(operator)
            fan_ins = {_fan_in(graph, product) for product in products}
            if len(fan_ins) != 1 or None in fan_ins:
                continue
            tensors = [graph.weights(product) for product in products]
            key = tuple(tensor.buffer for tensor in tensors)
            found.setdefault(
                key, _described(graph, operator, tensors, *fan_ins)
            )
    return list(found.values())


def _fan_in(graph, product):
    """How many sources a group reads in a product, `None` if not gathered."""
    indices, weights = graph.gathered(product.inputs[0]), graph.weights(product)
    if indices is None or weights is None:
        return None
    shape = [int(size) for size in weights.shape]
    groups = shape[0] if len(shape) == 3 else 1
    fan_in = indices // groups
    return fan_in if fan_in in shape[-2:] else None


def _described(graph, operator, tensors, fan_in):
    stored = sum(math.prod(map(int, tensor.shape)) for tensor in tensors)
    groups = sum(
        int(tensor.shape[0]) if len(tensor.shape) == 3 else 1
        for tensor in tensors
    )
    columns = stored // (groups * fan_in)
    size = graph.group_size(operator, columns)
    values = [flatbuffer.values_of(graph.model, tensor) for tensor in tensors]
    known = all(value is not None for value in values)
    zeros = sum(_zeros(value) for value in values) if known else None
    return GatheredWeights(
        groups=groups,
        group_size=size,
        gates=columns // size,
        fan_in=fan_in,
        type=flatbuffer.type_of(tensors[0]),
        bytes=sum(
            len(flatbuffer.data_of(graph.model, tensor)) for tensor in tensors
        ),
        sparsity=None if zeros is None else zeros / stored,
        operator="BATCH_MATMUL"
        if len(tensors[0].shape) == 3
        else "FULLY_CONNECTED",
    )


def _zeros(values):
    """How many of some values are zeros."""
    return values.size - int(np.count_nonzero(values))


class _Graph:
    """Who makes and who reads each tensor of a subgraph."""

    def __init__(self, model, graph):
        self.model, self.tensors = model, graph.tensors
        self._maker = flatbuffer.makers(graph)
        self._readers = {}
        for operator in graph.operators or []:
            for index in operator.inputs:
                self._readers.setdefault(int(index), []).append(operator)

    def name(self, operator):
        return operator and flatbuffer.name_of(self.model, operator)

    def products(self, operator):
        """The products whose results an operator brings together.

        A batched product does it itself; those of single groups are made one
        by a CONCATENATION, or are alone.
        """
        name = self.name(operator)
        if name == "BATCH_MATMUL":
            return [operator]
        if name == "CONCATENATION":
            made = [self._maker.get(int(index)) for index in operator.inputs]
            alike = all(self.name(one) == "FULLY_CONNECTED" for one in made)
            return made if alike else []
        if name != "FULLY_CONNECTED":
            return []
        readers = self._readers.get(int(operator.outputs[0]), [])
        joined = any(self.name(one) == "CONCATENATION" for one in readers)
        return [] if joined else [operator]

    def weights(self, product):
        """The constant that a product multiplies with, or `None`."""
        index = int(product.inputs[1])
        maker = self._maker.get(index)
        if self.name(maker) == "DEQUANTIZE":
            index = int(maker.inputs[0])
        tensor = self.tensors[index]
        data = flatbuffer.data_of(self.model, tensor)
        return None if data is None else tensor

    def gathered(self, index):
        """How many sources a tensor has of those that GATHER took.

        Or of all, if each product reads one part of them; else `None`.
        """
        maker, parts = self._maker.get(int(index)), 1
        while self.name(maker) in (*_PASSED, *_SPLIT):
            source = _SPLIT.get(self.name(maker), 0)
            parts *= len(maker.outputs)  # one gather may be for all groups
            maker = self._maker.get(int(maker.inputs[source]))
        if self.name(maker) != "GATHER":
            read = int(self.tensors[int(index)].shape[-1])
            return read if parts > 1 else None
        indices = self.tensors[int(maker.inputs[1])]
        if flatbuffer.data_of(self.model, indices) is None:
            return None
        return math.prod(map(int, indices.shape)) // parts

    def group_size(self, operator, columns):
        """The last axis, once gates have an axis of their own."""
        index = int(operator.outputs[0])
        while True:
            shape = self.tensors[index].shape
            if len(shape) == 4 and columns % int(shape[-1]) == 0:
                return int(shape[-1])
            readers = self._readers.get(index, [])
            if not readers or self.name(readers[0]) not in _PASSED:
                return columns
            index = int(readers[0].outputs[0])
