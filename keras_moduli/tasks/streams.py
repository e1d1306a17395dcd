"""Endless training data in which a step's batch can be made again."""

import itertools

import keras
import numpy as np


def stream(make, seed=0, first_step=0):
    """Batches that depend on the seed and their own step only.

    So a training that goes on at step 500 gets the batches that an unbroken
    one gets from there.

    Args:
        make: From a `numpy.random.Generator` to a batch.
        seed: A non-negative integer.
        first_step: The step to begin with.

    Yields:
        What `make` returns.
    """
    for step in itertools.count(first_step):
        yield make(np.random.default_rng([seed, step]))


# Training seeds are sequences of two numbers, so three meet none of them.
_HELD_OUT = {"validation": [0, 0, 1], "test": [0, 0, 2]}


def held_out(make, part="validation"):
    """What `make` gives from a generator that no training ever uses.

    Args:
        make: From a `numpy.random.Generator` to data.
        part: `"validation"` or `"test"`: two parts that share nothing.

    Returns:
        What `make` returns; the same every time.
    """
    return make(np.random.default_rng(_HELD_OUT[part]))


def first(count, data):
    """The first examples of a structure of arrays."""
    return keras.tree.map_structure(lambda array: array[:count], data)
