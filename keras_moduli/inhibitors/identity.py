"""The distance itself."""

import keras

from keras_moduli.inhibitors.base import Inhibitor
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class Identity(Inhibitor):
    """The distance itself.

    Example:

    >>> float(keras_moduli.inhibitors.Identity()(np.array(3.0)))
    3.0
    """

    def __call__(self, distance: Tensor) -> Tensor:
        return distance
