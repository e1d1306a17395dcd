"""The squared distance."""

import keras
from keras import ops

from keras_moduli.inhibitors.base import Inhibitor
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class Diffusion(Inhibitor):
    """The square of the distance: the further, the more penalised.

    Example:

    >>> float(keras_moduli.inhibitors.Diffusion()(np.array(3.0)))
    9.0
    """

    def __call__(self, distance: Tensor) -> Tensor:
        return ops.square(distance)
