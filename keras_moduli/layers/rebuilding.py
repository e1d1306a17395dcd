"""A model made anew, with other layers and the same values."""

import keras
from keras import ops

from keras_moduli.layers.compiling import KERNELS
from keras_moduli.layers.compiling import compile_alike
from keras_moduli.layers.compiling import moved
from keras_moduli.layers.sparse_gru import SparseGRU
from keras_moduli.layers.sparse_gru import SparseGRUCell
from keras_moduli.layers.sparse_lstm import SparseLSTM
from keras_moduli.layers.sparse_lstm import SparseLSTMCell
from keras_moduli.layers.sparse_simple_rnn import SparseSimpleRNN
from keras_moduli.layers.sparse_simple_rnn import SparseSimpleRNNCell
from keras_moduli.models.layers import all_layers
from keras_moduli.models.layers import is_graph

SPARSE = {
    keras.layers.LSTM: SparseLSTM,
    keras.layers.GRU: SparseGRU,
    keras.layers.SimpleRNN: SparseSimpleRNN,
    keras.layers.LSTMCell: SparseLSTMCell,
    keras.layers.GRUCell: SparseGRUCell,
    keras.layers.SimpleRNNCell: SparseSimpleRNNCell,
}
PLAIN = {sparse: plain for plain, sparse in SPARSE.items()}
_WAY_OUT = (
    "Make it functional, or create there the layers that you want and set "
    "their weights: `keras_moduli.layers.dense_kernel` says what a plain layer "
    "has, `connections` and `kernel_connections` what a sparse one reads."
)
# Where layers keep the layers in them.
_PARTS = ("cell", "cells", "layer", "forward_layer", "backward_layer", "layers")


class RebuildingError(ValueError):
    """It is not known how a model or layer uses the layers in it."""


def converted(model, convert, moments):
    """A clone with other layers and the same values.

    Args:
        model: A built Sequential or functional model.
        convert: A function from a layer to the one to take its place, `None`
            if there is none.
        moments: Whether the optimizer's states go along.

    Raises:
        RebuildingError: A ValueError, if layers to be converted are in others
            of which only their own code says how they use them.
    """
    if not is_graph(model):
        raise RebuildingError(
            "`model` must be Sequential or functional: which layers a "
            "subclassed model has, and how it calls them, is in its code. "
            f"{_WAY_OUT} Received: model='{model.name}' "
            f"(of type {type(model).__name__})"
        )

    def clone(layer):
        return _rebuilt(layer, convert)

    copy = keras.models.clone_model(model, clone_function=clone)
    pairs = zip(cells_of(model), cells_of(copy), strict=True)
    other = [(old, new) for old, new in pairs if type(old) is not type(new)]
    cells = {
        id(getattr(new, name)): (old, new, name)
        for old, new in other
        for name in KERNELS
    }
    for old, new in zip(model.variables, copy.variables, strict=True):
        value = ops.convert_to_numpy(old)
        if id(new) in cells:
            value = moved(value, *cells[id(new)])
        new.assign(value)
    if moments and model.compiled and model.optimizer is not None:
        compile_alike(model, copy, other)
    return copy


def _rebuilt(layer, convert):
    """A layer converted, or made anew with what is in it converted."""
    made = convert(layer)
    if made is not None:
        return made
    if isinstance(layer, keras.layers.Bidirectional):
        return keras.layers.Bidirectional(
            _rebuilt(layer.forward_layer, convert),
            merge_mode=layer.merge_mode,
            backward_layer=_rebuilt(layer.backward_layer, convert),
            name=layer.name,
            trainable=layer.trainable,
            dtype=layer.dtype_policy,
        )
    if isinstance(layer, keras.layers.Wrapper):  # such as TimeDistributed
        config = layer.get_config()
        del config["layer"]
        return type(layer)(_rebuilt(layer.layer, convert), **config)
    if type(layer) is keras.layers.RNN:
        config = layer.get_config()
        del config["cell"]
        return keras.layers.RNN(_rebuilt(layer.cell, convert), **config)
    if type(layer) is keras.layers.StackedRNNCells:
        return keras.layers.StackedRNNCells(
            [_rebuilt(cell, convert) for cell in layer.cells], name=layer.name
        )
    if is_graph(layer):
        return keras.models.clone_model(
            layer, clone_function=lambda part: _rebuilt(part, convert)
        )
    _check_nothing_in(layer, convert)
    return type(layer).from_config(layer.get_config())


def _check_nothing_in(layer, convert):
    """Raises an error if a layer has others in it that are to be converted."""
    inside = [
        part.name for part in all_layers(layer)[1:] if convert(part) is not None
    ]
    if inside:
        raise RebuildingError(
            f"`model` must have no layers to convert, here {inside}, in layers "
            f"whose code alone says how they use them. {_WAY_OUT} Received: "
            f"layer '{layer.name}' (of type {type(layer).__name__})"
        )


def cells_of(layer):
    """All recurrent cells of a layer or model, in order, each once."""
    if hasattr(layer, "recurrent_kernel") and type(layer) in (
        *SPARSE,
        *PLAIN,
    ):
        return [layer]
    found = []
    for name in _PARTS:
        parts = getattr(layer, name, None) or []
        for part in parts if isinstance(parts, (list, tuple)) else [parts]:
            found += [cell for cell in cells_of(part) if cell not in found]
    return found
