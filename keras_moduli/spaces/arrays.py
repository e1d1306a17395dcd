"""The arithmetic that spaces share: differentiable, with finite gradients."""

import numpy as np
from keras import ops


def safe_sqrt(x):
    """Square root whose gradient at 0 is 0 instead of infinite."""
    positive = x > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, 1.0)), 0.0)


def wrapped(delta, period):
    """The representative of `delta` modulo `period` that is nearest to 0."""
    return delta - period * ops.round(delta / period)


def into_period(x, period):
    """`x` modulo `period`, in `[0, period)` after rounding too."""
    remainder = x - period * ops.floor(x / period)
    inside = ops.logical_and(remainder >= 0, remainder < period)
    return ops.where(inside, remainder, 0.0 * x)


def uniform_cube(n, dim, generator):
    """Uniform points of `[0, 1)^dim` that float32 holds exactly.

    Multiplied by a period and rounded to float32 they stay below it.
    """
    return generator.random((n, dim), "float32").astype("float64")


def outside(x, size):
    """How far the rows of an array lie outside `[0, size]^dim`."""
    return np.max(np.maximum(-x, x - size), axis=-1)


def differences(x, y, axis, sign=1.0):
    """`x[i] - sign * y[j]` in one coordinate, as a matrix.

    One coordinate at a time, so that no `(n, m, dim)` array ever exists.
    """
    return x[:, axis][:, None] - sign * y[:, axis][None, :]


def square_norm(parts):
    """The sum of the squares of several matrices."""
    total = None
    for part in parts:
        square = ops.square(part)
        total = square if total is None else total + square
    return total
