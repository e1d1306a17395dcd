"""Where a regularizer's points come from."""

import keras
import numpy as np
from keras import ops

from keras_moduli.spaces.curves import curve_order
from keras_moduli.spaces.curves import even_points


def get(name, points, space):
    """Returns a source of points.

    Args:
        name: The argument's name, for errors.
        points: `"uniform"`, `"ordered"`, an array of shape
            `(units, ambient_dim)`, a regularizer whose points to take, or
            what the result's `serialize()` returned.
        space: The `ModuliSpace` they lie on.

    Returns:
        An object with `draw(space, units, seed)` and `serialize()`.

    Raises:
        ValueError: If the name is unknown, an array has the wrong shape or
            values off the space, or the regularizer is of another space.
    """
    if isinstance(points, str):
        if points not in _DRAWN:
            raise ValueError(
                f"`{name}` must be one of {', '.join(_DRAWN)}, an array of "
                "points or a ModuliRegularizer. "
                f"Received: {name}={points!r}"
            )
        return Drawn(points)
    if isinstance(points, dict):
        points = keras.saving.deserialize_keras_object(points)
    if isinstance(points, keras.regularizers.Regularizer):
        return Borrowed(name, points, space)
    return Given(name, points, space)


class Drawn:
    """Points made from a seed, for any number of units."""

    def __init__(self, name):
        self._name = name

    def draw(self, space, units, seed):
        return _DRAWN[self._name](space, units, seed)

    def serialize(self):
        return self._name


class Given:
    """The user's points, for one number of units."""

    def __init__(self, name, points, space):
        self._name = name
        self._points = _checked(name, points, space)

    def draw(self, space, units, seed):
        del space, seed
        if units != len(self._points):
            raise ValueError(
                f"`{self._name}` holds the points of {len(self._points)} "
                f"units. Received: a kernel or request for {units} units"
            )
        return self._points.copy()

    def serialize(self):
        return self._points.tolist()


class Borrowed:
    """The points of another regularizer."""

    def __init__(self, name, regularizer, space):
        if getattr(regularizer, "space", None) != space:
            raise ValueError(
                f"`{name}` must be a regularizer of the same space, "
                f"{space!r}. Received: {name} of "
                f"{getattr(regularizer, 'space', None)!r}"
            )
        if isinstance(regularizer, keras.Layer):
            raise ValueError(
                f"`{name}` cannot be a trainable regularizer: after saving "
                "and loading, the two would no longer share their points. "
                f"Received: {name}={regularizer!r}"
            )
        self._regularizer = regularizer

    def draw(self, space, units, seed):
        del space, seed
        return self._regularizer.embedding(units)

    def serialize(self):
        return keras.saving.serialize_keras_object(self._regularizer)


def _checked(name, points, space):
    """Points as a float32 array, if they are points of the space."""
    try:
        points = np.array(ops.convert_to_numpy(points), "float32")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be an array of points. Received: {name}={points!r}"
        ) from error
    if points.ndim != 2 or points.shape[1] != space.ambient_dim:
        raise ValueError(
            f"`{name}` must have shape (units, {space.ambient_dim}): points "
            f"of {space.name}. Received: {name} of shape {points.shape}"
        )
    off = np.flatnonzero(~space.belongs(points, atol=1e-4))
    if len(off):
        raise ValueError(
            f"`{name}` must be points of {space.name}, finite and in its "
            f"standard form. Received: {name}[{off[0]}]="
            f"{points[off[0]].tolist()} and {len(off) - 1} more that are not"
        )
    return points


def _uniform(space, units, seed):
    return space.random_uniform(units, seed)


def _ordered(space, units, seed):
    points = even_points(space, units, seed)
    return np.asarray(points[curve_order(space, points)], "float32")


_DRAWN = {"uniform": _uniform, "ordered": _ordered}
