"""The names that a file gives to what a model takes and answers."""

import re

import keras


def identifiers(names):
    """Every name as an identifier, none of them twice."""
    found = []
    for index, name in enumerate(names):
        name = _identifier(name) or f"input_{index}"
        while name in found:
            name += "_"
        found.append(name)
    return found


def _identifier(name):
    # Names that Keras counts up by itself ("keras_tensor_12") would differ
    # from one program run to the next.
    if name is None or name.startswith("keras_tensor"):
        return None
    return re.sub(r"\W", "_", name)


def named(outputs):
    """A model's outputs as a dict, under the names that a file has."""
    if isinstance(outputs, dict) and not any(
        keras.tree.is_nested(value) for value in outputs.values()
    ):
        return {_identifier(key): outputs[key] for key in outputs}
    return {
        f"output_{index}": value
        for index, value in enumerate(keras.tree.flatten(outputs))
    }
