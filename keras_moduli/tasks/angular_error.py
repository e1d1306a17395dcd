"""How far apart two headings are."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_moduli")
class AngularError(keras.metrics.Mean):
    """Mean angle between two headings, in degrees, from 0 to 180.

    Both are sines and cosines, `(..., 2)`; those of a network need no length
    of 1.
    """

    def __init__(self, name="angular_error", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(y_true, y_pred.dtype)
        cross = (
            y_true[..., 0] * y_pred[..., 1] - y_true[..., 1] * y_pred[..., 0]
        )
        dot = ops.sum(y_true * y_pred, axis=-1)
        angle = ops.abs(ops.arctan2(cross, dot))
        return super().update_state(180.0 / np.pi * angle, sample_weight)
