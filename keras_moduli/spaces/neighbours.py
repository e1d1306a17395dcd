"""Which neurons are nearest to groups of neurons."""

import numpy as np
from keras import ops

# Fractions of the largest penalty; coarser than what backends differ by.
_STEPS = 2.0**14


def nearest_sources(
    space, points, group_size, count, inhibitor=None, target_points=None
):
    """The sources nearest to groups of consecutive targets.

    A group's own neurons come first, then the others by the mean of their
    penalties to the group's targets. Ties go to the lower index, and
    differences that depend on a backend's rounding count as ties.

    Args:
        space: A `ModuliSpace`.
        points: Array of shape `(units, ambient_dim)`.
        group_size: Targets per group; divides how many there are.
        count: Sources per group.
        inhibitor: From distance to penalty. Defaults to `None`: the distance.
        target_points: Array of shape `(targets, ambient_dim)`, if the targets
            are other neurons than the sources. Defaults to `None`.

    Returns:
        int32 NumPy array of shape `(targets // group_size, count)`, each row
        ascending.

    Example:

    >>> from keras_moduli.spaces.neighbours import nearest_sources
    >>> line = keras_moduli.spaces.Euclidean(1)
    >>> points = np.arange(6.0)[:, None]
    >>> nearest_sources(line, points, group_size=2, count=3)
    array([[0, 1, 2],
           [1, 2, 3],
           [3, 4, 5]], dtype=int32)
    """
    points = np.asarray(points, "float32")
    targets = points
    if target_points is not None:
        targets = np.asarray(target_points, "float32")
    rows = []
    for start in range(0, len(targets), group_size):
        group = targets[start : start + group_size]
        penalty = space.distance(points, group)
        if inhibitor is not None:
            penalty = inhibitor(penalty)
        mean = ops.convert_to_numpy(penalty).mean(axis=1, dtype="float64")
        mean = np.round(mean * _STEPS / max(np.abs(mean).max(), 1e-30))
        if target_points is None:
            mean[start : start + group_size] = -np.inf
        rows.append(np.sort(np.argsort(mean, kind="stable")[:count]))
    return np.stack(rows).astype("int32")
