"""The hidden states of a recurrent layer, as a model runs."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import numpy as np

from keras_moduli.models.layers import all_layers
from keras_moduli.models.layers import replaced
from keras_moduli.utils.argument_validation import positive_integer


def record_states(
    model: keras.Model,
    data: Any,
    layer: str | keras.Layer | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """Runs a model and returns every hidden state of a recurrent layer.

    The model may be half trained, nested, or a subclass; it stays as it is,
    but stateful layers go on from their states as in `predict`. Of LSTMs the
    output is taken, not the cell state. Where a mask hides a step, the last
    state is repeated, as Keras does it.

    Args:
        model: A built `keras.Model`.
        data: What the model takes: an array or a dict, list or tuple of
            arrays, with sequences along the first axis.
        layer: The recurrent layer, or its name; in `Bidirectional`, one of
            its directions, such as `"forward_lstm"`. Defaults to `None`: the
            only one there is.
        batch_size: Sequences to run at a time.

    Returns:
        Float32 array of shape `(sequences, steps, units)`.

    Raises:
        ValueError: If the layer is not to be found, there are several, or the
            model did not call it once.

    Example:

    >>> model = keras.Sequential([keras.Input((None, 2)), keras.layers.GRU(8)])
    >>> x = np.zeros((3, 5, 2), "float32")
    >>> keras_moduli.topology.record_states(model, x).shape
    (3, 5, 8)
    """
    found = _find(model, layer)
    batch_size = positive_integer("batch_size", batch_size)
    count = len(keras.tree.flatten(data)[0])
    recorded: list[np.ndarray] = []
    with replaced(found, "call", _recorder(found, recorded)):
        for first in range(0, count, batch_size):
            part = slice(first, first + batch_size)
            batch = keras.tree.map_structure(
                lambda array, part=part: keras.ops.convert_to_tensor(
                    np.asarray(array)[part]
                ),
                data,
            )
            model(batch, training=False)
    if sum(len(states) for states in recorded) != count:
        raise ValueError(
            "`layer` must be called exactly once when the model runs. "
            f"Received: layer '{found.name}', called {len(recorded)} times"
        )
    return np.concatenate(recorded)


def _recorder(layer, recorded):
    """The layer's `call`, which also keeps the states of all steps."""
    call, only_last = layer.call, not layer.return_sequences

    def recording(*args, **kwargs):
        with contextlib.ExitStack() as stack:
            if only_last:
                stack.enter_context(replaced(layer, "return_sequences", True))
            outcome = call(*args, **kwargs)
        sequences, *states = outcome if layer.return_state else [outcome]
        states_now = keras.ops.convert_to_numpy(sequences)
        recorded.append(states_now.astype("float32"))
        output = sequences[:, -1] if only_last else sequences
        return (output, *states) if layer.return_state else output

    return recording


def _find(model, wanted):
    recurrent = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.RNN)
    ]
    if isinstance(wanted, keras.layers.Bidirectional):
        found = []  # two sequences of states: choose one
    elif wanted is None:
        found = recurrent
    else:
        found = [one for one in recurrent if wanted in (one, one.name)]
    if len(found) != 1:
        raise ValueError(
            "`layer` must say which recurrent layer is meant: one of "
            f"{[one.name for one in recurrent]}. Received: layer={wanted!r}, "
            f"which fits {len(found)}"
        )
    return found[0]
