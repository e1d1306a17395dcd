"""Models of `export.py`, with random weights and zeros among them.

`size` is what all of them have in common: `steps` and `features` of the input,
and the `outputs` of a read-out, 0 for none.
"""

import keras
import numpy as np

from keras_moduli.models.kernels import select
from keras_moduli.pruning.ranking import highest_along
from keras_moduli.pruning.ranking import kept_count
from keras_moduli.pruning.ranking import lowest

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
    for variable in select(model, weights).values():
        kernel = keras.ops.convert_to_numpy(variable)
        # A layer's gates stand side by side; the read-out has one.
        shape = (len(kernel), -(-kernel.shape[1] // units), -1)
        variable.assign(
            magnitude_pruned(kernel.reshape(shape), pattern, sparsity).reshape(
                kernel.shape
            )
        )
    return model


def magnitude_pruned(kernel, pattern, sparsity):
    """A kernel `(rows, gates, columns)` with its smallest units zeroed."""
    scores = pattern.pool(np.abs(kernel), np.mean)
    axis = pattern.compete_axis
    if axis is None:
        dead = scores.size - kept_count(scores.size, sparsity)
        alive = ~lowest(scores, dead)
    else:
        kept = kept_count(scores.shape[axis], sparsity)
        alive = highest_along(scores, kept, axis)
    return kernel * pattern.expand(alive, kernel.shape)
