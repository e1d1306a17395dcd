"""What the sparse cells share: building, and multiplying, a gathered kernel."""

import random

import numpy as np
from keras import ops

from keras_moduli import spaces
from keras_moduli.layers.connections import share
from keras_moduli.layers.connections import source_count
from keras_moduli.layers.connections import sources
from keras_moduli.layers.initialization import PerFanIn
from keras_moduli.layers.regularization import ByColumn
from keras_moduli.layers.regularization import on_connections
from keras_moduli.models.kernels import mark_gathered


class GatheredKernel:
    """Makes the recurrent kernel of one of Keras's cells a gathered one.

    To be inherited from before the cell of Keras. The weight
    `recurrent_kernel` has shape `(units // group_size, fan_in,
    gates * group_size)`.

    Attributes:
        gates: How many gates the cell has.
        connections: Their name, or `None` if a table was given.
        sources: int32 NumPy array of shape `(units // group_size, fan_in)`.
    """

    gates = 1

    def __init__(
        self,
        units,
        activation="tanh",
        *,
        fan_in=0.1,
        group_size=None,
        connections="own+random",
        space="torus",
        near_share=0.5,
        seed=None,
        **kwargs,
    ):
        # One that stays: the connections are made anew from it.
        seed = random.randint(1, 10**9) if seed is None else seed
        space = spaces.get(space)
        table = sources(
            units,
            fan_in,
            group_size,
            connections,
            space=space,
            seed=seed,
            near_share=near_share,
        )
        super().__init__(units, activation=activation, seed=seed, **kwargs)
        count = table.shape[1]
        named = isinstance(connections, str)
        asked = named and source_count(units, fan_in) == count
        self.fan_in = fan_in if asked else count
        self.group_size = units // len(table)
        self.connections = connections if named else None
        self.space = space
        self.near_share = share("near_share", near_share)
        self.sources = table

    def add_weight(self, *args, name=None, **kwargs):
        """Adds a weight; the recurrent kernel in its gathered form."""
        is_gathered = name == "recurrent_kernel"
        if is_gathered:
            groups, count = self.sources.shape
            size, gates = self.group_size, self.gates
            constraint = kwargs["constraint"]
            kwargs |= {
                "shape": (groups, count, gates * size),
                "initializer": PerFanIn(kwargs["initializer"], gates),
                "regularizer": on_connections(
                    kwargs["regularizer"], self.sources, size, gates
                ),
                "constraint": constraint and ByColumn(constraint, gates),
            }
        weight = super().add_weight(*args, name=name, **kwargs)
        if is_gathered:
            mark_gathered(weight)
        return weight

    def get_config(self):
        connections = self.connections
        return {
            **super().get_config(),
            "fan_in": self.fan_in,
            "group_size": self.group_size,
            "connections": (
                self.sources.tolist() if connections is None else connections
            ),
            "space": spaces.serialize(self.space),
            "near_share": self.near_share,
        }

    def input_product(self, inputs, training):
        """The inputs, with dropout, times the kernel."""
        mask = None
        if training and 0.0 < self.dropout < 1.0:
            mask = self.get_dropout_mask(inputs)
        if not isinstance(mask, list):
            return ops.matmul(_masked(inputs, mask), self.kernel)
        kernels = ops.split(self.kernel, self.gates, axis=1)
        parts = [
            ops.matmul(inputs * of_gate, kernel)
            for of_gate, kernel in zip(mask, kernels, strict=True)
        ]
        return ops.concatenate(parts, axis=1)

    def recurrent_masks(self, state, training):
        """One dropout mask for all gates, a list of one for each, or None."""
        if training and 0.0 < self.recurrent_dropout < 1.0:
            return self.get_recurrent_dropout_mask(state)
        return None

    def recurrent_product(self, state, masks, first=0, last=None):
        """The state, with dropout, times the kernel of some gates.

        Args:
            state: Tensor of shape `(batch, units)`.
            masks: What `recurrent_masks` returned.
            first: The first gate.
            last: The gate after the last. Defaults to `None`: all.

        Returns:
            Tensor of shape `(batch, gates * units)`.
        """
        last = self.gates if last is None else last
        if not isinstance(masks, list):
            return self._product(_masked(state, masks), first, last)
        parts = [
            self._product(state * masks[gate], gate, gate + 1)
            for gate in range(first, last)
        ]
        return ops.concatenate(parts, axis=1)

    def _product(self, state, first, last):
        groups, count = self.sources.shape
        size, gates = self.group_size, last - first
        kernel = self.recurrent_kernel
        if gates != self.gates:
            kernel = kernel[:, :, first * size : last * size]
        read = ops.take(state, self.sources.reshape(-1), axis=1)
        read = ops.transpose(ops.reshape(read, (-1, groups, count)), (1, 0, 2))
        product = ops.matmul(read, kernel)  # groups, batch, gates * size
        product = ops.reshape(product, (groups, -1, gates, size))
        product = ops.transpose(product, (1, 2, 0, 3))
        return ops.reshape(product, (-1, gates * groups * size))


def dense(cell, weight):
    """A gathered kernel, or its mask, as the plain cell's NumPy array."""
    groups, count = cell.sources.shape
    size, units = cell.group_size, groups * cell.group_size
    weight = np.asarray(weight).reshape(groups, count, cell.gates, size)
    kernel = np.zeros((units, cell.gates, groups, size), weight.dtype)
    for group, row in enumerate(cell.sources):
        kernel[row, :, group] = weight[group]
    return kernel.reshape(units, cell.gates * units)


def gathered(cell, kernel):
    """The inverse of `dense`: what a cell holds of a plain kernel."""
    groups, count = cell.sources.shape
    size = cell.group_size
    kernel = np.asarray(kernel).reshape(-1, cell.gates, groups, size)
    weight = [kernel[row, :, group] for group, row in enumerate(cell.sources)]
    return np.stack(weight).reshape(groups, count, cell.gates * size)


def _masked(tensor, mask):
    return tensor if mask is None else tensor * mask
