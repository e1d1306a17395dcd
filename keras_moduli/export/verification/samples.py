"""Inputs on which an exported file is compared with its model."""

import keras
import numpy as np

from keras_moduli.models.layers import all_layers

_RANDOM = 3  # batches of random inputs, besides the edges
_REAL, _MOST_REAL = 16, 100  # batches of real examples: compared on, at all
_OPEN_LENGTHS = (1, 7, 12)  # tried where a dimension is left open


def samples(program, batch_size, sequence_length=None, inputs=None):
    """Batches of inputs for a program.

    Made ones are: standard normal values, all zeros, values ten times as
    large, and sequences whose second half is zero (padding, where the model
    masks). Whole numbers are drawn from the range that every
    `keras.layers.Embedding` of the model takes, or from {0, 1} if it has
    none, and include the smallest and the largest.

    Args:
        program: A `Program`.
        batch_size: How many examples a batch holds.
        sequence_length: The length of open dimensions, as the file has it;
            `None` gives batches of several lengths.
        inputs: Real examples in the model's structure, used besides the made
            ones: as many batches as they fill, at most 16.

    Returns:
        Two lists of dicts from input name to NumPy array: inputs such as the
        model may have been made for, and extreme ones, which are all zeros or
        large.
    """
    sequence_length = program.sample_length(sequence_length)
    rng = np.random.default_rng(0)
    high = _token_count(program.model)
    is_open = sequence_length is None and any(
        None in spec.shape[1:] for spec in program.sample_specs.values()
    )
    lengths = _OPEN_LENGTHS if is_open else (sequence_length,)
    typical, extreme = real(program, batch_size, inputs)[:_REAL], []
    for length in lengths:
        for make in [_random] * _RANDOM + [_zeros, _large, _padded]:
            batch = {
                name: make(
                    rng, spec.sized(batch_size, length), spec.dtype, high
                )
                for name, spec in program.sample_specs.items()
            }
            (extreme if make in (_zeros, _large) else typical).append(batch)
    return typical, extreme


def real(program, batch_size, inputs):
    """Real examples as batches, at most 100; a rest that fills none is left.

    Args:
        program, batch_size, inputs: As for `samples`.
    """
    if inputs is None:
        return []
    feeds = program.feeds(inputs)
    count = min(len(array) for array in feeds.values())
    if count < batch_size:
        raise ValueError(
            f"`inputs` must hold at least one batch of {batch_size}. "
            f"Received: {count} examples"
        )
    return [
        {
            name: array[start : start + batch_size]
            for name, array in feeds.items()
        }
        for start in range(0, count - batch_size + 1, batch_size)
    ][:_MOST_REAL]


def _token_count(model):
    sizes = [
        layer.input_dim
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.Embedding)
    ]
    return min(sizes, default=2)


def _random(rng, shape, dtype, high):
    if dtype == "bool" or np.issubdtype(dtype, np.integer):
        return rng.integers(0, 2 if dtype == "bool" else high, shape).astype(
            dtype
        )
    return rng.standard_normal(shape).astype(dtype)


def _zeros(rng, shape, dtype, high):
    del rng, high
    return np.zeros(shape, dtype)


def _large(rng, shape, dtype, high):
    if np.issubdtype(dtype, np.integer):
        return np.full(shape, high - 1, dtype)
    return (10 * _random(rng, shape, dtype, high)).astype(dtype)


def _padded(rng, shape, dtype, high):
    values = _random(rng, shape, dtype, high)
    if len(shape) > 1:
        values[:, (shape[1] + 1) // 2 :] = 0
    return values
