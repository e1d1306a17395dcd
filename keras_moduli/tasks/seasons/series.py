"""Series with days and weeks: where they come from, how they are divided."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np

WEEK = 7  # days
_HELD_OUT = 8  # an eighth to validate, the last one to test


def traffic() -> np.ndarray:
    """Cars an hour on an American motorway, for two years.

    Westbound on Interstate 94 between Minneapolis and St Paul, October 2016 to
    September 2018, of the Minnesota Department of Transportation. The package
    `autots` holds the values; nothing is downloaded.

    Returns:
        A float64 array of 17,520 values, of which 104 are NaN: missing.

    Raises:
        ImportError: If `autots` is not installed.

    Example:

    ```python
    values = keras_moduli.tasks.seasons.traffic()
    ```
    """
    try:
        from autots.datasets import load_hourly
    except ImportError as error:
        raise ImportError(
            "The usual data of the task 'seasons' need the package `autots`: "
            "`pip install 'keras-moduli[seasons]'`, or name a file of your "
            "own as `data`."
        ) from error
    table = load_hourly(long=False)
    return table["traffic_volume"].to_numpy("float64", copy=True)


def read(file: str | os.PathLike[str]) -> np.ndarray:
    """Reads a series of one's own.

    Args:
        file: An `.npy` file with an array of one dimension, or a text file
            with a number a line, as a CSV of one column. The first line may
            be a name; an empty line, `nan` or `NaN` stands for a value that is
            missing.

    Returns:
        A float64 array.

    Raises:
        ValueError: If the file cannot be read or holds something else.

    Example:

    >>> np.save("load.npy", 5.0 + np.sin(np.arange(2000.0)))
    >>> keras_moduli.tasks.seasons.read("load.npy").shape
    (2000,)
    """
    try:
        values = (
            np.load(file, allow_pickle=False).astype("float64")
            if str(file).endswith(".npy")
            else _lines(Path(file).read_text("utf-8").splitlines())
        )
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            "`data` must be an .npy file or a CSV of one column, a number a "
            f"line: {error}. Received: data='{file}'"
        ) from error
    if values.ndim != 1 or not values.size or np.isinf(values).any():
        raise ValueError(
            "`data` must hold finite numbers in one dimension. Received: "
            f"data='{file}' with an array of shape {values.shape}"
        )
    return values


def _lines(lines):
    """The numbers of lines, of which the first may be a name."""
    if lines and not _is_number(lines[0]):
        lines = lines[1:]
    for line in lines:
        if not _is_number(line):
            raise ValueError(f"this line is no number: {line!r}")
    return np.array([float(line.strip() or "nan") for line in lines])


def _is_number(line):
    try:
        float(line.strip() or "nan")
    except ValueError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Series:
    """A series relative to its mean, and its parts: one after the other.

    Args:
        values: A float32 array, one value a step: how far above the mean of
            the training part, as a share of it.
        mean: That mean.
        week: Steps of a week.
        missing: Share of the values that were filled in.
        digest: What tells the values from others.

    Example:

    >>> hours = np.arange(24.0 * 7 * 20)
    >>> series = keras_moduli.tasks.seasons.Series.of(hours)
    >>> series.day, series.week, series.test
    (8, 56, (980, 1120))
    """

    values: np.ndarray
    mean: float
    week: int
    missing: float = 0.0
    digest: str = ""

    @classmethod
    def of(cls, values: np.ndarray, day: int = 24, every: int = 3) -> Series:
        """The series of some values.

        What is missing is taken from the week before, or from the next one
        where there is none.

        Args:
            values: An array of one dimension; NaN where one is missing.
            day: How many of them a day has.
            every: How many are averaged to one step.

        Raises:
            ValueError: If a step is no fraction of a day, a value is missing
                in every week, or the mean is not positive.

        Example:

        >>> week = np.tile([1.0, 3.0], 7)
        >>> series = keras_moduli.tasks.seasons.Series.of(
        ...     np.tile(week, 20), day=2, every=1
        ... )
        >>> series.week, series.mean, series.values[:2]
        (14, 2.0, array([-0.5,  0.5], dtype=float32))
        """
        if day % every:
            raise ValueError(
                "`every` must divide `day`, for every day to have as many "
                f"steps. Received: every={every}, day={day}"
            )
        missing = np.isnan(values).mean() if len(values) else 0.0
        values = _filled(np.asarray(values, "float64"), WEEK * day)
        steps = values[: len(values) // every * every].reshape(-1, every)
        steps = steps.mean(1)
        mean = steps[: _bounds(len(steps))[0]].mean() if len(steps) else 0.0
        if not mean > 0.0:
            raise ValueError(
                "`data` must have a positive mean, of which errors are "
                f"percents. Received: values with a mean of {mean:g}"
            )
        return cls(
            (steps / mean - 1.0).astype("float32"),
            float(mean),
            WEEK * day // every,
            float(missing),
            hashlib.sha256(values.astype("<f8").tobytes()).hexdigest()[:16],
        )

    @property
    def day(self) -> int:
        """Steps of a day."""
        return self.week // WEEK

    @property
    def training(self) -> np.ndarray:
        """The values to train on: the first three quarters."""
        return self.values[: _bounds(len(self.values))[0]]

    @property
    def validation(self) -> tuple[int, int]:
        """Where the values to validate on begin, and where they end."""
        begin, end = _bounds(len(self.values))
        return begin, end

    @property
    def test(self) -> tuple[int, int]:
        """Likewise, of those to test on."""
        return _bounds(len(self.values))[1], len(self.values)

    def before(self, times: np.ndarray, period: int) -> np.ndarray:
        """What was there a whole number of periods before a forecast began.

        Args:
            times: Steps of forecasts, `(count, horizon)`, one after the other.
            period: Steps of the period.

        Returns:
            The values of the last period before the first step of each,
            repeated: an array of the shape of `times`.
        """
        ahead = np.arange(times.shape[1])
        return self.values[times - period * (1 + ahead // period)]

    def usual(self, times: np.ndarray) -> np.ndarray:
        """The mean of the training values at the same time of the week.

        Args:
            times: Steps, an array of any shape.
        """
        means = [self.training[t :: self.week].mean() for t in range(self.week)]
        return np.array(means)[times % self.week]


def _bounds(count):
    """Where the training part ends, and the validation part."""
    held_out = count // _HELD_OUT
    return count - 2 * held_out, count - held_out


def _filled(values, week):
    values = values.copy()
    for place in np.flatnonzero(np.isnan(values[week:])) + week:
        values[place] = values[place - week]
    for place in np.flatnonzero(np.isnan(values[:-week]))[::-1]:
        values[place] = values[place + week]
    if np.isnan(values).any():
        raise ValueError(
            "`data` must have a value for every time of the week, in some "
            "week. Received: values of which "
            f"{np.isnan(values).sum()} are missing in all"
        )
    return values
