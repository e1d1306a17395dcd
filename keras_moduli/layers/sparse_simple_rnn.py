"""A sparse SimpleRNN, and its cell."""

from typing import Any

import keras

from keras_moduli.layers.gathered_kernel import GatheredKernel
from keras_moduli.layers.recurrent import SparseRNN
from keras_moduli.utils.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_moduli")
class SparseSimpleRNNCell(GatheredKernel, keras.layers.SimpleRNNCell):
    """A `keras.layers.SimpleRNNCell` whose neurons have few sources.

    Args:
        units: How many neurons.
        activation: As in `keras.layers.SimpleRNNCell`. Defaults to `"tanh"`.
        **kwargs: Which sources they read, `fan_in` to `seed`, as in
            `SparseSimpleRNN`, and all other arguments of
            `keras.layers.SimpleRNNCell`, by name.

    Example:

    >>> cell = keras_moduli.layers.SparseSimpleRNNCell(96, group_size=8, seed=0)
    >>> keras.layers.RNN(cell)(np.zeros((2, 5, 3))).shape
    TensorShape([2, 96])
    """

    gates = 1
    default_name = "sparse_simple_rnn_cell"

    def call(
        self, sequence: Tensor, states: Any, training: bool = False
    ) -> tuple[Tensor, Any]:
        nested = isinstance(states, (list, tuple))
        state = states[0] if nested else states
        masks = self.recurrent_masks(state, training)
        z = self.input_product(sequence, training)
        z = z + self.recurrent_product(state, masks)
        if self.use_bias:
            z = z + self.bias
        output = self.activation(z)
        return output, [output] if nested else output


@keras.saving.register_keras_serializable(package="keras_moduli")
class SparseSimpleRNN(SparseRNN):
    """A `keras.layers.SimpleRNN` whose neurons read few of each other.

    A step costs `fan_in / units` of the plain layer's multiplications with
    the recurrent kernel, and that is also the share of its weights that are
    in the layer, in the optimizer and in files.

    Args:
        units: How many neurons.
        activation: As in `keras.layers.SimpleRNN`. Defaults to `"tanh"`.
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
        **kwargs: All other arguments of `keras.layers.SimpleRNN`, by name.

    Example:

    >>> layer = keras_moduli.layers.SparseSimpleRNN(
    ...     256, fan_in=0.125, return_sequences=True, seed=0
    ... )
    >>> layer(np.zeros((2, 5, 3))).shape
    TensorShape([2, 5, 256])
    >>> layer.cell.recurrent_kernel.shape
    TensorShape([8, 32, 32])
    """

    cell_class = SparseSimpleRNNCell
