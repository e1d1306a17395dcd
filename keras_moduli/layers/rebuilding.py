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

SPARSE = {
    keras.layers.LSTM: SparseLSTM,
    keras.layers.GRU: SparseGRU,
    keras.layers.SimpleRNN: SparseSimpleRNN,
    keras.layers.LSTMCell: SparseLSTMCell,
    keras.layers.GRUCell: SparseGRUCell,
    keras.layers.SimpleRNNCell: SparseSimpleRNNCell,
}
PLAIN = {sparse: plain for plain, sparse in SPARSE.items()}
# Where layers keep the layers in them.
_PARTS = ("cell", "cells", "layer", "forward_layer", "backward_layer", "layers")


def converted(model, convert, moments):
    """A clone with other layers and the same values."""

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
    config = layer.get_config()
    if isinstance(layer, keras.layers.Bidirectional):
        return keras.layers.Bidirectional(
            _rebuilt(layer.forward_layer, convert),
            merge_mode=layer.merge_mode,
            backward_layer=_rebuilt(layer.backward_layer, convert),
            name=layer.name,
            trainable=layer.trainable,
            dtype=layer.dtype_policy,
        )
    if type(layer) is keras.layers.RNN:
        del config["cell"]
        return keras.layers.RNN(_rebuilt(layer.cell, convert), **config)
    if type(layer) is keras.layers.StackedRNNCells:
        return keras.layers.StackedRNNCells(
            [_rebuilt(cell, convert) for cell in layer.cells], name=layer.name
        )
    if isinstance(layer, keras.Model):
        return keras.models.clone_model(
            layer, clone_function=lambda part: _rebuilt(part, convert)
        )
    return type(layer).from_config(config)


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
