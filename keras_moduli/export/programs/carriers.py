"""What layers carry from one step of a stream to the next.

A carrier knows the states of one layer, all zero when a stream begins, and
how the layer computes one step from them.
"""

import keras
from keras import ops

from keras_moduli.models.layers import all_layers
from keras_moduli.models.layers import path_of


class CannotStream(ValueError):
    """Says what keeps a model from being computed step by step."""


def carriers(model):
    """The layers of a model that carry states, each as a carrier."""
    found = [carrier_of(layer) for layer in layers_over_time(model)]
    return [carrier for carrier in found if carrier is not None]


def carrier_of(layer):
    """The carrier of one layer, `None` if it needs none."""
    if isinstance(layer, keras.layers.RNN):
        return Recurrent(layer)
    if not sees_time(layer):
        return None
    if isinstance(layer, CONVOLUTIONS):
        return Window(layer) if width_of(layer) > 1 else None
    return _OTHERS[type(layer)](layer) if type(layer) in _OTHERS else None


def layers_over_time(model):
    """The layers that see the sequence: none of those wrapped per step."""
    per_step = {
        id(inner)
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.TimeDistributed)
        for inner in all_layers(layer.layer)
    }
    return [layer for layer in all_layers(model) if id(layer) not in per_step]


def sees_time(layer, length=None):
    """Whether a layer's input has a time axis, open or of a known length."""
    try:
        shapes = [one.shape for one in keras.tree.flatten(layer.input)]
    except (AttributeError, ValueError):  # a part of another layer
        return False
    return any(
        len(shape) > 2 and shape[1] in (None, length) for shape in shapes
    )


def width_of(layer):
    """How many steps a convolution sees."""
    (size,), (dilation,) = layer.kernel_size, layer.dilation_rate
    return dilation * (size - 1) + 1


class Recurrent:
    """A recurrent layer, perhaps with a loop that a layout put there."""

    holds_in_8_bits = True

    def __init__(self, layer):
        self.layer = layer

    def states(self, batch_size):
        """Shape and type of every state."""
        return [
            ((batch_size, *state.shape[1:]), _in_full(state.dtype))
            for state in keras.tree.flatten(
                self.layer.get_initial_state(batch_size)
            )
        ]

    def replacements(self, given, keep):
        """The layer's attributes while it computes one step.

        Args:
            given: List of tensors: its states before the step.
            keep: A function that takes the list of those after it.
        """
        loop, layer = self.layer.inner_loop, self.layer

        def carrying(sequences, initial_state, mask, training=False):
            if mask is not None:
                raise CannotStream(
                    "`streaming` takes every step for a real one, but "
                    f"'{path_of(layer)}' gets a mask. Build the model without "
                    "masks"
                )
            state = keras.tree.pack_sequence_as(initial_state, given)
            results = loop(sequences, state, None, training=training)
            keep(keras.tree.flatten(results[-1]))
            return results

        # One step needs no loop.
        return {"inner_loop": carrying, "unroll": True}


def _in_full(dtype):
    """What a state of mixed precision is in a file, which runs in float32."""
    dtype = keras.backend.standardize_dtype(dtype)
    return "float32" if dtype in ("float16", "bfloat16") else dtype


class _Calling:
    """A layer whose `call` takes its states into account."""

    holds_in_8_bits = True

    def __init__(self, layer):
        self.layer = layer

    def replacements(self, given, keep):
        def call(inputs, *arguments, **options):
            # A mask or `training=False`: there is nothing to mask in a stream.
            del arguments, options
            outputs, states = self.step(inputs, *given)
            keep(states)
            return outputs

        return {"call": call}

    def _channels(self):
        return self.layer.input.shape[2:]


class Window(_Calling):
    """A convolution that looks back: the steps that it still sees."""

    def __init__(self, layer):
        super().__init__(layer)
        self._convolve = type(layer).call
        self._past = width_of(layer) - 1

    def states(self, batch_size):
        return [((batch_size, self._past, *self._channels()), "float32")]

    def replacements(self, given, keep):
        # What is padded before a stream begins, are the zeros in the state.
        return {**super().replacements(given, keep), "padding": "valid"}

    def step(self, inputs, past):
        seen = ops.concatenate([past, inputs], axis=1)
        return self._convolve(self.layer, seen), [seen[:, 1:]]


class Padding(_Calling):
    """Zeros in front of a sequence: those that a window begins with."""

    def states(self, batch_size):
        del batch_size
        return []

    def step(self, inputs):
        return inputs, []


class Mean(_Calling):
    """The mean of all steps so far, and how many they were."""

    holds_in_8_bits = False  # its changes become smaller than that

    def states(self, batch_size):
        return [
            ((batch_size, *self._channels()), "float32"),
            ((batch_size, 1), "float32"),
        ]

    def step(self, inputs, mean, count):
        count = count + 1
        # Never a sum, which would grow until small terms are lost in it.
        mean = mean + (inputs[:, 0] - mean) / count
        return self._shaped(mean), [mean, count]

    def _shaped(self, pooled):
        return pooled[:, None] if self.layer.keepdims else pooled


class Maximum(Mean):
    """The maximum of all steps so far, and whether there were any."""

    holds_in_8_bits = True

    def step(self, inputs, highest, begun):
        now = inputs[:, 0]
        highest = ops.where(begun > 0.5, ops.maximum(highest, now), now)
        return self._shaped(highest), [highest, ops.ones_like(begun)]


CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.DepthwiseConv1D,
    keras.layers.SeparableConv1D,
)
_OTHERS = {
    keras.layers.ZeroPadding1D: Padding,
    keras.layers.GlobalAveragePooling1D: Mean,
    keras.layers.GlobalMaxPooling1D: Maximum,
}
