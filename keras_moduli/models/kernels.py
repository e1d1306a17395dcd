"""Which variables of a model are the kernels, and which of them are meant."""

import re

import keras


def kernels(model):
    """The trainable weight matrices of a model, by path.

    Biases (also GRU's, which have two axes), normalisation scales, LoRA's
    factors and a regularizer's embedding are not kernels. A weight shared by
    several layers appears once.

    Args:
        model: A built `keras.Model` (or layer).

    Returns:
        A dict from path (`"lstm/lstm_cell/recurrent_kernel"`) to variable, in
        the model's order. The path is made of the names of layers and nested
        models, without the model's own: unlike `variable.path`, it is the same
        after saving, loading and cloning. Should two weights have one path,
        `"#2"`, `"#3"`, ... are appended.

    Raises:
        ValueError: If the model has no weights yet.
    """
    if not hasattr(model, "trainable_variables"):
        raise TypeError(
            "`model` must be a built `keras.Model`. Received: "
            f"model={model!r} (of type {type(model).__name__})"
        )
    if not has_weights(model):
        raise ValueError(
            "`model` must be built, so that its weights exist. Call it on a "
            "batch, or give it an `Input`. "
            f"Received: model={getattr(model, 'name', model)!r}, not built"
        )
    found, names = {}, _names(model)
    for variable in model.trainable_variables:
        if not _is_kernel(variable) or any(
            variable is known for known in found.values()
        ):
            continue
        name = names.get(id(variable), variable.path)
        path, count = name, 1
        while path in found:
            count += 1
            path = f"{name}#{count}"
        found[path] = variable
    return found


def has_weights(model):
    """Whether a model has been built, and not in name only."""
    return bool(model.built and model.weights)


def select(model, weights="recurrent"):
    """The kernels of a model that `weights` names.

    Args:
        model: A built `keras.Model`.
        weights: `"recurrent"` for all recurrent kernels, `"kernels"` for all
            kernels, both without those of sparse layers, which have no
            zeros to gain; another string as a regular expression searched for
            in the weights' paths, or a callable `(path, variable) -> bool`.

    Returns:
        A dict from path to variable, never empty.

    Raises:
        ValueError: If nothing is selected; the message lists the paths.
        TypeError: If `weights` is neither a string nor callable.
    """
    found = kernels(model)
    chosen = {
        path: variable
        for path, variable in found.items()
        if rule(weights)(path, variable)
    }
    if not chosen:
        sparse = [path for path in found if _is_gathered(found[path])]
        left_out = f", sparse already: {sparse}" if sparse else ""
        raise ValueError(
            f"`weights` selects nothing in model '{model.name}', whose "
            f"kernels are {list(found)}{left_out}. "
            f"Received: weights={weights!r}"
        )
    return chosen


# Where Keras's own containers keep the layers they are made of.
_PARTS = ("layers", "forward_layer", "backward_layer", "layer", "cell", "cells")


def _names(layer, prefix=""):
    """Paths of the variables of a model or layer, by the variables' `id`."""
    names = {}
    for part in _PARTS:
        children = getattr(layer, part, [])
        for child in children if isinstance(children, list) else [children]:
            if isinstance(child, keras.Layer):
                inner = _names(child, f"{prefix}{child.name}/")
                names = {**inner, **names}
    for variable in layer.variables:
        names.setdefault(
            id(variable), prefix + _after(variable.path, layer.name)
        )
    return names


def _after(path, name):
    """What follows `name` in a variable's path."""
    parts = path.split("/")
    if name in parts:
        parts = parts[parts.index(name) + 1 :]
    return "/".join(parts)


def _is_kernel(variable):
    name = variable.path.rsplit("/", 1)[-1]
    return (
        len(variable.shape) >= 2
        and "bias" not in name
        and not name.startswith("lora_")
        and name != EMBEDDING_NAME
    )


# The name of a trainable embedding's variable: points, not weights.
EMBEDDING_NAME = "moduli_embedding"


def mark_gathered(variable):
    """Says that a kernel holds surviving weights only."""
    # Its shape does not tell: ConvLSTM1D's kernels have three axes too.
    variable.moduli_gathered = True


def _is_gathered(variable):
    return getattr(variable, "moduli_gathered", False)


def is_recurrent(path, variable):
    """Whether a kernel is a recurrent one."""
    del variable
    return re.search(r"(^|/)recurrent_kernel(#\d+)?$", path) is not None


_RULES = {
    "recurrent": lambda path, v: is_recurrent(path, v) and not _is_gathered(v),
    "kernels": lambda path, v: not _is_gathered(v),
}


def rule(weights):
    """The function `(path, variable) -> bool` that `weights` stands for."""
    if callable(weights):
        return weights
    if not isinstance(weights, str):
        raise TypeError(
            "`weights` must be 'recurrent', 'kernels', a regular expression "
            f"or a callable. Received: weights={weights!r} "
            f"(of type {type(weights).__name__})"
        )
    if weights in _RULES:
        return _RULES[weights]
    try:
        pattern = re.compile(weights)
    except re.error as error:
        raise ValueError(
            "`weights` must be 'recurrent', 'kernels' or a regular expression, "
            f"which this is not: {error}. Received: weights={weights!r}"
        ) from error
    return lambda path, variable: pattern.search(path) is not None


def gate_count(path, found):
    """How many gates a recurrent layer's kernels have side by side.

    The recurrent kernel tells, for itself and for its sibling, the input
    kernel. Everything else is taken as one gate.
    """
    parts = re.fullmatch(r"(.*/|)(recurrent_)?kernel(#\d+)?", path)
    if parts is None:
        return 1
    sibling = f"{parts[1]}recurrent_kernel{parts[3] or ''}"
    if sibling not in found or len(found[sibling].shape) != 2:
        return 1
    rows, columns = found[sibling].shape
    return columns // rows if columns % rows == 0 else 1
