"""Whether Keras's own steps give what Keras gives for the whole sequence."""

import contextlib

import keras
import numpy as np

from keras_moduli.export.programs.carriers import CannotStream
from keras_moduli.export.programs.carriers import layers_over_time

# Rounding may grow over the steps, but a model that cannot be computed step by
# step is farther off than this from its largest output.
_SAME = 0.05


@contextlib.contextmanager
def steps_explained(model):
    """Makes a ValueError of whatever layers do with a single step."""
    try:
        yield
    except CannotStream:
        raise
    except Exception as error:
        raise ValueError(
            f"{_suspicion(model)}: on a single step it fails "
            f"({type(error).__name__}). Export without `streaming`, or "
            "remove what needs more than one step. "
            f"Received: model={model.name!r}"
        ) from error


def check_steps(model, found, answers):
    """Raises a ValueError if a model cannot be computed step by step.

    Then a layer that is not known here looks at more than one step. No file
    could be right, whatever the tolerance.

    Args:
        model: The model.
        found: List of what it gives step by step, one dict for each batch.
        answers: List of what it gives for whole sequences, likewise.
    """
    far = max(
        _relative(one, other) for one, other in zip(found, answers, strict=True)
    )
    if not far <= _SAME:
        raise ValueError(
            f"{_suspicion(model)}: computed step by step, Keras itself gives "
            f"outputs that differ by {far:.3g} of the largest. Export without "
            "`streaming`, or remove what looks at several steps. "
            f"Received: model={model.name!r}"
        )


def _relative(found, wanted):
    return max(
        float(np.max(np.abs(found[name] - array), initial=0))
        / max(float(np.max(np.abs(array), initial=0)), 1e-3)
        for name, array in wanted.items()
    )


def _suspicion(model):
    ours = keras.layers.__name__.split(".")[0]
    others = [
        f"'{layer.path}'"
        for layer in layers_over_time(model)[1:]
        if type(layer).__module__.split(".")[0] != ours
        or isinstance(layer, keras.layers.Lambda)
    ]
    others += [
        f"the operation '{one.name}'"
        for one in getattr(model, "operations", [])
        if not isinstance(one, keras.Layer)
    ]
    return (
        "`streaming` needs a model that can be computed step by step, and "
        "this one cannot, perhaps because of "
        f"{', '.join(others) or 'one of its layers'}"
    )
