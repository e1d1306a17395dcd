"""Round spaces: circles, spheres and the projective plane."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_moduli.spaces.arrays import differences
from keras_moduli.spaces.arrays import safe_sqrt
from keras_moduli.spaces.arrays import square_norm
from keras_moduli.spaces.base import ModuliSpace
from keras_moduli.spaces.flat import normal_of
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.argument_validation import positive_integer
from keras_moduli.utils.typing import Tensor


class _Round(ModuliSpace):
    """Unit vectors."""

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        return unit(generator.standard_normal((n, self.ambient_dim)))

    def project(self, x: Tensor) -> Tensor:
        """Unit vectors; the zero vector becomes the first axis."""
        x = ops.convert_to_tensor(x)
        length = safe_sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
        zero = length == 0
        pole = ops.convert_to_tensor(np.eye(1, self.ambient_dim), x.dtype)
        return ops.where(zero, pole, x / ops.where(zero, 1.0, length))


@keras.saving.register_keras_serializable(package="keras_moduli")
class Sphere(_Round):
    """The sphere S^dim; points are unit vectors of `dim + 1` coordinates.

    The distance is `radius` times the angle, computed as
    `2 * atan2(|x - y|, |x + y|)`: unlike the arc cosine of the inner product,
    this is accurate at small angles and has finite gradients.

    Args:
        dim: Dimension, a positive integer. Defaults to `2`.
        radius: Factor from angles to distances. Defaults to `5.0` for the
            circle and the sphere and to `10.0` from S^3 on.

    Example:

    >>> sphere = keras_moduli.spaces.Sphere(radius=1.0)
    >>> float(sphere.distance([[0.0, 0.0, 1.0]], [[0.0, 0.0, -1.0]])[0, 0])
    3.1415927410125732
    """

    def __init__(self, dim: int = 2, radius: float | None = None) -> None:
        dim = positive_integer("dim", dim)
        default = 5.0 if dim <= 2 else 10.0
        self.radius = positive("radius", default if radius is None else radius)
        super().__init__(
            dim,
            dim + 1,
            math.pi * self.radius,
            name={1: "circle", 2: "sphere"}.get(dim, f"sphere{dim}"),
        )
        # Other even spheres have no such simple map of a cube.
        self.cube_dim = dim if dim == 2 or dim % 2 else dim + 1

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        return 2 * self.radius * ops.arctan2(*chords(x, y))

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        if self.dim % 2:
            return _complex_sphere(u)
        if self.dim > 2:
            return unit(normal_of(u))
        # Archimedes: equal heights of a sphere have equal areas.
        height = 2 * u[:, :1] - 1
        return np.column_stack(
            [np.sqrt(1 - height**2) * _complex_sphere(u[:, 1:]), height]
        )

    def to_cube(self, x: Tensor) -> np.ndarray | None:
        if self.dim > 1:
            return None
        angle = np.arctan2(x[:, 1], x[:, 0])
        return np.mod(angle / (2 * math.pi), 1.0)[:, None]

    def get_config(self) -> dict[str, Any]:
        return {"dim": self.dim, "radius": self.radius}


@keras.saving.register_keras_serializable(package="keras_moduli")
class ProjectivePlane(_Round):
    """The real projective plane: the sphere with opposite points glued.

    Points are unit vectors of three coordinates, and `x` and `-x` are the
    same point. The distance is `radius` times the angle of the two lines.

    Args:
        radius: Factor from angles to distances. Defaults to `5.0`.

    Example:

    >>> plane = keras_moduli.spaces.ProjectivePlane()
    >>> float(plane.distance([[0.0, 0.0, 1.0]], [[0.0, 0.0, -1.0]])[0, 0])
    0.0
    """

    def __init__(self, radius: float = 5.0) -> None:
        self.radius = positive("radius", radius)
        super().__init__(2, 3, math.pi / 2 * self.radius)

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        apart, together = chords(x, y)
        return (
            2
            * self.radius
            * ops.arctan2(
                ops.minimum(apart, together), ops.maximum(apart, together)
            )
        )

    def nearest(self, x: Tensor, y: Tensor) -> Tensor:
        opposite = ops.sum(x * y, axis=-1, keepdims=True) < 0
        return ops.where(opposite, -y, y)

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        half = u * [0.5, 1.0]
        return Sphere(2).from_cube(half)

    def get_config(self) -> dict[str, Any]:
        return {"radius": self.radius}


def unit(x):
    """The rows of a NumPy array, normalised."""
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _complex_sphere(u):
    """Maps the cube to the unit sphere of C^m, preserving volumes.

    The squared moduli of a uniform point's coordinates are uniform on the
    simplex, which is cut by breaking a stick; their phases are uniform.

    Args:
        u: Array of shape `(n, 2 * m - 1)` with values in `[0, 1)`.

    Returns:
        Array of shape `(n, 2 * m)`.
    """
    m = (u.shape[1] + 1) // 2
    left = np.ones(len(u))
    squares = []
    for k in range(m - 1):
        part = left * (1 - (1 - u[:, k]) ** (1 / (m - 1 - k)))
        squares.append(part)
        left = left - part
    moduli = np.sqrt([*squares, left]).T
    phases = 2 * math.pi * u[:, m - 1 :]
    return np.stack(
        [moduli * np.cos(phases), moduli * np.sin(phases)], axis=-1
    ).reshape(len(u), 2 * m)


def chords(x, y):
    """The matrices `|x - y|` and `|x + y|`."""
    return tuple(
        safe_sqrt(
            square_norm(
                differences(x, y, axis, sign) for axis in range(x.shape[1])
            )
        )
        for sign in (1.0, -1.0)
    )
