"""The layers inside a model, however deep."""

import contextlib

import keras


def all_layers(model):
    """Every layer in a model once: nested models, wrappers, cells.

    Args:
        model: A `keras.Model` or any layer.

    Returns:
        A list, outer layers first, the model itself first of all.
    """
    found = {}
    waiting = [model]
    while waiting:
        layer = waiting.pop(0)
        if id(layer) not in found:
            found[id(layer)] = layer
            waiting.extend(_children(layer))
    return list(found.values())


def path_of(layer):
    """What a layer is called: its path, or its name where Keras has no path."""
    return layer.path or layer.name


def is_graph(layer):
    """Whether a layer is a Sequential or functional model."""
    if not isinstance(layer, keras.Model):
        return False
    caller = next(c for c in type(layer).__mro__ if "call" in vars(c))
    if caller.__module__.split(".")[0] != "keras":
        return False  # what a subclass does with its layers is not known
    try:
        config = layer.get_config()
    except NotImplementedError:  # a subclass that cannot be saved either
        return False
    return isinstance(layer, keras.Sequential) or "output_layers" in config


def state_variables(model):
    """The variables that stateful recurrent layers carry between calls."""
    return [
        variable
        for layer in all_layers(model)
        if getattr(layer, "stateful", False)
        for variable in keras.tree.flatten(getattr(layer, "states", None))
        if isinstance(variable, keras.Variable)
    ]


def quantized_layers(model):
    """The layers that `model.quantize` has changed, with their modes.

    Returns:
        A list of pairs: a layer, and `"int8"`, `"int4"` or the like.
    """
    return [
        (layer, layer.dtype_policy.quantization_mode)
        for layer in all_layers(model)
        if isinstance(
            getattr(layer, "dtype_policy", None),
            keras.dtype_policies.QuantizedDTypePolicy,
        )
    ]


@contextlib.contextmanager
def replaced(instance, name, value):
    """An attribute of one object is another one for a while."""
    before = vars(instance).get(name)  # replaced already, or the class's
    setattr(instance, name, value)
    try:
        yield
    finally:
        if before is None:
            delattr(instance, name)
        else:
            setattr(instance, name, before)


@contextlib.contextmanager
def unrolled(model):
    """Recurrent layers become a chain of their steps, without a loop."""
    with contextlib.ExitStack() as stack:
        for layer in all_layers(model):
            if isinstance(layer, keras.layers.RNN):
                stack.enter_context(replaced(layer, "unroll", True))
        yield


def _children(layer):
    # Keras has no public way to list the layers inside a wrapper or a cell,
    # but every one of them is an attribute or stands in a list or dict.
    for value in list(vars(layer).values()):
        if isinstance(value, dict):
            value = list(value.values())
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, keras.layers.Layer):
                yield item
