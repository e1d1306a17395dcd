"""Forecasting what has days and weeks: a state on two circles.

The network sees a few days of traffic, or of another load, and then has to go
on for a week without seeing any: its state must know what time of the day and
of the week it is, which nothing but the traffic tells it. What one would do
without a network is to take the values of a week ago, or the mean of that time
of the week; both know the time, which the network has to find out.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os

import numpy as np

from keras_moduli.tasks.base import Task
from keras_moduli.tasks.options import option
from keras_moduli.tasks.seasons.forecasting import dataset
from keras_moduli.tasks.seasons.forecasting import examples
from keras_moduli.tasks.seasons.forecasting import model
from keras_moduli.tasks.seasons.series import Series
from keras_moduli.tasks.seasons.series import read
from keras_moduli.tasks.seasons.series import traffic
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.argument_validation import positive_integers
from keras_moduli.utils.files import stamps


@dataclasses.dataclass(frozen=True)
class Seasons(Task):
    """The task "seasons": what a run needs of it, under one set of settings.

    Args:
        data: Path of a file, see `seasons.read`; `None` for `seasons.traffic`.
        day: Values in a day of the data.
        every: Values that are averaged to one step.
        warm_up: Steps that the network sees.
        units: Recurrent units.
        sequence_length: Steps of each example, more than `warm_up`.
        batch_size: Examples in one batch.
        learning_rate: Adam's first; it falls to a tenth.
        validation_size: Examples to validate on, and as many to test on, if
            there are so many.

    Raises:
        ValueError: If a size is not a positive integer, or there are no steps
            after the warm-up.

    Example:

    >>> hours = np.arange(24 * 7 * 30)
    >>> np.save("load.npy", 2.0 + np.sin(2 * np.pi * hours / 24))
    >>> x, y = keras_moduli.tasks.Seasons(data="load.npy").validation
    >>> x.shape, y.shape
    ((155, 96, 2), (155, 96, 1))
    """

    data: str | None = option(
        None,
        "FILE",
        "a series, an .npy file or a CSV of one column; without, two years of "
        "traffic that come with AutoTS, extra seasons",
        os.path.abspath,
    )
    day: int = option(24, "N", "values in a day")
    every: int = option(3, "N", "values that are averaged to a step")
    warm_up: int = option(40, "N", "steps that the network sees")
    units: int = option(128, "N", "recurrent units")
    sequence_length: int = option(96, "N", "steps of a sequence")
    batch_size: int = option(32, "N", "sequences in a batch")
    learning_rate: float = option(3e-3, "X", "learning rate")
    validation_size: int = 200

    metric = "forecast_error"
    metric_label = "error in % of the mean"
    # The preset's learning rate suits sparse nets; dense ones like a third.
    twin_rates = (0.3, 1)
    presets = {
        # As good as dense; pruned in training, some lose the week.
        "small": {
            "steps": 2000,
            "epochs": 10,
            "connections": "own+random",
            "group_size": 8,
            "learning_rate": 0.01,
        },
        "pruned": {
            "steps": 2000,
            "epochs": 10,
            "factor": 1e-3,
        },
    }

    def __post_init__(self):
        positive_integers(
            self,
            "day",
            "every",
            "warm_up",
            "units",
            "sequence_length",
            "batch_size",
            "validation_size",
        )
        positive("learning_rate", self.learning_rate)
        if self.sequence_length <= self.warm_up:
            raise ValueError(
                "`sequence_length` must be more than `warm_up`, for something "
                f"to forecast. Received: sequence_length="
                f"{self.sequence_length}, warm_up={self.warm_up}"
            )

    @functools.cached_property
    def series(self):
        """The `Series`, read and divided.

        Raises:
            ValueError: If the data cannot be read, or are too few.
            ImportError: If the usual data are not there.
        """
        files = [] if self.data is None else [self.data]
        series = _series(self.data, self.day, self.every, stamps(files))
        horizon = self.sequence_length - self.warm_up
        begin, end = series.validation
        if end - begin < horizon or begin < max(
            self.sequence_length, series.week
        ):
            raise ValueError(
                "`data` must be longer: validating and testing on an eighth "
                f"each takes at least {8 * horizon * self.every} values, "
                "and what is before it must hold an example and a week. "
                f"Received: {len(series.values) * self.every} values"
            )
        return series

    @property
    def digest(self):
        """What tells this data from other data."""
        return self.series.digest

    def describe(self):
        """One line on the data."""
        series = self.series
        rivals = ", ".join(f"{k} by {v:.1f} %" for k, v in self.rivals.items())
        return (
            f"{self.data or 'cars on a motorway, from AutoTS'}: "
            f"{len(series.values):,} steps, {series.missing:.1%} filled in; "
            f"the best constant is wrong by {self.trivial:.1f} %, {rivals}"
        )

    def training(self, seed, first_step):
        """Endless training batches, from a step on."""
        return dataset(
            self.series.training,
            self.sequence_length,
            self.warm_up,
            self.batch_size,
            seed,
            first_step,
        )

    @functools.cached_property
    def validation(self):
        """Validation data as `(x, y)`: all forecasts lie in that part."""
        return self._cut(self._starts(*self.series.validation))

    @functools.cached_property
    def test(self):
        """Test data, likewise."""
        return self._cut(self._starts(*self.series.test))

    def _starts(self, begin, end):
        """Where examples begin whose forecasts lie between two steps."""
        first = begin - self.warm_up
        last = end - self.sequence_length
        count = min(self.validation_size, last - first + 1)
        return np.linspace(first, last, count).astype(int)

    def _cut(self, starts):
        return examples(
            self.series.values, starts, self.sequence_length, self.warm_up
        )

    @property
    def trivial(self):
        """The test error, in percent, of the best constant."""
        y = self.test[1][:, self.warm_up :]
        return 100.0 * float(np.abs(y - np.median(y)).mean())

    @property
    def rivals(self):
        """The test errors, in percent, of what needs no network."""
        series = self.series
        starts = self._starts(*series.test)
        ahead = np.arange(self.warm_up, self.sequence_length)
        times = starts[:, None] + ahead
        guesses = {
            "the last week": series.before(times, series.week),
            "the last day": series.before(times, series.day),
            "the mean of that time of the week": series.usual(times),
        }
        return {
            name: 100.0 * float(np.abs(series.values[times] - guess).mean())
            for name, guess in guesses.items()
        }

    def model(self, steps, recurrent_regularizer=None):
        """The compiled model."""
        return model(
            self.units,
            self.sequence_length,
            self.warm_up,
            steps,
            self.learning_rate,
            recurrent_regularizer,
        )

    def assets(self):
        """Files that a user of the trained model needs: name to text.

        The model knows of values divided by this mean, less 1.
        """
        return {"scale.json": json.dumps({"mean": self.series.mean})}


@functools.lru_cache(maxsize=2)
def _series(data, day, every, stamp):
    """The series of a file; `stamp` tells whether it has changed."""
    del stamp
    return Series.of(traffic() if data is None else read(data), day, every)
