"""A ring of near neurons is spared, as in the paper."""

import math
from typing import Any

import keras
from keras import ops

from keras_moduli.inhibitors.base import Inhibitor
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class DifferenceOfGaussians(Inhibitor):
    """Penalises near and far pairs and spares a ring between them.

    `max(g) - g(d)` with
    `g(d) = amplitude * (exp(-d^2 / wide) - exp(-d^2 / narrow))`, the defaults
    being those of [arXiv:2406.06290](https://arxiv.org/abs/2406.06290). The
    maximum of `g` lies at
    `d^2 = log(wide / narrow) / (1 / narrow - 1 / wide)`.

    Args:
        amplitude: Height of each Gaussian. Defaults to `100.0`.
        wide: Square of the outer Gaussian's width. Defaults to `5.0`.
        narrow: Square of the inner Gaussian's width, below `wide`. Defaults
            to `0.25`.
        inverted: Whether to subtract from the maximum; otherwise the penalty
            is `g` itself, and the ring is what is penalised. Defaults to
            `True`.

    Example:

    >>> distance, value = keras_moduli.inhibitors.DifferenceOfGaussians().peak
    >>> round(distance, 3), round(value, 2)
    (0.888, 81.14)
    """

    def __init__(
        self,
        amplitude: float = 100.0,
        wide: float = 5.0,
        narrow: float = 0.25,
        inverted: bool = True,
    ) -> None:
        self.amplitude = positive("amplitude", amplitude)
        self.wide = positive("wide", wide)
        self.narrow = positive("narrow", narrow)
        self.inverted = bool(inverted)
        if self.narrow >= self.wide:
            raise ValueError(
                "`narrow` must be below `wide`. Received: "
                f"narrow={narrow}, wide={wide}"
            )

    @property
    def peak(self) -> tuple[float, float]:
        """Where `g` is largest, and that largest value."""
        square = math.log(self.wide / self.narrow) / (
            1 / self.narrow - 1 / self.wide
        )
        return math.sqrt(square), self.amplitude * (
            math.exp(-square / self.wide) - math.exp(-square / self.narrow)
        )

    def __call__(self, distance: Tensor) -> Tensor:
        square = ops.square(distance)
        g = self.amplitude * (
            ops.exp(-square / self.wide) - ops.exp(-square / self.narrow)
        )
        # Rounding may take either a hair below 0.
        return ops.maximum(self.peak[1] - g if self.inverted else g, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "amplitude": self.amplitude,
            "wide": self.wide,
            "narrow": self.narrow,
            "inverted": self.inverted,
        }
