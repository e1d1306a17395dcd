"""Recurrent and Dense layers rewritten in terms of chosen products.

While `lowered` is active, calling the model computes the same function, but
the products with the kernels are made as a layout wants them: by tiles, or
with padding. The model, its weights and its config stay as they are.

The products of a recurrent layer's inputs do not depend on its state: they
are made for all steps at once, before the loop.
"""

import contextlib
import dataclasses

import keras
import numpy as np

from keras_moduli.export.programs import looping
from keras_moduli.export.programs.constants import once
from keras_moduli.export.programs.parts import biases_of
from keras_moduli.export.programs.parts import parts_of
from keras_moduli.export.programs.parts import resets_before
from keras_moduli.models.layers import all_layers
from keras_moduli.models.layers import quantized_layers
from keras_moduli.models.layers import replaced


@dataclasses.dataclass(frozen=True)
class Rewrite:
    """How one cell or Dense layer is to be computed.

    Attributes:
        products: A dict from the name of a part (see `parts_of`) to a
            function from a tensor `(batch, rows)` to `(batch, columns)`.
            Parts left out are multiplied as usual.
        order: The old number of the unit at each new place, or `None`.
    """

    products: dict
    order: np.ndarray | None = None


@contextlib.contextmanager
def lowered(model, rewrites):
    """Makes a model compute with a layout's products.

    Args:
        model: A `keras.Model`.
        rewrites: A dict from the `id` of a cell or Dense layer in it to its
            `Rewrite`.
    """
    with contextlib.ExitStack() as stack:
        for layer in all_layers(model):
            functions = {}
            if id(layer) in rewrites:
                make = _CALLS[type(layer)]
                functions["call"] = make(layer, rewrites[id(layer)])
            cell = _only_cell(layer)
            if id(cell) in rewrites:
                functions["inner_loop"] = _loop(layer, rewrites[id(cell)])
            for name, function in functions.items():
                stack.enter_context(replaced(layer, name, function))
        yield


def lowerable(model):
    """The layers of a model that can be rewritten, with how they are used.

    Returns:
        A list of pairs: the cell or Dense layer, and whether its units may be
        renumbered (not so for cells stacked inside one `RNN`).
    """
    # Exactly these classes: a subclass may compute otherwise.
    layers = all_layers(model)
    alone = {id(_only_cell(layer)) for layer in layers}
    # Nor what `quantize` has changed, which multiplies otherwise, too.
    quantized = {id(layer) for layer, _ in quantized_layers(model)}
    return [
        (layer, id(layer) in alone)
        for layer in layers
        if type(layer) in _CALLS and id(layer) not in quantized
    ]


def _multiplications(layer, rewrite):
    """For every part the function that multiplies with it."""

    def plain(part):
        kernel = once(part.kernel)
        return lambda x: keras.ops.matmul(x, kernel())

    return {
        name: rewrite.products.get(name) or plain(part)
        for name, part in parts_of(layer, rewrite.order).items()
    }


def _gates(tensor, count):
    return keras.ops.split(tensor, count, axis=-1)


def _simple_rnn(cell, rewrite):
    recurrent = _multiplications(cell, rewrite)["recurrent_kernel"]

    def step(x, h):
        h = cell.activation(x + recurrent(h))
        return h, [h]

    return step


def _lstm(cell, rewrite):
    recurrent = _multiplications(cell, rewrite)["recurrent_kernel"]

    def step(x, h, carry):
        i, f, g, o = _gates(x + recurrent(h), 4)
        carry = cell.recurrent_activation(f) * carry + (
            cell.recurrent_activation(i) * cell.activation(g)
        )
        h = cell.recurrent_activation(o) * cell.activation(carry)
        return h, [h, carry]

    return step


def _gru(cell, rewrite):
    return (_gru_before if resets_before(cell) else _gru_after)(cell, rewrite)


def _gru_after(cell, rewrite):
    recurrent = _multiplications(cell, rewrite)["recurrent_kernel"]
    _, bias = biases_of(cell, rewrite.order)

    def step(x, h):
        inputs, states = _gates(x, 3), _gates(recurrent(h) + bias, 3)
        z = cell.recurrent_activation(inputs[0] + states[0])
        r = cell.recurrent_activation(inputs[1] + states[1])
        candidate = cell.activation(inputs[2] + r * states[2])
        h = z * h + (1 - z) * candidate
        return h, [h]

    return step


def _gru_before(cell, rewrite):
    multiply = _multiplications(cell, rewrite)

    def step(x, h):
        inputs, states = _gates(x, 3), _gates(multiply["gates"](h), 2)
        z = cell.recurrent_activation(inputs[0] + states[0])
        r = cell.recurrent_activation(inputs[1] + states[1])
        candidate = cell.activation(inputs[2] + multiply["candidate"](r * h))
        h = z * h + (1 - z) * candidate
        return h, [h]

    return step


def _forward(layer, rewrite):
    """The function from a cell's or Dense layer's inputs to its gates.

    Inputs may have any number of leading axes.
    """
    multiply = _multiplications(layer, rewrite)["kernel"]
    bias, _ = biases_of(layer, rewrite.order)
    rows = layer.kernel.shape[0]

    def forward(inputs):
        if len(inputs.shape) == 2:
            return multiply(inputs) + bias
        # Products are made of matrices: the runtimes' fast case.
        flat = keras.ops.reshape(inputs, (-1, rows))
        shape = (*_leading(inputs), layer.kernel.shape[1])
        return keras.ops.reshape(multiply(flat) + bias, shape)

    return forward


def _leading(inputs):
    """The sizes of all axes but the last, -1 for the one that is open.

    Where a shape before a loop is computed, LiteRT's default delegates may
    answer every call but the first with numbers of the call before.
    """
    sizes = tuple(inputs.shape[:-1])
    if sizes.count(None) > 1:
        return keras.ops.shape(inputs)[:-1]
    return [-1 if size is None else size for size in sizes]


def _cell(layer, rewrite):
    return _cell_call(layer, rewrite, _forward(layer, rewrite))


def _cell_call(cell, rewrite, forward):
    step = _STEPS[type(cell)](cell, rewrite)

    def call(inputs, states, training=False):
        del training
        nested = isinstance(states, (list, tuple))
        output, new = step(forward(inputs), *(states if nested else [states]))
        return output, new if nested else new[0]

    return call


def _loop(rnn, rewrite):
    """The `inner_loop` of an RNN layer whose one cell is rewritten."""
    cell, order = rnn.cell, rewrite.order
    forward = _forward(cell, rewrite)
    call = _cell_call(cell, rewrite, lambda gates: gates)

    def renumbered(tensors, order):
        if order is None:
            return tensors
        # TFLite Micro gathers by no other integers.
        places = order.astype("int32")
        return keras.tree.map_structure(
            lambda x: keras.ops.take(x, places, axis=-1), tensors
        )

    def results(sequences, states, mask, training):
        if looping.suits(rnn, sequences):
            last, outputs, states = looping.run(
                lambda x, states: call(x, states, training),
                forward(keras.ops.swapaxes(sequences, 0, 1)),
                states,
                None if mask is None else keras.ops.swapaxes(mask, 0, 1),
                rnn,
            )
            return last, keras.ops.swapaxes(outputs, 0, 1), states
        with replaced(cell, "call", call):
            return keras.layers.RNN.inner_loop(
                rnn, forward(sequences), states, mask, training=training
            )

    def loop(sequences, initial_state, mask, training=False):
        if keras.tree.is_nested(mask):
            mask = mask[0]
        states = renumbered(initial_state, order)
        back = None if order is None else np.argsort(order)
        return tuple(
            renumbered(result, back)
            for result in results(sequences, states, mask, training)
        )

    return loop


def _dense(layer, rewrite):
    forward = _forward(layer, rewrite)

    def call(inputs, training=None):
        del training
        outputs = forward(inputs)
        return layer.activation(outputs) if layer.activation else outputs

    return call


def _only_cell(layer):
    is_rnn = isinstance(layer, keras.layers.RNN)
    return layer.cell if is_rnn and type(layer.cell) in _STEPS else None


_STEPS = {
    keras.layers.SimpleRNNCell: _simple_rnn,
    keras.layers.LSTMCell: _lstm,
    keras.layers.GRUCell: _gru,
}
_CALLS = dict.fromkeys(_STEPS, _cell) | {keras.layers.Dense: _dense}
