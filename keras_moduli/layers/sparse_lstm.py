"""A sparse LSTM, and its cell."""

from typing import Any

import keras
from keras import ops

from keras_moduli.layers.gathered_kernel import GatheredKernel
from keras_moduli.layers.recurrent import SparseGatedRNN
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class SparseLSTMCell(GatheredKernel, keras.layers.LSTMCell):
    """A `keras.layers.LSTMCell` whose neurons have few sources.

    Args:
        units: How many neurons.
        activation: As in `keras.layers.LSTMCell`. Defaults to `"tanh"`.
        **kwargs: Which sources they read, `fan_in` to `seed`, as in
            `SparseLSTM`, and all other arguments of
            `keras.layers.LSTMCell`, by name.

    Example:

    >>> cell = keras_moduli.layers.SparseLSTMCell(128, group_size=8, seed=0)
    >>> keras.layers.RNN(cell)(np.zeros((2, 5, 3))).shape
    TensorShape([2, 128])
    """

    gates = 4
    default_name = "sparse_lstm_cell"

    def call(
        self, inputs: Tensor, states: Any, training: bool = False
    ) -> tuple[Tensor, Any]:
        state, carry = states
        masks = self.recurrent_masks(state, training)
        z = self.input_product(inputs, training)
        z = z + self.recurrent_product(state, masks)
        if self.use_bias:
            z = z + self.bias
        admit, forget, new, output = ops.split(z, 4, axis=1)
        carry = self.recurrent_activation(forget) * carry + (
            self.recurrent_activation(admit) * self.activation(new)
        )
        state = self.recurrent_activation(output) * self.activation(carry)
        return state, [state, carry]


@keras.saving.register_keras_serializable(package="keras_moduli")
class SparseLSTM(SparseGatedRNN):
    """A `keras.layers.LSTM` whose neurons read few of each other.

    A step costs `fan_in / units` of the plain layer's multiplications with
    the recurrent kernel, and that is also the share of its weights that are
    in the layer, in the optimizer and in files.

    Args:
        units: How many neurons.
        activation: As in `keras.layers.LSTM`. Defaults to `"tanh"`.
        fan_in: How many sources a neuron reads: a share of the units, as a
            float in (0, 1], or their number, as an integer. Not used where
            `connections` say it. Defaults to `0.1`.
        group_size: Consecutive neurons that share their sources; divides
            `units`. Defaults to `None`: the largest that fits, at most 64.
        connections: `"near"`, `"near+random"`, `"own+random"`, `"own"`,
            `"random"`, or an array; see `keras_moduli.layers.sources`.
            Defaults to `"own+random"`.
        space: Where `"near"` measures distances. Defaults to `"torus"`.
        near_share: Share of the sources of `"near+random"` that are near, the
            group itself among them. Defaults to `0.5`.
        kernel_fan_in: How many features a neuron reads, as in `fan_in`.
            Defaults to `None`: all, with a dense input kernel.
        kernel_connections: Which, in groups of `group_size`: a name as in
            `connections`, or an array for `features` instead of `units`
            sources. `"own"` is what is nearest on the space. Defaults to
            `"random"`.
        seed: Of the connections and of dropout, a non-negative integer.
            `None` draws one, which then stays. Defaults to `None`.
        **kwargs: All other arguments of `keras.layers.LSTM` but
            `use_cudnn`, by name.

    Example:

    >>> layer = keras_moduli.layers.SparseLSTM(
    ...     256, fan_in=0.125, return_sequences=True, seed=0
    ... )
    >>> layer(np.zeros((2, 5, 3))).shape
    TensorShape([2, 5, 256])
    >>> layer.cell.recurrent_kernel.shape
    TensorShape([8, 32, 128])
    """

    cell_class = SparseLSTMCell

    unit_forget_bias = property(lambda self: self.cell.unit_forget_bias)
