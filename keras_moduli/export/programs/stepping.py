"""Whether Keras's own steps give what Keras gives for the whole sequence."""

import contextlib

import keras

from keras_moduli.export.programs.carriers import CannotStream
from keras_moduli.export.programs.carriers import layers_over_time
from keras_moduli.export.verification.coarseness import sudden_difference
from keras_moduli.export.verification.coarseness import typical_difference
from keras_moduli.export.verification.comparison import largest_difference
from keras_moduli.models.layers import path_of

# What roundings leave, even where they grow; and what they leave where they
# have not grown. A model that cannot be computed step by step is farther off.
_SAME, _ROUNDED = 0.05, 1e-3


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
    _, far = largest_difference(found, answers)
    if far <= _SAME:
        return
    early = typical_difference(found, answers)
    if not early <= _ROUNDED or sudden_difference(found, answers, _ROUNDED):
        raise ValueError(
            f"{_suspicion(model)}: computed step by step, Keras itself gives "
            f"outputs that differ by {far:.3g} of the largest. Export without "
            "`streaming`, or remove what looks at several steps. "
            f"Received: model={model.name!r}"
        )


def _suspicion(model):
    ours = keras.layers.__name__.split(".")[0]
    others = [
        f"'{path_of(layer)}'"
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
