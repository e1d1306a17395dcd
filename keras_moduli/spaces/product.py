"""Products of spaces."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_moduli.spaces.arrays import safe_sqrt
from keras_moduli.spaces.base import ModuliSpace
from keras_moduli.spaces.registry import get
from keras_moduli.spaces.registry import serialize
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class Product(ModuliSpace):
    """A product of spaces: a point is one point of each.

    The squared distance is the weighted sum of the factors' squared
    distances, `d^2 = w_1 * d_1^2 + w_2 * d_2^2 + ...`.

    Args:
        spaces: Sequence of at least one space: names, `ModuliSpace`s or
            serialized ones.
        weights: Sequence of positive numbers, one per space. Defaults to
            `1.0` each.

    Example:

    >>> mixed = keras_moduli.spaces.Product(["sphere", "torus"])
    >>> mixed.ambient_dim
    5
    """

    def __init__(
        self, spaces: Sequence[Any], weights: Sequence[float] | None = None
    ) -> None:
        if isinstance(spaces, str) or not len(spaces):
            raise ValueError(
                "`spaces` must be a sequence of at least one space. "
                f"Received: spaces={spaces!r}"
            )
        self.spaces = tuple(get(space) for space in spaces)
        if weights is None:
            weights = [1.0] * len(self.spaces)
        self.weights = tuple(positive("weights", w) for w in weights)
        if len(self.weights) != len(self.spaces):
            raise ValueError(
                "`weights` must hold one number for each space. Received: "
                f"{len(self.weights)} weights for {len(self.spaces)} spaces"
            )
        super().__init__(
            sum(space.dim for space in self.spaces),
            sum(space.ambient_dim for space in self.spaces),
            math.sqrt(
                sum(
                    weight * space.diameter**2
                    for weight, space in zip(
                        self.weights, self.spaces, strict=True
                    )
                )
            ),
            name="*".join(space.name for space in self.spaces),
        )
        dims = [space.cube_dim for space in self.spaces]
        known = [dim for dim in dims if dim is not None]
        self.cube_dim = sum(known) if len(known) == len(dims) else None

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        return np.concatenate(
            [space.draw(n, generator) for space in self.spaces], axis=-1
        )

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        total = 0.0
        for weight, space, a, b in zip(
            self.weights,
            self.spaces,
            self._split(x),
            self._split(y),
            strict=True,
        ):
            total = total + weight * ops.square(space.pairwise(a, b))
        return safe_sqrt(total)

    def project(self, x: Tensor) -> Tensor:
        return self._each("project", ops.convert_to_tensor(x))

    def nearest(self, x: Tensor, y: Tensor) -> Tensor:
        return self._each("nearest", x, y)

    def excess(self, x: np.ndarray) -> np.ndarray:
        return np.max(
            [
                space.excess(part)
                for space, part in zip(self.spaces, self._split(x), strict=True)
            ],
            axis=0,
        )

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        ends = np.cumsum([space.cube_dim for space in self.spaces])
        parts = np.split(u, ends[:-1], axis=-1)
        return np.concatenate(
            [
                space.from_cube(part)
                for space, part in zip(self.spaces, parts, strict=True)
            ],
            axis=-1,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "spaces": [serialize(space) for space in self.spaces],
            "weights": list(self.weights),
        }

    def _split(self, x):
        start = 0
        for space in self.spaces:
            yield x[:, start : start + space.ambient_dim]
            start += space.ambient_dim

    def _each(self, method, *arrays):
        parts = zip(*map(self._split, arrays), strict=True)
        return ops.concatenate(
            [
                getattr(space, method)(*part)
                for space, part in zip(self.spaces, parts, strict=True)
            ],
            axis=-1,
        )
