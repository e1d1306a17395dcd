"""Flat spaces of any dimension: tori and Euclidean space."""

import math
import statistics
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
from keras_moduli.utils.argument_validation import positive_integer
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class Torus(ModuliSpace):
    """The flat torus: `[0, period)^dim`, every axis periodic.

    The distance is the Euclidean norm of the per-axis differences, each
    wrapped into `[-period / 2, period / 2]`.

    Args:
        dim: Dimension, a positive integer. Defaults to `2`.
        period: Length of an axis. Defaults to `10.0`.

    Example:

    >>> torus = keras_moduli.spaces.Torus()
    >>> float(torus.distance([[1.0, 5.0]], [[9.0, 5.0]])[0, 0])
    2.0
    """

    def __init__(self, dim: int = 2, period: float = 10.0) -> None:
        dim = positive_integer("dim", dim)
        self.period = positive("period", period)
        super().__init__(
            dim,
            dim,
            self.period / 2 * math.sqrt(dim),
            name="torus" if dim == 2 else f"torus{dim}",
        )

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        return self.from_cube(uniform_cube(n, self.dim, generator))

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        return safe_sqrt(
            square_norm(
                wrapped(differences(x, y, axis), self.period)
                for axis in range(self.dim)
            )
        )

    def project(self, x: Tensor) -> Tensor:
        return into_period(ops.convert_to_tensor(x), self.period)

    def excess(self, x: np.ndarray) -> np.ndarray:
        return outside(x, self.period)

    def nearest(self, x: Tensor, y: Tensor) -> Tensor:
        return x + wrapped(y - x, self.period)

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        return u * self.period

    def to_cube(self, x: np.ndarray) -> np.ndarray | None:
        return x / self.period

    def get_config(self) -> dict[str, Any]:
        return {"dim": self.dim, "period": self.period}


@keras.saving.register_keras_serializable(package="keras_moduli")
class Euclidean(ModuliSpace):
    """Euclidean space R^dim, or a box in it.

    There is no uniform distribution on all of R^dim: points are drawn from a
    normal distribution, or uniformly from a box.

    Args:
        dim: Dimension, a positive integer. Defaults to `3`.
        sampling: `"normal"`, around the origin, or `"box"`: then the space is
            the box `[0, scale]^dim`. Defaults to `"normal"`.
        scale: Standard deviation of the normal distribution, or side of the
            box. Defaults to `10.0`.

    Example:

    >>> space = keras_moduli.spaces.Euclidean(2, sampling="box")
    >>> float(space.distance([[0.0, 0.0]], [[3.0, 4.0]])[0, 0])
    5.0
    """

    def __init__(
        self, dim: int = 3, sampling: str = "normal", scale: float = 10.0
    ) -> None:
        dim = positive_integer("dim", dim)
        self.scale = positive("scale", scale)
        if sampling not in ("normal", "box"):
            raise ValueError(
                "`sampling` must be 'normal' or 'box'. "
                f"Received: sampling={sampling!r}"
            )
        self.sampling = sampling
        self._boxed = sampling == "box"
        super().__init__(
            dim,
            dim,
            self.scale * math.sqrt(dim) if self._boxed else math.inf,
            name=f"{'box' if self._boxed else 'euclidean'}{dim}",
        )

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        if self._boxed:
            return self.from_cube(uniform_cube(n, self.dim, generator))
        return generator.standard_normal((n, self.dim)) * self.scale

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        return safe_sqrt(
            square_norm(differences(x, y, axis) for axis in range(self.dim))
        )

    def project(self, x: Tensor) -> Tensor:
        x = ops.convert_to_tensor(x)
        return ops.clip(x, 0.0, self.scale) if self._boxed else x

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        return u * self.scale if self._boxed else normal_of(u) * self.scale

    def to_cube(self, x: np.ndarray) -> np.ndarray | None:
        return x / self.scale if self._boxed else None

    def get_config(self) -> dict[str, Any]:
        return {
            "dim": self.dim,
            "sampling": self.sampling,
            "scale": self.scale,
        }


def normal_of(u):
    """The normal quantiles of numbers in `(0, 1)`."""
    # At 0 a quantile is infinite.
    u = np.clip(u, 1e-9, 1 - 1e-9)
    return np.vectorize(statistics.NormalDist().inv_cdf)(u)
