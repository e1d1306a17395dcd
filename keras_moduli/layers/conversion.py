"""From sparse layers to the plain ones of Keras with zeros, and back."""

import keras
import numpy as np
from keras import ops

from keras_moduli.layers.compiling import KERNELS
from keras_moduli.layers.gathered_kernel import GatheredKernel
from keras_moduli.layers.given_connections import sources_of
from keras_moduli.layers.rebuilding import PLAIN
from keras_moduli.layers.rebuilding import SPARSE
from keras_moduli.layers.rebuilding import RebuildingError
from keras_moduli.layers.rebuilding import converted
from keras_moduli.models.kernels import kernels
from keras_moduli.models.layers import all_layers

# What only sparse layers have in their configs, and only plain ones.
_OF_SPARSE = (
    "fan_in",
    "group_size",
    "connections",
    "space",
    "near_share",
    "kernel_fan_in",
    "kernel_connections",
)
_OF_PLAIN = ("use_cudnn", "implementation")
_FULL = "has no zeros"


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


def dense_kernel(
    layer: keras.Layer, name: str = "recurrent_kernel"
) -> np.ndarray:
    """The kernel that a plain layer would have.

    Args:
        layer: A built sparse layer or cell of this package.
        name: Which: `"recurrent_kernel"` or `"kernel"`, that of the inputs.
            Defaults to `"recurrent_kernel"`.

    Returns:
        NumPy array of shape `(units, gates * units)`, zero where nothing is
        connected; of the inputs, `(features, gates * units)`.

    Example:

    >>> layer = keras_moduli.layers.SparseGRU(96, group_size=8)
    >>> layer.build((None, None, 3))
    >>> keras_moduli.layers.dense_kernel(layer).shape
    (96, 288)
    """
    cell = _sparse_cell(layer, name)
    weight = ops.convert_to_numpy(getattr(cell, name))
    gathering = cell.gathering(name)
    return weight if gathering is None else gathering.dense(weight)


def mask(layer: keras.Layer, name: str = "recurrent_kernel") -> np.ndarray:
    """Which entries of the plain layer's kernel are connections.

    Args:
        layer: A sparse layer or cell of this package; for the kernel of the
            inputs, a built one.
        name: As in `dense_kernel`.

    Returns:
        Boolean NumPy array of the shape of `dense_kernel`, for
        `keras_moduli.apply_masks`.

    Example:

    >>> layer = keras_moduli.layers.SparseSimpleRNN(160, group_size=16)
    >>> float(keras_moduli.layers.mask(layer).mean())
    0.1
    """
    cell = _sparse_cell(layer, name)
    gathering = cell.gathering(name)
    if gathering is None:
        return np.ones(getattr(cell, name).shape, bool)
    return gathering.dense(np.ones(gathering.shape, bool))


def to_plain(model: keras.Model, moments: bool = True) -> keras.Model:
    """The same model with layers of Keras instead of sparse ones.

    Their kernels are zero where the sparse layers have no weights. To keep
    them so in training, give `keras_moduli.apply_masks` the `mask` of each
    layer.

    Args:
        model: A built Sequential or functional model.
        moments: Whether the states of a compiled model's optimizer, its
            moments and iterations, go along. Defaults to `True`.

    Returns:
        A new model of that kind.

    Raises:
        ValueError: If the model, or a layer of it with sparse layers in it,
            is neither Sequential, functional nor a wrapper such as
            `TimeDistributed`.

    Example:

    >>> x = keras.Input((None, 3))
    >>> y = keras_moduli.layers.SparseLSTM(160)(x)
    >>> plain = keras_moduli.layers.to_plain(keras.Model(x, y))
    >>> type(plain.layers[1]).__name__
    'LSTM'
    """
    return converted(model, _plain, moments)


def without_sparse_layers(model: keras.Model) -> keras.Model:
    """`to_plain` of a model with sparse layers, where possible, or itself."""
    if not any(isinstance(cell, GatheredKernel) for cell in all_layers(model)):
        return model
    try:
        return to_plain(model, moments=False)
    except RebuildingError:
        return model  # its sparse layers work everywhere, too


def to_sparse(
    model: keras.Model,
    masks: dict[str, np.ndarray] | None = None,
    moments: bool = True,
) -> keras.Model:
    """The same model with sparse layers instead of layers of Keras.

    A recurrent kernel with zeros becomes one without, in the largest groups
    of neurons that share their sources, and so does a recurrent layer's input
    kernel if its zeros leave such groups. Other kernels stay as they are.

    Args:
        model: A built Sequential or functional model.
        masks: From paths of kernels to boolean arrays of their shapes, as
            from `keras_moduli.masks_of`, where not every connection is a
            weight other than zero. Defaults to `None`.
        moments: As in `to_plain`.

    Returns:
        A new model of that kind.

    Raises:
        ConversionError: A ValueError, if a recurrent kernel's zeros have no
            such groups or no kernel has zeros.
        ValueError: As in `to_plain`.

    Example:

    >>> x = keras.Input((None, 3))
    >>> sparse = keras.Model(x, keras_moduli.layers.SparseLSTM(160)(x))
    >>> plain = keras_moduli.layers.to_plain(sparse)
    >>> again = keras_moduli.layers.to_sparse(plain)
    >>> again.layers[1].group_size
    16
    """
    tables, reasons = _tables(model, masks or {})
    without = [path for path, why in reasons.items() if why == _FULL]
    if not tables or len(reasons) > len(without):
        raise ConversionError(
            "`model` must have recurrent kernels whose zeros leave each group "
            "of at least 8 consecutive neurons the same sources, equally many "
            f"for each group. Received: {reasons or 'no recurrent layer'}",
            reasons,
        )
    return converted(model, lambda layer: _sparse(layer, tables), moments)


def _tables(model, masks):
    """The sources of kernels that have groups, and why others have none.

    Returns:
        Dict from the `id` of a cell to one from the name of its kernel to a
        table; dict from the path of a recurrent kernel to why it has none.
    """
    paths = {id(v): path for path, v in kernels(model).items()}
    tables = {}
    reasons = {}
    for cell in all_layers(model):
        if type(cell) not in SPARSE or not hasattr(cell, "recurrent_kernel"):
            continue
        found = {}
        for name in KERNELS:
            variable = getattr(cell, name)
            path = paths.get(id(variable), variable.path)  # or it is frozen
            try:
                found[name] = _table(cell, name, masks.get(path))
            except ValueError as error:
                if name == "recurrent_kernel":
                    reasons[path] = str(error)
        if "kernel" in found:
            # Of a dense recurrent kernel, all sources in one group.
            everything = np.arange(cell.units).reshape(1, -1)
            found.setdefault("recurrent_kernel", everything)
        if found:
            tables[id(cell)] = found
    return tables, reasons


def _table(cell, name, alive):
    """The sources of a plain cell's kernel.

    Raises:
        ValueError: If it has no zeros, or no groups.
    """
    alive = _connections(cell, name, alive)
    if alive.all():
        raise ValueError(_FULL)
    return sources_of(alive, cell.units, rows=len(alive))


def _plain(layer):
    plain = PLAIN.get(type(layer))
    if plain is None:
        return None
    config = layer.get_config()
    return plain.from_config(
        {key: config[key] for key in config if key not in _OF_SPARSE}
    )


def _sparse(layer, tables):
    sparse = SPARSE.get(type(layer))
    found = tables.get(id(getattr(layer, "cell", layer)))
    if sparse is None or found is None:
        return None
    config = layer.get_config()
    config = {key: config[key] for key in config if key not in _OF_PLAIN}
    config["connections"] = found["recurrent_kernel"].tolist()
    if "kernel" in found:
        config["kernel_connections"] = found["kernel"].tolist()
    return sparse.from_config(config)


def _connections(cell, name, alive):
    """Which sources each target of a plain cell has in any gate."""
    kernel = ops.convert_to_numpy(getattr(cell, name))
    alive = kernel != 0 if alive is None else np.asarray(alive)
    return alive.reshape(len(kernel), -1, cell.units).any(axis=1)


def _sparse_cell(layer, name):
    cell = getattr(layer, "cell", layer)
    if not isinstance(cell, GatheredKernel):
        raise ValueError(
            "`layer` must be a sparse layer or cell of keras_moduli. "
            f"Received: layer={layer!r}"
        )
    if name not in KERNELS:
        raise ValueError(
            f"`name` must be one of {', '.join(KERNELS)}. "
            f"Received: name={name!r}"
        )
    if name == "kernel" and not cell.built:
        raise ValueError(
            "`layer` must be built: its input kernel has no size before. "
            f"Received: layer={layer!r}"
        )
    return cell
