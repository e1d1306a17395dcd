"""The discrete space: everyone is near to itself alone."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_moduli.spaces.arrays import differences
from keras_moduli.spaces.base import ModuliSpace
from keras_moduli.utils.argument_validation import positive_integer
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class Discrete(ModuliSpace):
    """Points without a geometry: all are at distance 1, to themselves 0.

    The simplest space of all, and the control of all others: with
    `inhibitor="identity"` every connection is penalised alike, but for those
    of a neuron to itself, which are free. The points are 0, 1, 2, ..., and
    neurons that are placed on it each have one of their own, or share it with
    their group.

    Args:
        group_size: How many neurons are placed at each point, a positive
            integer. Defaults to `1`.

    Example:

    >>> pairs = keras_moduli.spaces.Discrete(group_size=2)
    >>> np.asarray(pairs.distance([[0.0], [0.0], [1.0]]))
    array([[0., 0., 1.],
           [0., 0., 1.],
           [1., 1., 0.]], dtype=float32)
    """

    draws_evenly = True

    def __init__(self, group_size: int = 1) -> None:
        self.group_size = positive_integer("group_size", group_size)
        super().__init__(
            0,
            1,
            diameter=1.0,
            name="discrete" if group_size == 1 else f"discrete{group_size}",
        )

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        # Whole groups: a draw with replacement would leave some neurons
        # alone and put others together.
        return (generator.permutation(n) // self.group_size)[:, None]

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        return ops.where(differences(x, y, 0) == 0, 0.0 * x[:, :1], 1.0)

    def project(self, x: Tensor) -> Tensor:
        return ops.maximum(ops.round(ops.convert_to_tensor(x)), 0.0)

    def to_cube(self, x: np.ndarray) -> np.ndarray | None:
        return x / (np.max(x) + 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"group_size": self.group_size}
