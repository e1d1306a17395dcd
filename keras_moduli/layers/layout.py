"""How a gathered kernel stands in memory, and what it stands for."""

import numpy as np
from keras import ops


class Gathering:
    """A kernel whose targets, in groups, read the same sources in all gates.

    Args:
        sources: int32 NumPy array of shape `(groups, fan_in)`.
        rows: How many sources there are.
        units: How many targets.
        gates: How many gates the kernel has.
    """

    def __init__(self, sources, rows, units, gates):
        self.sources = sources
        self.rows = rows
        self.units = units
        self.gates = gates

    @property
    def size(self):
        """How many targets a group has."""
        return self.units // len(self.sources)

    @property
    def shape(self):
        """The weight's shape, `(groups, fan_in, gates * group_size)`."""
        return (*self.sources.shape, self.gates * self.size)

    def product(self, x, weight, first=0, last=None):
        """A tensor `(batch, rows)` times the kernel of some gates."""
        groups, count = self.sources.shape
        last = self.gates if last is None else last
        size, gates = self.size, last - first
        if gates != self.gates:
            weight = weight[:, :, first * size : last * size]
        places = self.sources.reshape(-1)
        # Groups that read only themselves read everything in its order.
        if not np.array_equal(places, np.arange(self.rows)):
            x = ops.take(x, places, axis=1)
        read = ops.transpose(ops.reshape(x, (-1, groups, count)), (1, 0, 2))
        product = ops.matmul(read, weight)  # groups, batch, gates * size
        product = ops.reshape(product, (groups, -1, gates, size))
        product = ops.transpose(product, (1, 2, 0, 3))
        return ops.reshape(product, (-1, gates * groups * size))

    def dense(self, weight):
        """A weight, or its mask, as the plain cell's NumPy array."""
        groups, count = self.sources.shape
        weight = np.asarray(weight)
        weight = weight.reshape(groups, count, self.gates, self.size)
        shape = self.rows, self.gates, groups, self.size
        kernel = np.zeros(shape, weight.dtype)
        for group, row in enumerate(self.sources):
            kernel[row, :, group] = weight[group]
        return kernel.reshape(self.rows, self.gates * self.units)

    def gathered(self, kernel):
        """The inverse of `dense`: what a cell holds of a plain kernel."""
        kernel = np.asarray(kernel)
        kernel = kernel.reshape(
            self.rows, self.gates, len(self.sources), self.size
        )
        weight = [kernel[row, :, i] for i, row in enumerate(self.sources)]
        return np.stack(weight).reshape(self.shape)


def to_matrix(weight, gates):
    """From `(groups, fan_in, gates * group_size)` to `(fan_in, gates * units)`.

    A column is one target in one gate, in the order of Keras's own kernels.
    """
    groups, fan_in, columns = weight.shape
    split = ops.reshape(weight, (groups, fan_in, gates, columns // gates))
    return ops.reshape(ops.transpose(split, (1, 2, 0, 3)), (fan_in, -1))


def from_matrix(matrix, groups, gates):
    """The inverse of `to_matrix`."""
    fan_in, columns = matrix.shape
    size = columns // (groups * gates)
    split = ops.reshape(matrix, (fan_in, gates, groups, size))
    weight = ops.transpose(split, (2, 0, 1, 3))
    return ops.reshape(weight, (groups, fan_in, gates * size))
