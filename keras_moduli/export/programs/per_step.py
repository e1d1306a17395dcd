"""`TimeDistributed` over sequences of unknown length, computed rightly."""

import contextlib

import keras
from keras import ops

from keras_moduli.models.layers import all_layers
from keras_moduli.models.layers import replaced


@contextlib.contextmanager
def any_length(model):
    """Lets `TimeDistributed` layers take sequences of unknown length.

    Where the length is not known when a graph is built, Keras itself makes as
    many steps as there are examples in the batch. Inside, the steps become
    examples of one larger batch instead.
    """
    with contextlib.ExitStack() as stack:
        for layer in all_layers(model):
            if isinstance(layer, keras.layers.TimeDistributed):
                stack.enter_context(replaced(layer, "call", _folded(layer)))
        yield


def _folded(layer):
    call = layer.call

    def folded(inputs, training=None, mask=None):
        if inputs.shape[1] is not None:
            return call(inputs, training=training, mask=mask)
        sizes = ops.shape(inputs)
        outputs = layer.layer(ops.reshape(inputs, (-1, *sizes[2:])))
        # TensorFlow keeps what it knows of one of the two, so that no layer
        # behind loses the size of the batch.
        steps = -1 if isinstance(sizes[0], int) else sizes[1]
        return ops.reshape(outputs, (sizes[0], steps, *ops.shape(outputs)[1:]))

    return folded
