"""Waves of the distance: the paper's sinusoid."""

from typing import Any

import keras
from keras import ops

from keras_moduli.inhibitors.base import Inhibitor
from keras_moduli.utils.argument_validation import positive
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class Ripple(Inhibitor):
    """A sinusoid of the distance: `(amplitude / 2) * (1 + cos(2 * d))`.

    Args:
        amplitude: The largest penalty. Defaults to `100.0`.
        frequency: Angular frequency. Defaults to `2.0`, a ring every pi.

    Example:

    >>> ripple = keras_moduli.inhibitors.Ripple(amplitude=10.0)
    >>> [round(float(p), 3) for p in ripple(np.array([0.0, np.pi / 2, np.pi]))]
    [10.0, 0.0, 10.0]
    """

    def __init__(
        self, amplitude: float = 100.0, frequency: float = 2.0
    ) -> None:
        self.amplitude = positive("amplitude", amplitude)
        self.frequency = positive("frequency", frequency)

    def __call__(self, distance: Tensor) -> Tensor:
        return self.amplitude / 2 * (1.0 + ops.cos(self.frequency * distance))

    def get_config(self) -> dict[str, Any]:
        return {"amplitude": self.amplitude, "frequency": self.frequency}
