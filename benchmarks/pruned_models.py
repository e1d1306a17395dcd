"""Models of `export.py`, with random weights and zeros among them.

`size` is what all of them have in common: `steps` and `features` of the input,
and the `outputs` of a read-out, 0 for none.
"""

import keras
import numpy as np

from keras_moduli import MagnitudePruning

LAYERS = {
    "LSTM": keras.layers.LSTM,
    "GRU": keras.layers.GRU,
    "SimpleRNN": keras.layers.SimpleRNN,
}


def dense_model(size, kind, units):
    """A model with random weights."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((size.steps, size.features), name="x"),
            LAYERS[kind](units, name="rnn"),
        ]
    )
    if size.outputs:
        model.add(keras.layers.Dense(size.outputs, name="out"))
    return model


def dense_twin(size, kind, model):
    """A dense model with about as many weights as are left of another one."""
    recurrent = model.get_layer("rnn").cell.recurrent_kernel
    units, gates = recurrent.shape[0], recurrent.shape[1] // recurrent.shape[0]
    left = sum(
        np.count_nonzero(keras.ops.convert_to_numpy(kernel))
        for kernel in model.trainable_variables
    )

    def surplus(units):
        each = gates * (size.features + units + 1) + size.outputs
        return abs(units * each + size.outputs - left)

    return dense_model(size, kind, min(range(1, units), key=surplus))


def pruned_model(size, kind, units, pattern, sparsity, weights):
    """A model with random weights, pruned by magnitude in a pattern."""
    model = dense_model(size, kind, units)
    pruning = MagnitudePruning(
        lambda step: (True, sparsity), weights, pattern=pattern, ranking="local"
    )
    pruning.set_model(model)
    pruning.step()
    return model
