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


def suits(rnn, inputs):
    """Whether a layer's loop may be one of `run`.

    Args:
        rnn: The `keras.layers.RNN`.
        inputs: A tensor `(batch, time, features)`.
    """
    # Of open sizes the number of steps would be computed before the loop.
    return not rnn.unroll and None not in tuple(inputs.shape)[:2]


def run(step, inputs, states, mask, rnn):
    """Goes through a sequence.

    Args:
        step: A function from an input `(batch, features)` and the states to an
            output `(batch, units)` and new states, the first of which is the
            output.
        inputs: A tensor `(time, batch, features)`.
        states: A list of tensors.
        mask: A boolean tensor `(time, batch)`, false for steps to be left out,
            or `None`.
        rnn: The `keras.layers.RNN`, which says what is wanted.

    Returns:
        The output of the last step, those of all steps, `(time, batch,
        units)`, or the last one alone, and the states after it.
    """
    if mask is not None:
        step = _leaving_out(step, rnn.zero_output_for_mask)
        inputs = inputs, keras.ops.expand_dims(mask, -1)
        # What is left out has the output before, at first zero.
        states = [keras.ops.zeros_like(states[0]), *states]
    if rnn.go_backwards:
        inputs = _each(inputs, lambda x: keras.ops.flip(x, axis=0))
    if rnn.return_sequences:
        outputs, states = _all(step, inputs, states)
    else:
        states = _final(step, inputs, states)
        outputs = states[0][None]
    return states[0], outputs, states if mask is None else states[1:]


def _leaving_out(step, zero_output):
    """A step that does nothing where its mask is false."""
    import tensorflow as tf

    def masked(inputs, states):
        x, here = inputs
        last, *states = states
        output, new = step(x, states)
        other = tf.zeros_like(last) if zero_output else last
        output = tf.where(here, output, other)
        new = [tf.where(here, *pair) for pair in zip(new, states, strict=True)]
        return output, [output, *new]

    return masked


def _final(step, inputs, states):
    def body(number, states):
        _, states = step(_at(inputs, number), states)
        return number + 1, states

    return _while(body, _count(inputs), states)


def _all(step, inputs, states):
    count = _count(inputs)
    if count <= _SHORT:
        return _collected(step, inputs, states)
    length = _piece(count)
    whole = count - count % length
    piece = functools.partial(_collected, step)

    def cut(x):
        shape = (whole // length, length, *x.shape[1:])
        return keras.ops.reshape(x[:whole], shape)

    outputs, states = _collected(piece, _each(inputs, cut), states)
    outputs = keras.ops.reshape(outputs, (whole, *outputs.shape[2:]))
    if whole < count:
        rest, states = piece(_each(inputs, lambda x: x[whole:]), states)
        outputs = keras.ops.concatenate([outputs, rest], axis=0)
    return outputs, states


def _each(inputs, function):
    """Applies a function to inputs and, if there is one, their mask."""
    return keras.tree.map_structure(function, inputs)


def _first(inputs):
    return keras.tree.flatten(inputs)[0]


def _count(inputs):
    """How many steps there are."""
    return _first(inputs).shape[0]


def _piece(count):
    """A length near the root, one that leaves few steps over."""
    root = math.sqrt(count)
    lengths = range(round(0.6 * root), round(1.6 * root) + 1)
    return min(lengths, key=lambda n: (count % n, abs(n - root)))


def _collected(step, inputs, states):
    """All outputs of steps, which a loop puts into their places."""
    import tensorflow as tf

    count = _count(inputs)
    shape = (*_first(inputs).shape[:-1], states[0].shape[-1])
    places = tf.reshape(tf.range(count), (-1, *[1] * (len(shape) - 1)))

    def body(number, loop):
        outputs, states = loop
        output, states = step(_at(inputs, number), states)
        here = tf.equal(places, number)
        return number + 1, (tf.where(here, output[None], outputs), states)

    return _while(body, count, (tf.zeros(shape, states[0].dtype), states))


def _at(inputs, number):
    import tensorflow as tf

    return _each(inputs, lambda x: tf.gather(x, number))


def _while(body, count, values):
    import tensorflow as tf

    _, values = tf.while_loop(
        lambda number, _: number < count, body, (0, values)
    )
    return values
