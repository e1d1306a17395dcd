"""Examples that a user gives a model, and what is said of wrong ones."""

import contextlib
import re

import numpy as np


def numbers(name, leaf, dtype):
    """Sample data as an array of finite numbers.

    Args:
        name: The input's name.
        leaf: Anything.
        dtype: The type that the model takes.
    """
    received = type(leaf).__name__
    try:
        given = np.asarray(leaf)
        received += f" of {given.dtype}"
        _check_kind(given, dtype)
        array = given.astype(dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`inputs` for '{name}' must be an array of {dtype}. "
            f"Received: {received}"
        ) from error
    if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
        raise ValueError(
            f"`inputs` for '{name}' must be finite: nothing can be compared "
            "on other numbers. Received: NaN or infinity"
        )
    return array


def _check_kind(array, dtype):
    """Raises a TypeError if numbers of another type would lose something."""
    if array.dtype.kind in "cSU":
        raise TypeError(array.dtype)
    if array.dtype.kind == "f" and np.issubdtype(dtype, np.integer):
        if not np.array_equal(array, np.round(array)):  # NaN is never equal
            raise TypeError(array.dtype)


@contextlib.contextmanager
def inputs_explained(model):
    """Makes a ValueError of what TensorFlow says of a model's inputs."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # Without the nodes of the graph, which come before it and after it.
        said = re.sub(r"\{\{.*?\}\}|\[\[.*", "", error.message)
        reason = said.strip().splitlines()[-1].strip()
        raise ValueError(
            "`inputs` must be what the model can compute. TensorFlow says of "
            f"them: {reason}. Received: model={model.name!r}"
        ) from error
