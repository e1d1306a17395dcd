"""Forecasts beyond what a network has seen: examples, model, error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_moduli.tasks.streams import stream
from keras_moduli.utils.typing import Tensor


def examples(
    values: np.ndarray,
    starts: np.ndarray,
    sequence_length: int = 96,
    warm_up: int = 40,
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts examples from a series.

    Args:
        values: The series, an array of one dimension.
        starts: Where each example begins, an array of integers.
        sequence_length: Steps of each.
        warm_up: How many of them the network sees.

    Returns:
        `(x, y)`: float32 arrays of shape `(count, sequence_length, 2)`, the
        value of each step, or 0 after the warm-up, and whether it is given, 1
        or 0; and `(count, sequence_length, 1)`, the values.

    Example:

    >>> x, y = keras_moduli.tasks.seasons.examples(
    ...     np.arange(9.0), np.array([0, 5]), sequence_length=3, warm_up=2
    ... )
    >>> x[1]
    array([[5., 1.],
           [6., 1.],
           [0., 0.]], dtype=float32)
    >>> y[1, :, 0]
    array([5., 6., 7.], dtype=float32)
    """
    times = np.asarray(starts)[:, None] + np.arange(sequence_length)
    y = values[times].astype("float32")
    given = np.zeros_like(y)
    given[:, :warm_up] = 1.0
    return np.stack([y * given, given], axis=-1), y[..., None]


def dataset(
    values: np.ndarray,
    sequence_length: int = 96,
    warm_up: int = 40,
    batch_size: int = 32,
    seed: int = 0,
    first_step: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches of examples from random places of a series.

    Args:
        values: The series, an array of one dimension.
        sequence_length: Steps of each example.
        warm_up: How many of them the network sees.
        batch_size: Examples in one batch.
        seed: A non-negative integer.
        first_step: The step to begin with; see `streams.stream`.

    Yields:
        Pairs `(x, y)`; see `examples`.

    Example:

    ```python
    series = keras_moduli.tasks.Seasons().series
    model = keras_moduli.tasks.seasons.model(units=16)
    data = keras_moduli.tasks.seasons.dataset(series.training)
    model.fit(data, steps_per_epoch=5, epochs=2, shuffle=False)
    ```
    """
    last = len(values) - sequence_length
    return stream(
        lambda generator: examples(
            values,
            generator.integers(0, last + 1, batch_size),
            sequence_length,
            warm_up,
        ),
        seed,
        first_step,
    )


@keras.saving.register_keras_serializable(package="keras_moduli")
class ForecastLoss(keras.losses.Loss):
    """Mean absolute error of the steps after a warm-up.

    Args:
        warm_up: How many steps do not count.
        name: Name of the loss.
        **kwargs: Those of `keras.losses.Loss`.

    Example:

    >>> loss = keras_moduli.tasks.seasons.ForecastLoss(warm_up=1)
    >>> y = np.array([[[0.5], [0.5]]])
    >>> float(loss(y, np.array([[[9.0], [0.25]]])))
    0.25
    """

    def __init__(
        self, warm_up: int = 40, name: str = "forecast_loss", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.warm_up = warm_up

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return _apart(y_true, y_pred, self.warm_up)

    def get_config(self) -> dict:
        return {**super().get_config(), "warm_up": self.warm_up}


@keras.saving.register_keras_serializable(package="keras_moduli")
class ForecastError(keras.metrics.Mean):
    """Mean absolute error after a warm-up, in percent of the series' mean.

    Args:
        warm_up: How many steps do not count.
        name: Name of the metric.
        **kwargs: Those of `keras.metrics.Mean`.

    Example:

    >>> metric = keras_moduli.tasks.seasons.ForecastError(warm_up=1)
    >>> y = np.array([[[0.5], [0.5]]])
    >>> float(metric(y, np.array([[[9.0], [0.25]]])))
    25.0
    """

    def __init__(
        self, warm_up: int = 40, name: str = "forecast_error", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.warm_up = warm_up

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None
    ) -> Any:
        error = 100.0 * _apart(y_true, y_pred, self.warm_up)
        return super().update_state(error, sample_weight)

    def get_config(self) -> dict:
        return {**super().get_config(), "warm_up": self.warm_up}


def _apart(y_true, y_pred, warm_up):
    """Absolute errors of the steps that count, `(batch, steps)`."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    return ops.abs(y_true[:, warm_up:, 0] - y_pred[:, warm_up:, 0])


def model(
    units: int = 128,
    sequence_length: int | None = None,
    warm_up: int = 40,
    steps: int = 2000,
    learning_rate: float = 3e-3,
    recurrent_regularizer: Any = None,
) -> keras.Model:
    """A compiled ReLU RNN that answers with the value of every step.

    Args:
        units: Recurrent units.
        sequence_length: Fixes the length of the sequences; `None` leaves it
            open.
        warm_up: How many steps do not count in loss and metric.
        steps: In so many steps the learning rate falls to a tenth.
        learning_rate: Adam's first.
        recurrent_regularizer: For the recurrent kernel.

    Returns:
        A `keras.Model` from `(batch, time, 2)` to `(batch, time, 1)`; see
        `examples`.

    Example:

    >>> keras_moduli.tasks.seasons.model(units=16).output_shape
    (None, None, 1)
    """
    x = keras.Input((sequence_length, 2), name="sequence")
    states = keras.layers.SimpleRNN(
        units,
        activation="relu",
        return_sequences=True,
        recurrent_regularizer=recurrent_regularizer,
        name="rnn",
    )(x)
    y = keras.layers.Dense(1, name="decoder")(states)
    network = keras.Model(x, y, name="seasons")
    rate = keras.optimizers.schedules.CosineDecay(
        learning_rate, steps, alpha=0.1
    )
    network.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=0.5),
        loss=ForecastLoss(warm_up),
        metrics=[ForecastError(warm_up)],
    )
    return network
