"""Place cells: a position as the activity of cells, and back."""

import keras
import numpy as np
from keras import ops

_BEST = 3  # cells whose centres are averaged to decode a position


def centres(cells, box, seed=0):
    """The centres of place cells, drawn uniformly from the box.

    Args:
        cells: How many.
        box: Side of the box in metres.
        seed: A non-negative integer.

    Returns:
        A float32 array of shape `(cells, 2)`, in metres.
    """
    generator = np.random.default_rng(seed)
    return generator.uniform(-box / 2, box / 2, (cells, 2)).astype("float32")


def code(positions, centres, width=0.12):
    """The activity of place cells: a centre-surround of two softmaxes.

    `softmax(-r^2 / (2 s^2)) - softmax(-r^2 / (4 s^2))`, shifted to be at
    least 0 and scaled to sum to 1.

    Args:
        positions: Tensor of shape `(..., 2)`, in metres.
        centres: Array of shape `(cells, 2)`.
        width: `s`, in metres.

    Returns:
        Tensor of shape `(..., cells)`.
    """
    # Coordinate by coordinate: a sum over an axis of 2 takes most of a step.
    square = sum(
        ops.square(positions[..., axis, None] - centres[:, axis])
        for axis in range(2)
    )
    inner = ops.softmax(-square / (2 * width**2), axis=-1)
    outer = ops.softmax(-square / (4 * width**2), axis=-1)
    activity = inner - outer
    activity = activity - ops.min(activity, axis=-1, keepdims=True)
    return activity / ops.sum(activity, axis=-1, keepdims=True)


def decode(activity, centres):
    """The mean of the centres of the three most active cells.

    Args:
        activity: Tensor of shape `(..., cells)`: codes, or logits.
        centres: Array of shape `(cells, 2)`.

    Returns:
        Tensor of shape `(..., 2)`, in metres.
    """
    _, best = ops.top_k(activity, _BEST)
    return ops.mean(ops.take(centres, best, axis=0), axis=-2)


class _Cells:
    """What the layer, the loss and the metric below share: the cells."""

    def set_cells(self, cells, box, width, seed):
        self._cells = dict(cells=cells, box=box, width=width, seed=seed)
        self.centres = centres(cells, box, seed)
        self.width = width

    def get_config(self):
        return {**super().get_config(), **self._cells}


@keras.saving.register_keras_serializable(package="keras_moduli")
class PlaceCells(_Cells, keras.layers.Layer):
    """Positions `(..., 2)` in metres to place-cell codes `(..., cells)`.

    Args:
        cells: How many cells.
        box: Side of the box in metres.
        width: Width of a place field in metres.
        seed: Seed of the centres.
    """

    def __init__(self, cells=512, box=2.2, width=0.12, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.set_cells(cells, box, width, seed)

    def call(self, positions):
        return code(positions, self.centres, self.width)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], len(self.centres))


@keras.saving.register_keras_serializable(package="keras_moduli")
class PlaceCrossentropy(_Cells, keras.losses.Loss):
    """Cross-entropy of logits with the code of true positions.

    The code is computed here, in the compiled step: data then hold two
    numbers for a position rather than one for each cell.

    Args:
        cells: How many cells.
        box: Side of the box in metres.
        width: Width of a place field in metres.
        seed: Seed of the centres.
    """

    def __init__(
        self,
        cells=512,
        box=2.2,
        width=0.12,
        seed=0,
        name="place_crossentropy",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.set_cells(cells, box, width, seed)

    def call(self, y_true, y_pred):
        wanted = code(y_true, self.centres, self.width)
        return -ops.sum(wanted * ops.log_softmax(y_pred, axis=-1), axis=-1)


@keras.saving.register_keras_serializable(package="keras_moduli")
class PositionError(_Cells, keras.metrics.Mean):
    """Mean distance of decoded positions from the true ones, in cm.

    Args:
        cells: How many cells.
        box: Side of the box in metres.
        width: Width of a place field in metres.
        seed: Seed of the centres.
    """

    def __init__(
        self,
        cells=512,
        box=2.2,
        width=0.12,
        seed=0,
        name="position_error",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.set_cells(cells, box, width, seed)

    def update_state(self, y_true, y_pred, sample_weight=None):
        difference = decode(y_pred, self.centres) - y_true
        distance = ops.sqrt(ops.sum(ops.square(difference), axis=-1))
        return super().update_state(100.0 * distance, sample_weight)
