"""Heading from a gyroscope: a state on a circle.

A body turns at a rate that changes smoothly; its gyroscope reports the rate
with white noise and a bias that drifts slowly. The network is told the first
heading, as its sine and cosine, and every reading after it, and is to give the
heading after each. Always answering the same heading is wrong by 90 degrees;
what an engineer would do without a network is to sum the readings, and
`summed` does. At the usual settings that is wrong by 12.5 degrees, and the best
linear filter by 12.3: no network can gain much on it, and the task asks how
few weights carry an angle as well.

The data are synthetic; noise and bias are those of a cheap sensor on a body
that shakes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_moduli.tasks.angular_error import AngularError
from keras_moduli.tasks.base import Generated
from keras_moduli.tasks.base import unrolls
from keras_moduli.tasks.options import option
from keras_moduli.tasks.streams import stream
from keras_moduli.utils.argument_validation import not_negative
from keras_moduli.utils.argument_validation import positive_integers

SECONDS = 0.05  # one step
RATE = 2.0  # standard deviation of the true rate, in rad/s
SMOOTH = 0.5  # time in which the rate forgets itself, in s
DRIFT = 0.02  # how far the bias wanders in a second, in rad/s


def examples(
    count: int,
    sequence_length: int,
    generator: np.random.Generator,
    noise: float = 1.0,
    bias: float = 0.1,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draws turning bodies and what their gyroscopes report.

    Args:
        count: How many bodies.
        sequence_length: Readings of each, one every 0.05 s.
        generator: A `numpy.random.Generator`.
        noise: Standard deviation of a reading's noise, in rad/s.
        bias: Standard deviation of the first bias, in rad/s.

    Returns:
        `(inputs, y)`: a dict with `"start"`, `(count, 2)`, the sine and cosine
        of the first heading, and `"rate"`, `(count, sequence_length, 1)`, the
        readings in rad/s; and the sines and cosines of the headings after
        each, `(count, sequence_length, 2)`. All are float32.

    Example:

    >>> inputs, y = keras_moduli.tasks.heading.examples(
    ...     3, 20, np.random.default_rng(0)
    ... )
    >>> inputs["rate"].shape, y.shape
    ((3, 20, 1), (3, 20, 2))
    """
    shape = (sequence_length, count)
    keep = np.exp(-SECONDS / SMOOTH)
    kicks = RATE * generator.normal(size=shape)
    rate = kicks.copy()
    for step in range(1, sequence_length):
        rate[step] = keep * rate[step - 1] + (1 - keep**2) ** 0.5 * kicks[step]
    drift = generator.normal(0.0, DRIFT * SECONDS**0.5, shape).cumsum(0)
    offset = generator.normal(0.0, bias, count) + drift
    reading = rate + offset + generator.normal(0.0, noise, shape)
    start = generator.uniform(-np.pi, np.pi, count)
    heading = start + SECONDS * rate.cumsum(0)
    inputs = {
        "start": _on_circle(start),
        "rate": reading.T[..., None].astype("float32"),
    }
    return inputs, _on_circle(heading.T)


def summed(inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The headings one gets by summing the readings: no network at all.

    Args:
        inputs: A dict with `"start"` and `"rate"`; see `examples`.

    Returns:
        Sines and cosines, a float32 array of shape `(count, time, 2)`.

    Example:

    >>> still = {"start": np.array([[0.0, 1.0]]), "rate": np.zeros((1, 3, 1))}
    >>> keras_moduli.tasks.heading.summed(still)[0, -1]
    array([0., 1.], dtype=float32)
    """
    start = np.arctan2(inputs["start"][:, :1], inputs["start"][:, 1:])
    turned = SECONDS * inputs["rate"][..., 0].astype("float64").cumsum(1)
    return _on_circle(start + turned)


def _on_circle(angle):
    return np.stack([np.sin(angle), np.cos(angle)], -1).astype("float32")


def dataset(
    sequence_length: int = 50,
    batch_size: int = 100,
    noise: float = 1.0,
    bias: float = 0.1,
    seed: int = 0,
    first_step: int = 0,
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Endless batches of fresh examples.

    Args:
        sequence_length: Readings in each sequence.
        batch_size: Sequences in one batch.
        noise: See `examples`.
        bias: See `examples`.
        seed: A non-negative integer.
        first_step: The step to begin with; see `streams.stream`.

    Yields:
        Pairs `(inputs, y)`; see `examples`.

    Example:

    ```python
    model = keras_moduli.tasks.heading.model(units=16)
    data = keras_moduli.tasks.heading.dataset(sequence_length=10)
    model.fit(data, steps_per_epoch=5, epochs=2, shuffle=False)
    ```
    """
    return stream(
        lambda generator: examples(
            batch_size, sequence_length, generator, noise, bias
        ),
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
    """A compiled ReLU RNN that starts from the first heading.

    Args:
        units: Recurrent units.
        sequence_length: Fixes the length of the sequences; `None` leaves it
            open.
        learning_rate: Adam's.
        recurrent_regularizer: For the recurrent kernel.
        unroll: Whether the recurrent layer is unrolled, which needs a fixed
            length, and makes steps on TensorFlow faster.

    Returns:
        A `keras.Model` from a dict with `"start"`, `(batch, 2)`, and `"rate"`,
        `(batch, time, 1)`, to sines and cosines, `(batch, time, 2)`.

    Example:

    >>> keras_moduli.tasks.heading.model(units=16).output_shape
    (None, None, 2)
    """
    start = keras.Input((2,), name="start")
    rate = keras.Input((sequence_length, 1), name="rate")
    state = keras.layers.Dense(units, use_bias=False, name="encoder")(start)
    states = keras.layers.SimpleRNN(
        units,
        activation="relu",
        return_sequences=True,
        recurrent_regularizer=recurrent_regularizer,
        unroll=unroll,
        name="rnn",
    )(rate, initial_state=state)
    y = keras.layers.Dense(2, name="decoder")(states)
    network = keras.Model({"start": start, "rate": rate}, y, name="heading")
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate, global_clipnorm=0.5),
        loss="mean_squared_error",
        metrics=[AngularError()],
    )
    return network


@dataclasses.dataclass(frozen=True)
class Heading(Generated):
    """The task "heading": what a run needs of it, under one set of settings.

    Args:
        units: Recurrent units.
        sequence_length: Readings in each sequence.
        batch_size: Sequences in one batch.
        learning_rate: Adam's.
        noise: Standard deviation of a reading's noise, in rad/s.
        bias: Standard deviation of the first bias, in rad/s.
        validation_size: Sequences to validate on, and as many to test on.

    Raises:
        ValueError: If a size is not a positive integer, or noise or bias is
            negative.

    Example:

    >>> inputs, y = keras_moduli.tasks.Heading(sequence_length=30).validation
    >>> inputs["rate"].shape, y.shape
    ((2000, 30, 1), (2000, 30, 2))
    """

    units: int = option(128, "N", "recurrent units")
    sequence_length: int = option(50, "N", "steps of a sequence")
    batch_size: int = option(100, "N", "sequences in a batch")
    learning_rate: float = option(1e-3, "X", "learning rate")
    noise: float = option(
        1.0, "X", "standard deviation of a reading's noise, in rad/s"
    )
    bias: float = option(
        0.1, "X", "standard deviation of the first bias, in rad/s"
    )
    validation_size: int = 2000

    metric = "angular_error"
    metric_label = "angular error (degrees)"
    presets = {"small": {"steps": 3000, "epochs": 20, "factor": 1e-3}}

    def __post_init__(self):
        positive_integers(
            self,
            "units",
            "sequence_length",
            "batch_size",
            "validation_size",
        )
        for name in ("noise", "bias"):
            not_negative(name, getattr(self, name))

    def describe(self):
        """One line on the data."""
        return (
            f"headings after each of {self.sequence_length} noisy rates; "
            "always answering the same is wrong by 90 degrees, summing the "
            f"rates by {self.rivals['summed rates']:.1f}"
        )

    def training(self, seed, first_step):
        """Endless training batches, from a step on."""
        return dataset(
            self.sequence_length,
            self.batch_size,
            self.noise,
            self.bias,
            seed,
            first_step,
        )

    def examples(self, count, generator):
        """Draws data; see the function of this name."""
        return examples(
            count, self.sequence_length, generator, self.noise, self.bias
        )

    @property
    def trivial(self):
        """The test error, in degrees, of always answering the same."""
        sine, cosine = self.test[1][..., 0], self.test[1][..., 1]
        return float(np.degrees(np.abs(np.arctan2(sine, cosine)).mean()))

    @property
    def rivals(self):
        """The test error, in degrees, of summing the readings."""
        inputs, y = self.test
        guess = summed(inputs)
        cosine = np.clip(np.sum(y * guess, axis=-1), -1.0, 1.0)
        return {"summed rates": float(np.degrees(np.arccos(cosine)).mean())}

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
