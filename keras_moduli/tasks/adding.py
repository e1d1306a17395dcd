"""The adding problem: remember two of many numbers, and add them.

A sequence holds numbers drawn uniformly from [0, 1) and a marker, which is 1
at two places and 0 elsewhere; the target is the sum of the two marked numbers.
Always answering 1 gives a mean squared error of 1/6.

Reference: S. Hochreiter, J. Schmidhuber, "Long short-term memory", 1997.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_moduli.tasks.base import Generated
from keras_moduli.tasks.base import unrolls
from keras_moduli.tasks.options import option
from keras_moduli.tasks.streams import stream
from keras_moduli.utils.argument_validation import positive_integers


def examples(
    count: int, sequence_length: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws sequences and their sums.

    Args:
        count: How many.
        sequence_length: Numbers in each, at least 2.
        generator: A `numpy.random.Generator`.

    Returns:
        `(x, y)`: float32 arrays of shape `(count, sequence_length, 2)`, the
        numbers and the marker, and `(count, 1)`.

    Example:

    >>> x, y = keras_moduli.tasks.adding.examples(
    ...     3, 50, np.random.default_rng(0)
    ... )
    >>> x.shape, y.shape
    ((3, 50, 2), (3, 1))
    """
    numbers = generator.random((count, sequence_length), "float32")
    # The two largest of as many random numbers are a fair choice of two.
    places = generator.random((count, sequence_length)).argsort(1)[:, -2:]
    marker = np.zeros_like(numbers)
    np.put_along_axis(marker, places, 1.0, axis=1)
    x = np.stack([numbers, marker], axis=-1)
    return x, np.sum(numbers * marker, axis=1, keepdims=True)


def dataset(
    sequence_length: int = 50,
    batch_size: int = 32,
    seed: int = 0,
    first_step: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches of fresh examples.

    Args:
        sequence_length: Numbers in each sequence.
        batch_size: Sequences in one batch.
        seed: A non-negative integer.
        first_step: The step to begin with; see `streams.stream`.

    Yields:
        Pairs `(x, y)`; see `examples`.

    Example:

    ```python
    model = keras_moduli.tasks.adding.model(units=16)
    data = keras_moduli.tasks.adding.dataset(sequence_length=10, seed=1)
    model.fit(data, steps_per_epoch=5, epochs=2, shuffle=False)
    ```
    """
    return stream(
        lambda generator: examples(batch_size, sequence_length, generator),
        seed,
        first_step,
    )


def model(
    units: int = 128,
    sequence_length: int | None = None,
    learning_rate: float = 1e-3,
    recurrent_regularizer: Any = None,
    unroll: bool = False,
) -> keras.Model:
    """A compiled ReLU RNN with a linear read-out of its last state.

    Args:
        units: Recurrent units.
        sequence_length: Fixes the length of the sequences; `None` leaves it
            open.
        learning_rate: Adam's.
        recurrent_regularizer: For the recurrent kernel.
        unroll: Whether the recurrent layer is unrolled, which needs a fixed
            length, and makes steps on TensorFlow faster.

    Returns:
        A `keras.Model` from `(batch, time, 2)` to `(batch, 1)`.

    Example:

    >>> keras_moduli.tasks.adding.model(units=16).output_shape
    (None, 1)
    """
    # Uniform, as wide as PyTorch's default, which the paper's runs had.
    bound = (units + 2) ** -0.5
    uniform = functools.partial(keras.initializers.RandomUniform, -bound, bound)
    x = keras.Input((sequence_length, 2), name="sequence")
    state = keras.layers.SimpleRNN(
        units,
        activation="relu",
        kernel_initializer=uniform(),
        recurrent_initializer=uniform(),
        bias_initializer=uniform(),
        recurrent_regularizer=recurrent_regularizer,
        unroll=unroll,
        name="rnn",
    )(x)
    y = keras.layers.Dense(
        1,
        kernel_initializer=uniform(),
        bias_initializer=uniform(),
        name="decoder",
    )(state)
    network = keras.Model(x, y, name="adding")
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate, global_clipnorm=0.5),
        loss="mean_squared_error",
        metrics=[keras.metrics.MeanSquaredError(name="mse")],
    )
    return network


@dataclasses.dataclass(frozen=True)
class Adding(Generated):
    """The task "adding": what a run needs of it, under one set of settings.

    Args:
        units: Recurrent units.
        sequence_length: Numbers in each sequence, at least 2.
        batch_size: Sequences in one batch.
        learning_rate: Adam's.
        validation_size: Sequences to validate on, and as many to test on.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> x, y = keras_moduli.tasks.Adding(sequence_length=30).validation
    >>> x.shape, y.shape
    ((4000, 30, 2), (4000, 1))
    """

    units: int = option(128, "N", "recurrent units")
    sequence_length: int = option(50, "N", "steps of a sequence")
    batch_size: int = option(32, "N", "sequences in a batch")
    learning_rate: float = option(1e-3, "X", "learning rate")
    validation_size: int = 4000

    metric = "mse"
    metric_label = "mean squared error"
    presets = {
        "small": {
            "units": 64,
            "sequence_length": 30,
            "steps": 8000,
            "epochs": 20,
            "weights": "kernels",
            "factor": 1e-3,
        },
        "paper": {
            "learning_rate": 1e-4,
            "steps": 313 * 110,
            "epochs": 110,
            "weights": "kernels",
            "factor": 1e-3,
            "sparsity": 0.95,
            "pruning_begin": 0.0,
            "pruning_power": 1,
            "pruning_end": 100 / 110,
        },
    }

    def __post_init__(self):
        positive_integers(
            self,
            "units",
            "sequence_length",
            "batch_size",
            "validation_size",
        )
        if self.sequence_length < 2:
            raise ValueError(
                "`sequence_length` must be at least 2, for two numbers to "
                f"add. Received: sequence_length={self.sequence_length}"
            )

    def describe(self):
        """One line on the data."""
        return (
            f"sums of two marked numbers of {self.sequence_length}; always "
            "answering 1 has an error of 0.1667"
        )

    def training(self, seed, first_step):
        """Endless training batches, from a step on."""
        return dataset(self.sequence_length, self.batch_size, seed, first_step)

    def examples(self, count, generator):
        """Draws data; see the function of this name."""
        return examples(count, self.sequence_length, generator)

    @property
    def trivial(self):
        """The test error of always answering 1."""
        return float(np.mean((self.test[1] - 1.0) ** 2))

    def model(self, steps, recurrent_regularizer=None):
        """The compiled model."""
        del steps  # the learning rate stays as it is
        return model(
            self.units,
            self.sequence_length,
            self.learning_rate,
            recurrent_regularizer,
            unrolls(self.sequence_length),
        )
