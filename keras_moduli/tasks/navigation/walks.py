"""Walks as a network sees them: a start, displacements, and the positions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_moduli.tasks.navigation.trajectories import walk
from keras_moduli.tasks.streams import stream


def examples(
    count: int,
    sequence_length: int,
    generator: np.random.Generator,
    box: float = 2.2,
    noise: float = 0.0,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draws walks.

    Args:
        count: How many.
        sequence_length: Steps of each.
        generator: A `numpy.random.Generator`.
        box: Side of the box in metres.
        noise: Standard deviation of what is wrong with each coordinate of
            each displacement, in metres; the positions are the true ones.

    Returns:
        `(inputs, y)`: a dict with `"start"`, `(count, 2)`, and
        `"displacement"`, `(count, sequence_length, 2)`, and the positions
        after each step, `(count, sequence_length, 2)`; all in metres.

    Example:

    >>> inputs, positions = keras_moduli.tasks.navigation.examples(
    ...     3, 20, np.random.default_rng(0)
    ... )
    >>> inputs["displacement"].shape, positions.shape
    ((3, 20, 2), (3, 20, 2))
    """
    positions = walk(count, sequence_length, box, generator)
    displacement = np.diff(positions, axis=1)
    if noise:
        wrong = generator.normal(0.0, noise, displacement.shape)
        displacement = (displacement + wrong).astype("float32")
    inputs = {"start": positions[:, 0], "displacement": displacement}
    return inputs, positions[:, 1:]


def summed(inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The positions one gets by summing displacements: no network at all.

    Args:
        inputs: A dict with `"start"` and `"displacement"`; see `examples`.

    Returns:
        Positions in metres, a float32 array of shape `(count, time, 2)`.

    Example:

    >>> inputs, positions = keras_moduli.tasks.navigation.examples(
    ...     3, 20, np.random.default_rng(0)
    ... )
    >>> found = keras_moduli.tasks.navigation.summed(inputs)
    >>> bool(np.allclose(found, positions, atol=1e-5))
    True
    """
    moved = inputs["displacement"].astype("float64").cumsum(1)
    return (inputs["start"][:, None] + moved).astype("float32")


def dataset(
    sequence_length: int = 50,
    batch_size: int = 200,
    box: float = 2.2,
    seed: int = 0,
    first_step: int = 0,
    noise: float = 0.0,
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Endless batches of fresh walks.

    Args:
        sequence_length: Steps of each walk.
        batch_size: Walks in one batch.
        box: Side of the box in metres.
        seed: A non-negative integer.
        first_step: The step to begin with; see `streams.stream`.
        noise: See `examples`.

    Yields:
        Pairs `(inputs, y)`; see `examples`.

    Example:

    ```python
    model = keras_moduli.tasks.navigation.model(units=32, cells=16)
    data = keras_moduli.tasks.navigation.dataset(sequence_length=10)
    model.fit(data, steps_per_epoch=5, epochs=2, shuffle=False)
    ```
    """
    return stream(
        lambda generator: examples(
            batch_size, sequence_length, generator, box, noise
        ),
        seed,
        first_step,
    )
