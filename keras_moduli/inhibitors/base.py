"""What every inhibitor has, and the check that it gives penalties."""

import numpy as np
from keras import ops

from keras_moduli.utils.serialization import Configured
from keras_moduli.utils.typing import Tensor


class Inhibitor(Configured):
    """A function from distances to penalties.

    Any callable that takes a tensor of distances and returns a tensor of the
    same shape can stand in its place; register it with
    `keras.saving.register_keras_serializable` to save models that use it.

    Example:

    ```python
    @keras.saving.register_keras_serializable(package="mine")
    def far(distance):
        return keras.ops.cast(distance > 3.0, distance.dtype)

    keras_moduli.ModuliRegularizer("torus", far)
    ```
    """

    def __call__(self, distance: Tensor) -> Tensor:
        """The penalties.

        Args:
            distance: Tensor of any shape, in the units of the space.

        Returns:
            Tensor of the same shape and dtype, with entries >= 0.
        """
        raise NotImplementedError(f"{type(self).__name__}.__call__")


def checked(inhibitor, distance):
    """An inhibitor's values, computed eagerly, if they are penalties."""
    values = inhibitor(distance)
    block = ops.convert_to_numpy(values)
    if block.shape != tuple(distance.shape):
        raise ValueError(
            "`inhibitor` must return an array of the shape of the distances. "
            f"Received: shape {block.shape} for distances of shape "
            f"{tuple(distance.shape)}"
        )
    # False for NaN too.
    if not (block.min() >= 0 and block.max() < np.inf):
        raise ValueError(
            "`inhibitor` must return finite values of at least 0. Received: "
            f"values from {block.min()} to {block.max()}"
        )
    return values
