"""TF-MOT's `prune_low_magnitude`, on recurrent kernels only."""

import functools
from typing import Any


def prune_recurrent(to_prune: Any, **params: Any) -> Any:
    """Wraps tf_keras layers so that TF-MOT prunes their recurrent kernels.

    `tfmot.sparsity.keras.prune_low_magnitude` prunes the input kernel of an
    LSTM, GRU or SimpleRNN along with the recurrent one, to the same sparsity,
    and refuses `Bidirectional`. Here only recurrent kernels are pruned, also
    in `Bidirectional`, `RNN` with cells, and nested models. All that TF-MOT
    does goes on as before: `UpdatePruningStep`, `strip_pruning`.

    What to prune is told to TF-MOT by the layer objects, and their
    configurations do not hold it. To go on with a training, build the model
    and call this again, then load the weights.

    Args:
        to_prune: A Sequential or functional tf_keras model, or one of its
            layers. As with TF-MOT, the new model shares its layers.
        **params: Arguments of `prune_low_magnitude`: `pruning_schedule`,
            `block_size`, ...

    Returns:
        A model of the same layers, those with recurrent kernels wrapped, not
        compiled; or the wrapped layer.

    Raises:
        TypeError: If `to_prune` is not a tf_keras model or layer.
        ValueError: If it has no recurrent kernel.

    Example:

    ```python
    model = tf_keras.Sequential([
        tf_keras.Input((20, 8)),
        tf_keras.layers.LSTM(
            64, recurrent_regularizer=keras_moduli.ModuliRegularizer()
        ),
        tf_keras.layers.Dense(1),
    ])
    pruned = keras_moduli.keras2.prune_recurrent(
        model, pruning_schedule=schedule)
    pruned.compile("adam", "mse")
    x, y = np.ones((32, 20, 8)), np.ones((32, 1))
    pruned.fit(x, y, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
    stripped = tfmot.sparsity.keras.strip_pruning(pruned)
    ```
    """
    import tensorflow_model_optimization as tfmot
    import tf_keras

    if not isinstance(to_prune, tf_keras.layers.Layer):
        raise TypeError(
            "`to_prune` must be a tf_keras model or layer. For Keras 3 use "
            "keras_moduli.MagnitudePruning. Received: an object of type "
            f"{type(to_prune).__module__}.{type(to_prune).__name__}"
        )
    wrap = functools.partial(tfmot.sparsity.keras.prune_low_magnitude, **params)
    if not any(_cells(layer) for layer in _flat(to_prune, tf_keras.Model)):
        raise ValueError(
            "`to_prune` must have a recurrent kernel: an LSTM, GRU, SimpleRNN, "
            "or RNN of such cells. "
            f"Received: '{to_prune.name}', without any"
        )
    return _pruned(to_prune, wrap)


def _pruned(layer, wrap):
    """The layer or model, wrapped where it has recurrent kernels."""
    import tf_keras

    if isinstance(layer, tf_keras.Model):
        return tf_keras.models.clone_model(
            layer, clone_function=lambda inner: _pruned(inner, wrap)
        )
    if not _cells(layer):
        return layer
    # TF-MOT asks the layer, if it has this method.
    layer.get_prunable_weights = lambda: [
        cell.recurrent_kernel for cell in _cells(layer)
    ]
    return wrap(layer)


def _flat(layer, model_class):
    """The layers of a model and of the models in it."""
    if not isinstance(layer, model_class):
        return [layer]
    return [
        inner for part in layer.layers for inner in _flat(part, model_class)
    ]


def _cells(layer):
    """The cells in a layer that have a recurrent kernel."""
    directions = [
        getattr(layer, name)
        for name in ("forward_layer", "backward_layer")
        if hasattr(layer, name)
    ]
    if directions:
        return [cell for part in directions for cell in _cells(part)]
    cell = getattr(layer, "cell", None)
    cells = getattr(cell, "cells", [cell])
    # Also before the layer is built: its kernels do not exist yet.
    return [c for c in cells if hasattr(c, "recurrent_initializer")]
