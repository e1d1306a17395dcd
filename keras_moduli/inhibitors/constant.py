"""The same penalty at every distance: plain L1 or L2."""

from typing import Any

import keras
from keras import ops

from keras_moduli.inhibitors.base import Inhibitor
from keras_moduli.utils.argument_validation import not_negative
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class Constant(Inhibitor):
    """The same penalty for every pair: plain L1 or L2.

    Args:
        value: The penalty, at least 0. Defaults to `1.0`.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer(
    ...     "torus", keras_moduli.inhibitors.Constant(2.0), factor=1.0
    ... )
    >>> float(regularizer(np.ones((4, 4), "float32")))
    2.0
    """

    def __init__(self, value: float = 1.0) -> None:
        self.value = not_negative("value", value)

    def __call__(self, distance: Tensor) -> Tensor:
        return ops.full_like(distance, self.value)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}
