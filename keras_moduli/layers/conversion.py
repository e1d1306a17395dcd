"""From sparse layers to the plain ones of Keras with zeros, and back."""

import keras
import numpy as np
from keras import ops

from keras_moduli.layers.compiling import compile_alike
from keras_moduli.layers.compiling import moved
from keras_moduli.layers.gathered_kernel import GatheredKernel
from keras_moduli.layers.gathered_kernel import dense
from keras_moduli.layers.given_connections import sources_of
from keras_moduli.layers.sparse_gru import SparseGRU
from keras_moduli.layers.sparse_gru import SparseGRUCell
from keras_moduli.layers.sparse_lstm import SparseLSTM
from keras_moduli.layers.sparse_lstm import SparseLSTMCell
from keras_moduli.layers.sparse_simple_rnn import SparseSimpleRNN
from keras_moduli.layers.sparse_simple_rnn import SparseSimpleRNNCell
from keras_moduli.models.kernels import kernels

_SPARSE = {
    keras.layers.LSTM: SparseLSTM,
    keras.layers.GRU: SparseGRU,
    keras.layers.SimpleRNN: SparseSimpleRNN,
    keras.layers.LSTMCell: SparseLSTMCell,
    keras.layers.GRUCell: SparseGRUCell,
    keras.layers.SimpleRNNCell: SparseSimpleRNNCell,
}
_PLAIN = {sparse: plain for plain, sparse in _SPARSE.items()}
# What only sparse layers have in their configs, and only plain ones.
_OF_SPARSE = ("fan_in", "group_size", "connections", "space", "near_share")
_OF_PLAIN = ("use_cudnn", "implementation")
# Where layers keep the layers in them.
_PARTS = ("cell", "cells", "layer", "forward_layer", "backward_layer", "layers")


class ConversionError(ValueError):
    """A model has no sparse form.

    Args:
        message: What is wrong.
        report: Dict from the path of a recurrent kernel to why it stays as it
            is.

    Example:

    >>> plain = keras.Sequential(
    ...     [keras.Input((None, 3)), keras.layers.GRU(16, name="gru")]
    ... )
    >>> try:
    ...     keras_moduli.layers.to_sparse(plain)
    ... except keras_moduli.layers.ConversionError as error:
    ...     print(error.report)
    {'gru/gru_cell/recurrent_kernel': 'has no zeros'}
    """

    def __init__(self, message: str, report: dict[str, str]) -> None:
        super().__init__(message)
        self.report = report


def dense_kernel(layer: keras.Layer) -> np.ndarray:
    """The recurrent kernel that a plain layer would have.

    Args:
        layer: A built sparse layer or cell of this package.

    Returns:
        NumPy array of shape `(units, gates * units)`, zero where nothing is
        connected.

    Example:

    >>> layer = keras_moduli.layers.SparseGRU(96, group_size=8)
    >>> layer.build((None, None, 3))
    >>> keras_moduli.layers.dense_kernel(layer).shape
    (96, 288)
    """
    cell = _sparse_cell(layer)
    return dense(cell, ops.convert_to_numpy(cell.recurrent_kernel))


def mask(layer: keras.Layer) -> np.ndarray:
    """Which entries of the plain layer's recurrent kernel are connections.

    Args:
        layer: A sparse layer or cell of this package.

    Returns:
        Boolean NumPy array of shape `(units, gates * units)`, for
        `keras_moduli.apply_masks`.

    Example:

    >>> layer = keras_moduli.layers.SparseSimpleRNN(160, group_size=16)
    >>> float(keras_moduli.layers.mask(layer).mean())
    0.1
    """
    cell = _sparse_cell(layer)
    columns = cell.gates * cell.group_size
    return dense(cell, np.ones((*cell.sources.shape, columns), bool))


def to_plain(model: keras.Model, moments: bool = True) -> keras.Model:
    """The same model with layers of Keras instead of sparse ones.

    Their recurrent kernels are zero where the sparse layers have no weights.
    To keep them so in training, give `keras_moduli.apply_masks` the `mask` of
    each layer.

    Args:
        model: A built Sequential or functional model.
        moments: Whether the states of a compiled model's optimizer, its
            moments and iterations, go along. Defaults to `True`.

    Returns:
        A new model of that kind.

    Example:

    >>> x = keras.Input((None, 3))
    >>> y = keras_moduli.layers.SparseLSTM(160)(x)
    >>> plain = keras_moduli.layers.to_plain(keras.Model(x, y))
    >>> type(plain.layers[1]).__name__
    'LSTM'
    """
    return _converted(model, _plain, moments)


def without_sparse_layers(model: keras.Model) -> keras.Model:
    """The model itself, or `to_plain` of it if it has sparse layers."""
    is_sparse = any(isinstance(c, GatheredKernel) for c in _cells(model))
    return to_plain(model, moments=False) if is_sparse else model


def to_sparse(
    model: keras.Model,
    masks: dict[str, np.ndarray] | None = None,
    moments: bool = True,
) -> keras.Model:
    """The same model with sparse layers instead of layers of Keras.

    A recurrent kernel with zeros becomes one without, in the largest groups
    of neurons that share their sources. Kernels without zeros stay as they
    are.

    Args:
        model: A built Sequential or functional model.
        masks: From paths of recurrent kernels to boolean arrays of their
            shapes, as from `keras_moduli.masks_of`, where not every
            connection is a weight other than zero. Defaults to `None`.
        moments: As in `to_plain`.

    Returns:
        A new model of that kind.

    Raises:
        ConversionError: A ValueError, if a kernel's zeros have no such groups
            or no kernel has zeros.

    Example:

    >>> x = keras.Input((None, 3))
    >>> sparse = keras.Model(x, keras_moduli.layers.SparseLSTM(160)(x))
    >>> plain = keras_moduli.layers.to_plain(sparse)
    >>> again = keras_moduli.layers.to_sparse(plain)
    >>> again.layers[1].group_size
    16
    """
    paths = {id(v): path for path, v in kernels(model).items()}
    tables: dict[int, np.ndarray] = {}
    reasons = {}
    for cell in _cells(model):
        if type(cell) not in _SPARSE:
            continue
        path = paths[id(cell.recurrent_kernel)]
        alive = _connections(cell, (masks or {}).get(path))
        if alive.all():
            reasons[path] = "has no zeros"
            continue
        try:
            tables[id(cell)] = sources_of(alive, cell.units)
        except ValueError as error:
            reasons[path] = str(error)
    without = [path for path, why in reasons.items() if why == "has no zeros"]
    if not tables or len(reasons) > len(without):
        raise ConversionError(
            "`model` must have recurrent kernels whose zeros leave each group "
            "of at least 8 consecutive neurons the same sources, equally many "
            f"for each group. Received: {reasons or 'no recurrent layer'}",
            reasons,
        )
    return _converted(model, lambda layer: _sparse(layer, tables), moments)


def _converted(model, convert, moments):
    """A clone with other layers and the same values."""

    def clone(layer):
        return _rebuilt(layer, convert)

    copy = keras.models.clone_model(model, clone_function=clone)
    pairs = zip(_cells(model), _cells(copy), strict=True)
    other = [(old, new) for old, new in pairs if type(old) is not type(new)]
    cells = {id(new.recurrent_kernel): (old, new) for old, new in other}
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


def _plain(layer):
    plain = _PLAIN.get(type(layer))
    if plain is None:
        return None
    config = layer.get_config()
    return plain.from_config(
        {key: config[key] for key in config if key not in _OF_SPARSE}
    )


def _sparse(layer, tables):
    sparse = _SPARSE.get(type(layer))
    table = tables.get(id(getattr(layer, "cell", layer)))
    if sparse is None or table is None:
        return None
    config = layer.get_config()
    config = {key: config[key] for key in config if key not in _OF_PLAIN}
    return sparse.from_config({**config, "connections": table.tolist()})


def _connections(cell, alive):
    """Which sources each target of a plain cell has in any gate."""
    if alive is None:
        alive = ops.convert_to_numpy(cell.recurrent_kernel) != 0
    return np.asarray(alive).reshape(cell.units, -1, cell.units).any(axis=1)


def _cells(layer):
    """All recurrent cells of a layer or model, in order, each once."""
    if hasattr(layer, "recurrent_kernel") and type(layer) in (
        *_SPARSE,
        *_PLAIN,
    ):
        return [layer]
    found = []
    for name in _PARTS:
        parts = getattr(layer, name, None) or []
        for part in parts if isinstance(parts, (list, tuple)) else [parts]:
            found += [cell for cell in _cells(part) if cell not in found]
    return found


def _sparse_cell(layer):
    cell = getattr(layer, "cell", layer)
    if not isinstance(cell, GatheredKernel):
        raise ValueError(
            "`layer` must be a sparse layer or cell of keras_moduli. "
            f"Received: layer={layer!r}"
        )
    return cell
