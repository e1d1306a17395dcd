"""The products that cells and Dense layers make, as arrays."""

import dataclasses

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Part:
    """One kernel, or what one product takes of it: `gates` side by side."""

    kernel: np.ndarray
    gates: int
    recurrent: bool = False


def parts_of(layer, order=None):
    """The products that a lowerable layer makes: `{name: Part}`.

    Args:
        layer: A cell or Dense layer.
        order: A renumbering of its units.
    """
    gates = _GATES[type(layer)]
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    parts = {"kernel": Part(_columns(kernel, gates, order), gates)}
    if type(layer) is keras.layers.Dense:
        return parts
    recurrent = keras.ops.convert_to_numpy(layer.recurrent_kernel)
    recurrent = _columns(recurrent, gates, order)
    if order is not None:
        recurrent = recurrent[order]
    if resets_before(layer):
        # The candidate's product waits for the reset gate.
        middle = 2 * layer.units
        parts["gates"] = Part(recurrent[:, :middle], 2, True)
        parts["candidate"] = Part(recurrent[:, middle:], 1, True)
    else:
        parts["recurrent_kernel"] = Part(recurrent, gates, True)
    return parts


def resets_before(layer):
    return not getattr(layer, "reset_after", True)


def _columns(array, gates, order):
    """Reorders the units within every gate of the last axis."""
    if order is None:
        return array
    blocks = array.reshape(*array.shape[:-1], gates, len(order))
    return blocks[..., order].reshape(array.shape)


def biases_of(layer, order=None):
    """The input's and the state's bias; 0 where there is none."""
    if layer.bias is None:
        return 0, 0
    bias = keras.ops.convert_to_numpy(layer.bias)
    bias = _columns(bias, _GATES[type(layer)], order)
    return tuple(bias) if bias.ndim == 2 else (bias, 0)


_GATES = {
    keras.layers.SimpleRNNCell: 1,
    keras.layers.LSTMCell: 4,
    keras.layers.GRUCell: 3,
    keras.layers.Dense: 1,
}
