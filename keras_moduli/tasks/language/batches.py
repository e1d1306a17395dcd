"""Texts, as arrays of codes, cut into batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from keras_moduli.tasks.streams import stream


def dataset(
    codes: np.ndarray,
    sequence_length: int = 64,
    batch_size: int = 32,
    seed: int = 0,
    first_step: int = 0,
    carried: bool = False,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches of a text.

    Args:
        codes: Array of codes, `(length,)`.
        sequence_length: Characters or words in one sequence.
        batch_size: Sequences in one batch.
        seed: Integer.
        first_step: The step to begin with; see `streams.stream`.
        carried: `False` for random pieces of the text; `True` to cut it into
            `batch_size` parallel streams, each batch going on where the one
            before ended, and over again at the end; the seed is idle then.

    Yields:
        Pairs of int32 arrays `(batch_size, sequence_length)`: codes, and the
        codes that follow each of them.

    Example:

    ```python
    codes = np.arange(10_000) % 50
    data = keras_moduli.tasks.language.dataset(codes)
    model = keras_moduli.tasks.language.model(50, units=16)
    model.fit(data, steps_per_epoch=5, shuffle=False)
    ```
    """
    if carried:
        return _continued(codes, sequence_length, batch_size, first_step)
    windows = np.lib.stride_tricks.sliding_window_view(
        codes, sequence_length + 1
    )

    def batch(generator):
        rows = windows[generator.integers(len(windows), size=batch_size)]
        return rows[:, :-1], rows[:, 1:]

    return stream(batch, seed, first_step)


def _continued(codes, sequence_length, batch_size, first_step):
    x, y = streams(codes, sequence_length, batch_size)
    count = len(x) // batch_size
    for step in itertools.count(first_step):
        start = step % count * batch_size
        part = slice(start, start + batch_size)
        yield x[part], y[part]


def windows(
    codes: np.ndarray, sequence_length: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """A text cut into sequences that lie side by side.

    Args:
        codes: Array of codes, `(length,)`.
        sequence_length: Codes in one sequence.

    Returns:
        `(x, y)`: arrays of shape `(count, sequence_length)`.

    Example:

    >>> x, y = keras_moduli.tasks.language.windows(np.arange(9), 4)
    >>> x[1].tolist(), y[1].tolist()
    ([4, 5, 6, 7], [5, 6, 7, 8])
    """
    return streams(codes, sequence_length, 1)


def streams(
    codes: np.ndarray, sequence_length: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """A text as parallel streams, cut into batches that go on from each other.

    Args:
        codes: Array of codes, `(length,)`.
        sequence_length: Codes in one sequence.
        batch_size: How many streams. What does not fill them is left out.

    Returns:
        `(x, y)`: arrays of shape `(batches * batch_size, sequence_length)`;
        row `i` of a batch goes on from row `i` of the batch before.

    Example:

    >>> x, y = keras_moduli.tasks.language.streams(np.arange(9), 2, 2)
    >>> x.tolist()
    [[0, 1], [4, 5], [2, 3], [6, 7]]
    """
    count = (len(codes) - 1) // (batch_size * sequence_length)

    def cut(part):
        part = part[: count * batch_size * sequence_length]
        part = part.reshape(batch_size, count, sequence_length)
        return part.swapaxes(0, 1).reshape(-1, sequence_length)

    return cut(codes), cut(codes[1:])
