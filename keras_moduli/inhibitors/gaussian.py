"""A bell of the distance, upright or inverted."""

from typing import Any

import keras
from keras import ops

from keras_moduli.inhibitors.base import Inhibitor
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class Gaussian(Inhibitor):
    """Penalises near pairs: `amplitude * exp(-d^2 / width)`.

    Args:
        amplitude: The largest penalty. Defaults to `100.0`.
        width: Square of the Gaussian's width. Defaults to `3.0`.
        inverted: Whether to penalise far pairs instead:
            `amplitude * (1 - exp(-d^2 / width))`. Defaults to `False`.

    Example:

    >>> gaussian = keras_moduli.inhibitors.Gaussian(width=1.0)
    >>> [round(float(p), 1) for p in gaussian(np.array([0.0, 1.0, 2.0]))]
    [100.0, 36.8, 1.8]
    """

    def __init__(
        self,
        amplitude: float = 100.0,
        width: float = 3.0,
        inverted: bool = False,
    ) -> None:
        self.amplitude = positive("amplitude", amplitude)
        self.width = positive("width", width)
        self.inverted = bool(inverted)

    def __call__(self, distance: Tensor) -> Tensor:
        exponent = -ops.square(distance) / self.width
        return self.amplitude * (
            -ops.expm1(exponent) if self.inverted else ops.exp(exponent)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "amplitude": self.amplitude,
            "width": self.width,
            "inverted": self.inverted,
        }
