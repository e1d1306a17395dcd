"""The dense twin: the dense model of as many weights as the sparse one."""

import dataclasses
import functools
import math

import numpy as np

from keras_moduli.models.kernels import kernels
from keras_moduli.models.kernels import select

_SMALL = (8, 16, 24)  # units of models that tell how weights grow with them


@functools.lru_cache
def twin_units(task, weights, sparsity):
    """The recurrent units of the dense twin.

    Args:
        task: The task of the sparse model.
        weights: Which of its kernels are pruned; see `Settings`.
        sparsity: Which share of them.

    Returns:
        The number of units with which the dense model comes nearest to as
        many weights as the sparse one has.

    Raises:
        ValueError: If there is no such model.
    """
    pruned, others = _growth(task, weights)
    target = (1 - sparsity) * pruned(task.units) + others(task.units)
    # A quadratic polynomial, growing from zero units on.
    units = float(max((pruned + others - target).roots().real))
    if units < 0.5:
        raise ValueError(
            "`control` cannot be 'dense_twin' here: even without recurrent "
            "units the dense model has more weights than the sparse one. "
            f"Received: sparsity={sparsity}, weights={weights!r}"
        )
    return round(units)


def _growth(task, weights):
    """How many weights are pruned, and how many not, as polynomials of units.

    Whatever the layers, the number of weights is quadratic in the units.
    """
    counts = [_counts(task, weights, units) for units in _SMALL]
    return [
        np.polynomial.Polynomial.fit(_SMALL, part, deg=2).convert()
        for part in zip(*counts, strict=True)
    ]


def _counts(task, weights, units):
    model = dataclasses.replace(task, units=units).model(1, None)
    chosen = [id(v) for v in select(model, weights).values()]
    total = sum(math.prod(v.shape) for v in model.trainable_variables)
    pruned = sum(
        math.prod(v.shape) for v in kernels(model).values() if id(v) in chosen
    )
    return pruned, total - pruned
