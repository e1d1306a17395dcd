"""From a tf_keras model to the same model in Keras 3."""

from typing import Any

import keras
import numpy as np

from keras_moduli.keras2.configs import MODELS
from keras_moduli.keras2.configs import layer_config
from keras_moduli.keras2.graphs import connect
from keras_moduli.models.layers import all_layers

# Relative to the largest output; in half precision, sums may round apart.
_TOLERANCE = {"float32": 1e-4, "float16": 3e-2}


def to_keras3(model: Any) -> keras.Model:
    """Makes the Keras 3 twin of a tf_keras model, weights and all.

    The twin can take what Keras 3 models can: `export_tflite`,
    `export_saved_model`, `shrink`. Layers, their names and configurations are
    carried over, with regularizers such as `ModuliRegularizer`; then the
    weights. The twin's outputs are compared with the model's on random
    inputs before it is returned.

    Args:
        model: A built Sequential or functional tf_keras model. Pruned by
            TF-MOT, it must have been through `strip_pruning`. The states of
            stateful layers are reset.

    Returns:
        A `keras.Model`, not compiled.

    Raises:
        TypeError: If `model` is not a tf_keras model.
        ValueError: If it is not built, or has a layer that Keras 3 does not
            have, or with arguments that it does not know; the message names
            the layer.

    Example:

    ```python
    model = tf_keras.Sequential(
        [tf_keras.Input((20, 8)), tf_keras.layers.LSTM(64)]
    )
    twin = keras_moduli.keras2.to_keras3(model)
    keras_moduli.export_saved_model(twin, "saved_model")
    ```
    """
    import tf_keras

    if not isinstance(model, tf_keras.Model):
        raise TypeError(
            "`model` must be a tf_keras model. Received: an object of type "
            f"{type(model).__module__}.{type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built, so that its weights exist. "
            f"Received: '{model.name}', not built"
        )
    twin = _twin(model)
    _copy_weights(model, twin)
    _compare(model, twin)
    return twin


def _twin(model):
    """The model in Keras 3, with weights of its own."""
    try:
        config = model.get_config()
    except NotImplementedError:
        config = {}
    if "layers" not in config:
        raise ValueError(
            "`model` must be Sequential or functional; other models have no "
            "configuration that tells how layers are connected. "
            f"Received: '{model.name}' of type {type(model).__name__}"
        )
    layers = {layer.name: layer for layer in model.layers}
    twins = {
        entry["config"]["name"]: _layer(entry, layers)
        for entry in config["layers"]
    }
    if "output_layers" in config:
        return connect(config, twins)
    twin = keras.Sequential(list(twins.values()), name=model.name)
    if not twin.built:
        twin.build(tuple(model.input_shape))
    return twin


def _layer(entry, layers):
    if entry["class_name"] in MODELS:
        return _twin(layers[entry["config"]["name"]])
    config = layer_config(entry)
    try:
        return keras.saving.deserialize_keras_object(config)
    except Exception as error:
        raise ValueError(
            f"Layer '{entry['config']['name']}' of class "
            f"{entry['class_name']} cannot be made in Keras 3: {_root(error)}"
        ) from error


def _root(error):
    """The error that another one goes back to."""
    return _root(error.__context__) if error.__context__ else error


def _copy_weights(model, twin):
    twins = {layer.name: layer for layer in twin.layers}
    for layer in model.layers:
        if not layer.weights:
            continue
        other = twins[layer.name]
        if isinstance(other, keras.Model):
            _copy_weights(layer, other)
        else:
            other.set_weights(layer.get_weights())


def _compare(model, twin):
    """Raises a ValueError if the two compute different things."""
    inputs = _random_inputs(twin)
    _reset(model, twin)
    expected = keras.tree.flatten(model(inputs, training=False))
    found = keras.tree.flatten(twin(inputs, training=False))
    _reset(model, twin)
    half = any("16" in layer.compute_dtype for layer in all_layers(twin))
    tolerance = _TOLERANCE["float16" if half else "float32"]
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        one = np.asarray(one, "float64")
        other = keras.ops.convert_to_numpy(other).astype("float64")
        scale = max(1.0, float(np.max(np.abs(one), initial=0.0)))
        if not np.allclose(
            one, other, rtol=0, atol=tolerance * scale, equal_nan=True
        ):
            raise ValueError(
                f"Output {number} of model '{model.name}' differs in Keras 3, "
                f"by up to {np.abs(one - other).max():.2g}: some layer "
                "computes another thing there."
            )


def _random_inputs(twin):
    generator = np.random.default_rng(0)
    # Whole numbers that every Embedding knows, if there is one.
    rows = [
        layer.input_dim
        for layer in all_layers(twin)
        if isinstance(layer, keras.layers.Embedding)
    ]

    def values(tensor):
        shape = [
            n or default
            for n, default in zip(
                tensor.shape, [2] + [7] * (len(tensor.shape) - 1), strict=True
            )
        ]
        drawn = generator.normal(size=shape)
        if rows or "int" in tensor.dtype:
            drawn = generator.integers(0, min(rows, default=2), size=shape)
        return drawn.astype(tensor.dtype)

    if isinstance(twin, keras.Sequential):
        return values(twin.inputs[0])
    return keras.tree.map_structure(values, twin.input)


def _reset(model, twin):
    model.reset_states()
    for layer in all_layers(twin):
        if getattr(layer, "stateful", False) and hasattr(layer, "states"):
            layer.reset_states()
