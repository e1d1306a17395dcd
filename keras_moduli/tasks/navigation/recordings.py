"""Walks cut from recorded positions, for example those of rats.

A recording is an `.npz` file with `t`, seconds, and `pos`, metres, as the
package `ratinabox` (MIT, extra `notebooks`) has two of in its folder `data`:
`sargolini.npz`, ten minutes in a box of 1 m, and `tanni.npz`, two hours in one
of 3.5 by 2.5 m.
"""

from __future__ import annotations

import os

import numpy as np

from keras_moduli.tasks.navigation.trajectories import SECONDS
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.argument_validation import positive_integer

_LONGEST_GAP = 0.25  # seconds without a position that a line may bridge


def recorded(
    file: str | os.PathLike[str],
    sequence_length: int,
    box: float = 2.2,
    seconds: float = SECONDS,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Cuts a recording into walks in the form of `examples`.

    The recording is centred, and scaled, alike in both directions, so that its
    longer side is that of the box; walks follow each other without overlap,
    and none crosses a gap of more than 0.25 s.

    Args:
        file: An `.npz` file with `t` of shape `(samples,)`, rising, in
            seconds, and `pos`, `(samples, 2)`, in metres.
        sequence_length: Steps of each walk.
        box: Side of the box in metres.
        seconds: Duration of a step; positions in between are interpolated.

    Returns:
        `(inputs, y)`: see `navigation.examples`.

    Raises:
        ValueError: If the file is no such recording, or shorter than a walk.

    Example:

    >>> time = np.arange(0.0, 60.0, 0.02)
    >>> circle = 0.4 * np.stack([np.sin(time), np.cos(time)], axis=-1) + 0.5
    >>> np.savez("recording.npz", t=time, pos=circle)
    >>> inputs, positions = keras_moduli.tasks.navigation.recorded(
    ...     "recording.npz", sequence_length=20
    ... )
    >>> positions.shape[1:]
    (20, 2)
    """
    steps = positive_integer("sequence_length", sequence_length)
    box, seconds = positive("box", box), positive("seconds", seconds)
    time, place = _read(file)
    low, high = place.min(0), place.max(0)
    place = (place - (low + high) / 2) * (box / (high - low).max())
    gaps = np.flatnonzero(np.diff(time) > _LONGEST_GAP) + 1
    walks = [
        walk
        for t, p in zip(
            np.split(time, gaps), np.split(place, gaps), strict=True
        )
        for walk in _cut(t, p, steps, seconds)
    ]
    if not walks:
        raise ValueError(
            f"`sequence_length` must leave a walk of {steps} steps of "
            f"{seconds} s in the recording. "
            f"Received: sequence_length={sequence_length}, file={str(file)!r}"
        )
    positions = np.stack(walks).astype("float32")
    inputs = {
        "start": positions[:, 0],
        "displacement": np.diff(positions, axis=1),
    }
    return inputs, positions[:, 1:]


def _read(file):
    """Times and places, checked."""
    with np.load(file) as found:
        if not {"t", "pos"} <= set(found.files):
            raise ValueError(
                "`file` must hold arrays `t` and `pos`. "
                f"Received: {str(file)!r} with {sorted(found.files)}"
            )
        time, place = found["t"], found["pos"]
    if (
        time.ndim != 1
        or len(time) < 2
        or place.shape != (len(time), 2)
        or not np.isfinite(place).all()
        or not np.all(np.diff(time) > 0)
        or not np.ptp(place, axis=0).any()
    ):
        raise ValueError(
            "`file` must hold rising times `t`, `(samples,)`, and finite, "
            "moving places `pos`, `(samples, 2)`. Received: "
            f"{str(file)!r} with shapes {time.shape} and {place.shape}"
        )
    return time, place


def _cut(time, place, steps, seconds):
    """Walks of `steps + 1` positions; one begins where the last one ended."""
    count = int((time[-1] - time[0]) / seconds + 1e-6) // steps
    at = time[0] + seconds * np.arange(count * steps + 1)
    path = np.stack([np.interp(at, time, axis) for axis in place.T], axis=1)
    return [path[i * steps : (i + 1) * steps + 1] for i in range(count)]
