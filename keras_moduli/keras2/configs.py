"""Configurations of tf_keras layers, as Keras 3 writes them."""

MODELS = ("Sequential", "Functional", "Model")

# What Keras 3 no longer has, and the values at which it makes no difference.
_GONE = {
    "time_major": (False,),
    "ragged": (False,),
    "softmax_robust_masking": (False,),
    "implementation": None,  # how to compute, not what
    "input_length": None,
    "batch_input_shape": None,  # of the first layer; an InputLayer has it too
    "query_shape": None,  # of MultiHeadAttention, found anew when it is built
    "key_shape": None,
    "value_shape": None,
}


def layer_config(entry):
    """A layer's serialized configuration, translated for Keras 3.

    Args:
        entry: The dict that tf_keras has for a layer: `"class_name"`,
            `"config"` and more.

    Returns:
        A dict for `keras.saving.deserialize_keras_object`.

    Raises:
        ValueError: If the layer has something that Keras 3 lacks.
    """
    name, class_name = entry["config"]["name"], entry["class_name"]
    if class_name == "PruneLowMagnitude":
        raise ValueError(
            f"Layer '{name}' is wrapped for pruning. Pass the model through "
            "tfmot.sparsity.keras.strip_pruning first."
        )
    if class_name in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"):
        raise ValueError(
            f"'{name}' is a TensorFlow operation, which Keras 3 cannot take "
            "into a model. Use a layer instead, such as keras.layers.Add."
        )
    config = dict(entry["config"])
    if class_name == "InputLayer":
        config["batch_shape"] = config.pop("batch_input_shape")
    for key, harmless in _GONE.items():
        value = config.pop(key, None)
        if value and harmless and value not in harmless:
            raise ValueError(
                f"Layer '{name}' of class {class_name} has {key}={value!r}, "
                "which Keras 3 does not know."
            )
    for key, value in config.items():
        config[key] = _translated(key, value)
    kept = ("module", "class_name", "registered_name")
    return {**{k: entry[k] for k in kept if k in entry}, "config": config}


def _translated(key, value):
    if key == "dtype" and isinstance(value, dict):
        # A policy of mixed precision goes by its name.
        return value["config"]["name"]
    if key == "axis" and isinstance(value, (list, tuple)) and len(value) == 1:
        return value[0]
    if key in ("layer", "backward_layer", "cell") and isinstance(value, dict):
        return layer_config(value)
    if key == "cells":
        return [layer_config(cell) for cell in value]
    return value
