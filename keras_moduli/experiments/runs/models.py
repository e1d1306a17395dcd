"""The model that a run begins with."""

import dataclasses

from keras_moduli.experiments.runs.connections import connect
from keras_moduli.experiments.runs.settings import DENSE_TWIN
from keras_moduli.experiments.runs.twin import twin_units
from keras_moduli.pruning.bound_group import BoundGroup


def first_model(settings, task):
    """A fresh, compiled model.

    Args:
        settings: The run's `Settings`.
        task: What `settings.make_task()` gave.
    """
    if settings.control == DENSE_TWIN:
        units = twin_units(task, settings.weights, settings.sparsity)
        task = dataclasses.replace(task, units=units)
    model = task.model(settings.total_steps, settings.regularizer())
    return connect(model, settings) if settings.fixed else model


def check(settings, task):
    """Builds everything once, so that bad input fails before training.

    Args:
        settings: The run's `Settings`.
        task: What `settings.make_task()` gave.

    Raises:
        ValueError: If the data cannot be read, the model is too large,
            nothing is to be pruned, or blocks or groups do not divide the
            weights.
    """
    try:
        model = first_model(settings, task)
    except Exception as error:
        if not _is_about_memory(error):
            raise
        raise ValueError(
            "The model is too large for the memory of this machine. "
            f"Received: {task}"
        ) from error
    pruning = settings.pruning()
    for group in pruning.groups if pruning else ():
        BoundGroup(group, model)


def _is_about_memory(error):
    # Every backend has an exception of its own, and these words in common.
    return isinstance(error, MemoryError) or any(
        word in str(error)
        for word in ("OOM", "RESOURCE_EXHAUSTED", "out of memory")
    )
