"""Units that nothing reads, and the smaller model without them."""

import keras
import numpy as np

from keras_moduli.models.layers import is_graph
from keras_moduli.shrinking.reachability import survivors


def dead_units(model: keras.Model) -> dict[str, np.ndarray]:
    """Finds hidden units that cannot influence the model's outputs.

    A unit is dead if no path of nonzero weights leads from it to an output:
    whatever reads it, in its own recurrent kernel or in the layers that
    follow, is dead too or has a zero there. Looked at are units of `Dense`,
    `SimpleRNN`, `LSTM` and `GRU`, also in `Bidirectional` and
    `TimeDistributed`, with elementwise activations. Units count as read where
    a layer of another kind follows (other than dropout and the like), where
    they are outputs or returned states, and in layers that are called more
    than once.

    Args:
        model: A built Sequential or functional `keras.Model`.

    Returns:
        A dict from the path of a layer, such as `"bidirectional/forward_lstm"`
        to a sorted NumPy array of the numbers of its dead units. Layers
        without any are left out, and so are dead units that have to stay: one
        in every layer, and as many in one direction of a `Bidirectional` as
        in the other.

    Raises:
        TypeError: If `model` is neither Sequential nor functional.
        ValueError: If it is not built.

    Example:

    >>> model = keras.Sequential(
    ...     [keras.Input((None, 3)), keras.layers.LSTM(8, name="lstm"),
    ...      keras.layers.Dense(1, kernel_initializer="zeros")])
    >>> keras_moduli.dead_units(model)
    {'lstm': array([1, 2, 3, 4, 5, 6, 7])}
    """
    return _dead(_check(model), "")


def shrink(model: keras.Model) -> keras.Model:
    """Removes dead units: a smaller model that computes the same.

    Masks only zero weights; this takes whole units out of the matrices, as
    far as `dead_units` finds them; `patterns.HiddenUnits` prunes a model so
    that they are as many as you like. What is left is an ordinary dense model
    for inference and export. Its outputs differ only by the rounding of sums
    in another order.

    Layers keep their names and configurations, but for one thing: a
    `ModuliRegularizer` is dropped from a layer that loses units or inputs,
    as its points belong to the neurons as they were numbered before. Masks
    are not attached to the new model; should it be trained on,
    `apply_masks(small, masks_of(small))` holds what is still zero.

    Args:
        model: A built Sequential or functional `keras.Model`. It is not
            changed.

    Returns:
        A new model with the weights of the old. It is compiled, with a fresh
        optimizer, if the old one is.

    Raises:
        TypeError: If `model` is neither Sequential nor functional.
        ValueError: If it is not built.

    Example:

    >>> model = keras.Sequential(
    ...     [keras.Input((None, 3)), keras.layers.LSTM(8, name="lstm"),
    ...      keras.layers.Dense(1, kernel_initializer="zeros")])
    >>> keras_moduli.shrink(model).get_layer("lstm").units
    1
    """
    left = survivors(_check(model))
    twins = []

    def clone(layer):
        new = _clone(layer, left.get(layer.name))
        twins.append((layer, new))
        return new

    small = keras.models.clone_model(
        model, input_tensors=_inputs(model), clone_function=clone
    )
    if not small.built:
        small.build(model.input_shape)
    for old, new in twins:
        _copy(old, new, left.get(old.name))
    return small


def _inputs(model):
    """New inputs under the old names, which cloning would not keep."""
    if isinstance(model, keras.Sequential):
        return None
    twins = {
        id(layer.output): type(layer).from_config(layer.get_config()).output
        for layer in model.layers
        if isinstance(layer, keras.layers.InputLayer)
    }
    return keras.tree.map_structure(lambda x: twins[id(x)], model.input)


def _dead(model, prefix):
    left, found = survivors(model), {}
    for layer in model.layers:
        path = prefix + layer.name
        if layer.name in left:
            rest = left[layer.name]
            found.update(rest.kind.dead(layer, rest.kept, path))
        elif is_graph(layer):
            found.update(_dead(layer, f"{path}/"))
    return {path: units for path, units in found.items() if units.size}


def _clone(layer, rest):
    if rest is not None and not rest.unchanged:
        return rest.kind.slim(layer, rest.kept)
    if is_graph(layer):
        # A model in the model keeps its inputs and outputs.
        return shrink(layer)
    return type(layer).from_config(layer.get_config())


def _copy(old, new, rest):
    if rest is not None and not rest.unchanged:
        rest.kind.copy(old, new, rest.inputs, rest.kept)
    elif isinstance(old, keras.Layer) and not is_graph(old):
        _copy_whole(old, new)


def _copy_whole(old, new):
    if len(new.variables) < len(old.variables):
        # Asking for losses makes what a regularizer trains itself.
        _ = new.losses
    for source, target in zip(old.variables, new.variables, strict=True):
        target.assign(source)


def _check(model):
    if not isinstance(model, keras.Model) or not is_graph(model):
        raise TypeError(
            "`model` must be a Sequential or functional keras.Model: only "
            "their layers are known to be called one after another. "
            f"Received: model={model!r} (of type {type(model).__name__})"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built, so that its weights exist. Call it on a "
            f"batch, or give it an `Input`. Received: '{model.name}', not built"
        )
    return model
