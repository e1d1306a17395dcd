"""A recurrent layer's loop in the form that LiteRT runs fastest.

Keras's own writes every output to a list, also where the last one alone is
asked for. The converter makes each write three copies of all outputs, of sizes
that are not known before: a step takes the longer the longer the sequence is.
Here the states alone go round, or outputs are collected in pieces of about the
root of their number, so that a step copies few of them.
"""

import functools
import math

import keras

_SHORT = 32  # steps whose outputs are collected in one piece


def suits(rnn, inputs, mask):
    """Whether a layer's loop may be one of `run`.

    Args:
        rnn: The `keras.layers.RNN`.
        inputs: A tensor `(batch, time, features)`.
        mask: Its mask or `None`.
    """
    # Of open sizes the number of steps would be computed before the loop.
    known = None not in tuple(inputs.shape)[:2]
    return mask is None and not rnn.unroll and known


def run(step, inputs, states, backwards, all_outputs):
    """Goes through a sequence.

    Args:
        step: A function from an input `(batch, features)` and the states to an
            output `(batch, units)` and new states, the first of which is the
            output.
        inputs: A tensor `(time, batch, features)`.
        states: A list of tensors.
        backwards: Whether the last input comes first.
        all_outputs: Whether to return the outputs of all steps.

    Returns:
        The outputs, `(time, batch, units)`, or those of the last step alone,
        and the states after it.
    """
    if backwards:
        inputs = keras.ops.flip(inputs, axis=0)
    if not all_outputs:
        states = _final(step, inputs, states)
        return states[0][None], states
    return _all(step, inputs, states)


def _final(step, inputs, states):
    def body(number, states):
        _, states = step(_at(inputs, number), states)
        return number + 1, states

    return _while(body, inputs.shape[0], states)


def _all(step, inputs, states):
    count = inputs.shape[0]
    if count <= _SHORT:
        return _collected(step, inputs, states)
    length = _piece(count)
    whole = count - count % length
    piece = functools.partial(_collected, step)
    shape = (whole // length, length, *inputs.shape[1:])
    outputs, states = _collected(
        piece, keras.ops.reshape(inputs[:whole], shape), states
    )
    outputs = keras.ops.reshape(outputs, (whole, *outputs.shape[2:]))
    if whole < count:
        rest, states = piece(inputs[whole:], states)
        outputs = keras.ops.concatenate([outputs, rest], axis=0)
    return outputs, states


def _piece(count):
    """A length near the root, one that leaves few steps over."""
    root = math.sqrt(count)
    lengths = range(round(0.6 * root), round(1.6 * root) + 1)
    return min(lengths, key=lambda n: (count % n, abs(n - root)))


def _collected(step, inputs, states):
    """All outputs of steps, which a loop puts into their places."""
    import tensorflow as tf

    count = inputs.shape[0]
    shape = (*inputs.shape[:-1], states[0].shape[-1])
    places = tf.reshape(tf.range(count), (-1, *[1] * (len(shape) - 1)))

    def body(number, loop):
        outputs, states = loop
        output, states = step(_at(inputs, number), states)
        here = tf.equal(places, number)
        return number + 1, (tf.where(here, output[None], outputs), states)

    return _while(body, count, (tf.zeros(shape, states[0].dtype), states))


def _at(inputs, number):
    import tensorflow as tf

    return tf.gather(inputs, number)


def _while(body, count, values):
    import tensorflow as tf

    _, values = tf.while_loop(
        lambda number, _: number < count, body, (0, values)
    )
    return values
