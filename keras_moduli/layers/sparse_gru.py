"""A sparse GRU, and its cell."""

from typing import Any

import keras
from keras import ops

from keras_moduli.layers.gathered_kernel import GatheredKernel
from keras_moduli.layers.recurrent import SparseGatedRNN
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class SparseGRUCell(GatheredKernel, keras.layers.GRUCell):
    """A `keras.layers.GRUCell` whose neurons have few sources.

    Args:
        units: How many neurons.
        activation: As in `keras.layers.GRUCell`. Defaults to `"tanh"`.
        **kwargs: Which sources they read, `fan_in` to `seed`, as in
            `SparseGRU`, and all other arguments of
            `keras.layers.GRUCell`, by name.

    Example:

    >>> cell = keras_moduli.layers.SparseGRUCell(128, group_size=8, seed=0)
    >>> keras.layers.RNN(cell)(np.zeros((2, 5, 3))).shape
    TensorShape([2, 128])
    """

    gates = 3
    default_name = "sparse_gru_cell"

    def call(
        self, inputs: Tensor, states: Any, training: bool = False
    ) -> tuple[Tensor, Any]:
        nested = isinstance(states, (list, tuple))
        state = states[0] if nested else states
        masks = self.recurrent_masks(state, training)
        bias, recurrent_bias = self._biases()
        x = self.input_product(inputs, training) + bias
        x_gates, x_new = x[:, : 2 * self.units], x[:, 2 * self.units :]
        if self.reset_after:
            read = self.recurrent_product(state, masks) + recurrent_bias
            x_gates = x_gates + read[:, : 2 * self.units]
        else:
            x_gates = x_gates + self.recurrent_product(state, masks, last=2)
        update, reset = ops.split(self.recurrent_activation(x_gates), 2, axis=1)
        if self.reset_after:
            read_new = reset * read[:, 2 * self.units :]
        else:
            read_new = self.recurrent_product(reset * state, masks, first=2)
        new = self.activation(x_new + read_new)
        state = update * state + (1 - update) * new
        return state, [state] if nested else state

    def _biases(self):
        """The bias of the inputs' product, and of the state's."""
        if not self.use_bias:
            return 0.0, 0.0
        if self.reset_after:
            return self.bias[0], self.bias[1]
        return self.bias, 0.0


@keras.saving.register_keras_serializable(package="keras_moduli")
class SparseGRU(SparseGatedRNN):
    """A `keras.layers.GRU` whose neurons read few of each other.

    A step costs `fan_in / units` of the plain layer's multiplications with
    the recurrent kernel, and that is also the share of its weights that are
    in the layer, in the optimizer and in files.

    Args:
        units: How many neurons.
        activation: As in `keras.layers.GRU`. Defaults to `"tanh"`.
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
        **kwargs: All other arguments of `keras.layers.GRU` but
            `use_cudnn`, by name.

    Example:

    >>> layer = keras_moduli.layers.SparseGRU(
    ...     256, fan_in=0.125, return_sequences=True, seed=0
    ... )
    >>> layer(np.zeros((2, 5, 3))).shape
    TensorShape([2, 5, 256])
    >>> layer.cell.recurrent_kernel.shape
    TensorShape([8, 32, 96])
    """

    cell_class = SparseGRUCell

    reset_after = property(lambda self: self.cell.reset_after)
