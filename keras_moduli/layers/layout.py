"""The weight of a gathered kernel, and as the matrix that Keras would have."""

from keras import ops


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
