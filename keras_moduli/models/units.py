"""Layers made of units, and layers that hand units on one by one."""

import keras

from keras_moduli.models.kernels import EMBEDDING_NAME

RECURRENT = (keras.layers.SimpleRNN, keras.layers.LSTM, keras.layers.GRU)

# Activations that look at one unit at a time. Others, such as softmax, tie
# units together: a layer with one of them keeps all its units.
_ELEMENTWISE = [
    getattr(keras.activations, name)
    for name in (
        "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu "
        "hard_tanh leaky_relu linear log_sigmoid mish relu relu6 selu sigmoid "
        "silu soft_shrink softplus softsign sparse_plus sparse_sigmoid "
        "squareplus tanh tanh_shrink threshold"
    ).split()
    if hasattr(keras.activations, name)
]

# Layers whose output features are those of the input, one by one.
_PASSING = (
    keras.layers.ActivityRegularization,
    keras.layers.Activation,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.RepeatVector,
    keras.layers.SpatialDropout1D,
)


def parts_of(layer):
    """The `Dense` and recurrent layers that a layer is made of.

    Args:
        layer: A layer, or `None`.

    Returns:
        A list: the layer itself; of a `TimeDistributed` the layer in it; of
        a `Bidirectional` its directions, whose units stand side by side. It
        is empty for layers of any other kind, and for those with weights
        besides their kind's.
    """
    # The classes themselves: a subclass may compute something else.
    cls = type(layer)
    parts = []
    if cls is keras.layers.Dense or cls in RECURRENT:
        parts = [layer]
    elif cls is keras.layers.TimeDistributed:
        parts = [layer.layer] * (type(layer.layer) is keras.layers.Dense)
    elif cls is keras.layers.Bidirectional and layer.merge_mode == "concat":
        parts = _directions(layer)
    return parts if all(_has_no_other_weights(part) for part in parts) else []


def weights_of(layer):
    """The weights of a `Dense` or recurrent layer by attribute name."""
    owner = getattr(layer, "cell", layer)
    names = ("kernel", "recurrent_kernel", "bias")
    found = {name: getattr(owner, name, None) for name in names}
    return {name: v for name, v in found.items() if v is not None}


def is_separable(layer):
    """Whether units of a layer can go without another one noticing.

    Args:
        layer: A `Dense` or recurrent layer.
    """
    gates = getattr(layer, "recurrent_activation", keras.activations.linear)
    return (
        not getattr(layer, "return_state", False)
        and layer.activation in _ELEMENTWISE
        and gates in _ELEMENTWISE
    )


def passes_features(layer):
    """Whether a layer hands its features on, each for itself."""
    return (
        type(layer) in _PASSING
        and getattr(layer, "noise_shape", None) is None
        and getattr(layer, "activation", _ELEMENTWISE[0]) in _ELEMENTWISE
    )


def _directions(layer):
    parts = [layer.forward_layer, layer.backward_layer]
    alike = all(type(part) in RECURRENT for part in parts)
    return parts if alike and parts[0].units == parts[1].units else []


def _has_no_other_weights(layer):
    found = {
        id(v)
        for v in layer.weights
        if v.path.rsplit("/", 1)[-1] != EMBEDDING_NAME
    }
    return found == {id(v) for v in weights_of(layer).values()}
