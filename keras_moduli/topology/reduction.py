"""From thousands of states to a few points that show their shape."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keras_moduli.spaces.curves import furthest_first
from keras_moduli.utils.argument_validation import positive_integer

_NEIGHBOURS = 10  # by whose distance a point counts as an outlier


def reduce_states(
    states: npt.ArrayLike,
    components: int = 6,
    landmarks: int = 150,
    outliers: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """Reduces states to landmarks in a space of few dimensions.

    Principal components first; then, if asked to, the points with the sparsest
    neighbourhoods are left out; then landmarks are taken one by one, each the
    furthest from those before.

    Args:
        states: Array of shape `(..., units)`.
        components: Principal components to keep, fewer if there are fewer
            units.
        landmarks: Points to keep, fewer if there are fewer.
        outliers: The fraction of points to leave out, in `[0, 1)`. Landmarks
            like outliers; but where states are merely rare, leaving them out
            tears holes. Defaults to `0.0`.
        seed: Of the first choice among too many points: 5,000 at most are
            looked at.

    Returns:
        Float array of shape `(landmarks, components)`.

    Raises:
        ValueError: If there are fewer than 20 states, or some are not finite.

    Example:

    >>> angle = np.linspace(0, 2 * np.pi, 500)
    >>> states = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    >>> keras_moduli.topology.reduce_states(states, landmarks=40).shape
    (40, 2)
    """
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    points = _checked(states)
    components = positive_integer("components", components)
    landmarks = positive_integer("landmarks", landmarks)
    if not 0 <= outliers < 1:
        raise ValueError(
            "`outliers` must be at least 0 and below 1. "
            f"Received: outliers={outliers!r}"
        )
    if len(points) > _LOOKED_AT:
        generator = np.random.default_rng(seed)
        points = points[generator.choice(len(points), _LOOKED_AT, False)]
    components = min(components, *points.shape)
    points = PCA(components, svd_solver="full").fit_transform(points)
    nearest = NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(points)
    lonely = nearest.kneighbors(points)[0][:, -1]
    dense = np.argsort(lonely, kind="stable")
    points = points[dense[: len(points) - int(outliers * len(points))]]
    return points[
        furthest_first(
            min(landmarks, len(points)),
            lambda index: np.linalg.norm(points - points[index], axis=1),
        )
    ]


_LOOKED_AT = 5000


def _checked(states):
    states = np.asarray(states, "float64")
    points = states.reshape(-1, states.shape[-1]) if states.ndim > 1 else states
    if points.ndim != 2 or len(points) < 20:
        raise ValueError(
            "`states` must have shape (..., units) and hold at least 20 "
            f"states. Received: an array of shape {states.shape}"
        )
    if not np.isfinite(points).all():
        raise ValueError(
            "`states` must be finite. Received: an array with NaN or infinity"
        )
    return points
