"""Flat surfaces: a piece of the plane whose edges are glued."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_moduli.spaces.arrays import differences
from keras_moduli.spaces.arrays import into_period
from keras_moduli.spaces.arrays import outside
from keras_moduli.spaces.arrays import safe_sqrt
from keras_moduli.spaces.arrays import square_norm
from keras_moduli.spaces.arrays import uniform_cube
from keras_moduli.spaces.arrays import wrapped
from keras_moduli.spaces.base import ModuliSpace
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.typing import Tensor


class GluedSurface(ModuliSpace):
    """A plane in which every point has images, and the nearest one counts.

    The images of a point `(a, b)` are `(a + x, sign * b + y)` for each
    `(x, y, sign)` in `images`, moved by any multiples of the two periods.

    Args:
        periods: The periods of the two axes; `None` for an axis without.
        images: Tuple of `(x, y, sign)`.
        diameter: The largest distance of two points.
    """

    def __init__(self, periods, images, diameter: float) -> None:
        self._periods = periods
        self._images = images
        super().__init__(2, 2, diameter)

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        nearest = None
        for shift_x, shift_y, sign in self._images:
            square = square_norm(
                self._shortest(
                    differences(x, y, 0) - shift_x,
                    differences(x, y, 1, sign) - shift_y,
                )
            )
            nearest = (
                square if nearest is None else ops.minimum(nearest, square)
            )
        return safe_sqrt(nearest)

    def nearest(self, x: Tensor, y: Tensor) -> Tensor:
        steps = ops.stack(
            [
                ops.stack(
                    self._shortest(
                        x[:, 0] - y[:, 0] - shift_x,
                        x[:, 1] - sign * y[:, 1] - shift_y,
                    ),
                    axis=-1,
                )
                for shift_x, shift_y, sign in self._images
            ]
        )
        lengths = ops.sum(ops.square(steps), axis=-1)
        shortest = ops.min(lengths, axis=0)
        step = steps[0]
        for image in range(1, len(self._images)):
            best = lengths[image] <= shortest
            step = ops.where(best[:, None], steps[image], step)
        return x - step

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        return self.from_cube(uniform_cube(n, 2, generator))

    def _shortest(self, dx, dy):
        return [
            delta if period is None else wrapped(delta, period)
            for delta, period in zip((dx, dy), self._periods, strict=True)
        ]


@keras.saving.register_keras_serializable(package="keras_moduli")
class KleinBottle(GluedSurface):
    """The flat Klein bottle: a square whose first axis flips the second.

    `[0, period)^2` with `(x, y) ~ (x + period, period - y)` and
    `(x, y) ~ (x, y + period)`. The distance is the least Euclidean distance
    over all images.

    Args:
        period: Length of both sides. Defaults to `10.0`.

    Example:

    >>> klein_bottle = keras_moduli.spaces.KleinBottle()
    >>> float(klein_bottle.distance([[1.0, 1.0]], [[9.0, 9.0]])[0, 0])
    2.0
    """

    def __init__(self, period: float = 10.0) -> None:
        self.period = positive("period", period)
        # Two crossings of the first axis leave the second as it was.
        super().__init__(
            (2 * self.period, self.period),
            ((0.0, 0.0, 1.0), (self.period, 0.0, -1.0)),
            # From (0, 0), whose images are the corners of a square grid, to
            # the middle of a square; from elsewhere it is nearer.
            self.period / math.sqrt(2),
        )

    def project(self, x: Tensor) -> Tensor:
        x = ops.convert_to_tensor(x)
        flip = 1.0 - 2.0 * ops.mod(ops.floor(x[:, 0] / self.period), 2.0)
        return into_period(
            ops.stack([x[:, 0], flip * x[:, 1]], axis=-1), self.period
        )

    def excess(self, x: np.ndarray) -> np.ndarray:
        return outside(x, self.period)

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        return u * self.period

    def to_cube(self, x: np.ndarray) -> np.ndarray | None:
        return x / self.period

    def get_config(self) -> dict[str, Any]:
        return {"period": self.period}


@keras.saving.register_keras_serializable(package="keras_moduli")
class MoebiusStrip(GluedSurface):
    """The flat Moebius strip: a rectangle glued along one flipped edge.

    `[0, period) x [0, width]` with `(x, y) ~ (x + period, width - y)`. The
    distance is the least Euclidean distance over all images.

    Args:
        period: Length around the strip. Defaults to `10.0`.
        width: Distance of the two points of the edge that face each other.
            Defaults to `10.0`.

    Example:

    >>> strip = keras_moduli.spaces.MoebiusStrip()
    >>> float(strip.distance([[0.0, 1.0]], [[9.0, 9.0]])[0, 0])
    1.0
    """

    def __init__(self, period: float = 10.0, width: float = 10.0) -> None:
        self.period = positive("period", period)
        self.width = positive("width", width)
        longer = max(self.period, self.width)
        super().__init__(
            (2 * self.period, None),
            ((0.0, 0.0, 1.0), (self.period, self.width, -1.0)),
            # From a corner of the unrolled rectangle, whose images are it
            # and the opposite corner, to the point of the edge that is as far
            # from both.
            (self.period**2 + self.width**2) / (2 * longer),
        )

    def project(self, x: Tensor) -> Tensor:
        x = ops.convert_to_tensor(x)
        odd = ops.mod(ops.floor(x[:, 0] / self.period), 2.0)
        across = ops.where(odd > 0, self.width - x[:, 1], x[:, 1])
        return ops.stack(
            [
                into_period(x[:, 0], self.period),
                ops.clip(across, 0.0, self.width),
            ],
            axis=-1,
        )

    def excess(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(
            outside(x[:, :1], self.period), outside(x[:, 1:], self.width)
        )

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        return u * [self.period, self.width]

    def to_cube(self, x: np.ndarray) -> np.ndarray | None:
        return x / [self.period, self.width]

    def get_config(self) -> dict[str, Any]:
        return {"period": self.period, "width": self.width}


@keras.saving.register_keras_serializable(package="keras_moduli")
class HexagonalTorus(GluedSurface):
    """The twisted torus: the plane modulo a hexagonal lattice.

    The lattice is spanned by `(period, 0)` and
    `(period / 2, sqrt(3) / 2 * period)`; its metric is that of the firing
    fields of grid cells. Points are Cartesian; the standard ones lie in the
    parallelogram of the two vectors.

    Args:
        period: Length of the shortest way around. Defaults to `10.0`.

    Example:

    >>> torus = keras_moduli.spaces.HexagonalTorus()
    >>> float(torus.distance([[0.0, 0.0]], [[9.0, 0.0]])[0, 0])
    1.0
    """

    def __init__(self, period: float = 10.0) -> None:
        self.period = positive("period", period)
        height = math.sqrt(3) / 2 * self.period
        # A hexagonal lattice is a rectangular one and its centres.
        super().__init__(
            (self.period, 2 * height),
            ((0.0, 0.0, 1.0), (self.period / 2, height, 1.0)),
            self.period / math.sqrt(3),
        )
        self._basis = np.array([[self.period, 0], [self.period / 2, height]])

    def project(self, x: Tensor) -> Tensor:
        x = ops.convert_to_tensor(x)
        second = x[:, 1] / self._basis[1, 1]
        first = x[:, 0] / self.period - second / 2
        first, second = into_period(first, 1.0), into_period(second, 1.0)
        return ops.stack(
            [
                (first + second / 2) * self.period,
                second * self._basis[1, 1],
            ],
            axis=-1,
        )

    def excess(self, x: np.ndarray) -> np.ndarray:
        return outside(self.to_cube(x), 1.0) * self.period

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        return u @ self._basis

    def to_cube(self, x: np.ndarray) -> np.ndarray | None:
        return x @ np.linalg.inv(self._basis)

    def get_config(self) -> dict[str, Any]:
        return {"period": self.period}
