"""Whether the values of settings are allowed."""

import dataclasses

from keras_moduli.experiments.runs import grouping
from keras_moduli.experiments.runs.connections import PRUNED
from keras_moduli.experiments.runs.connections import parse
from keras_moduli.tasks import TASKS
from keras_moduli.utils.argument_validation import positive_integer

# How single weights are pruned.
OF_WEIGHTS = ("weights", "ranking", "block_size", "group_size", "pattern")
_OF_PRUNED = ("factor", "scale", "points", "trainable", "pattern")


def unused_where_fixed(whole):
    """The settings that fixed connections leave without effect.

    Args:
        whole: A dict of settings.
    """
    if whole.get("weights", "recurrent") == "recurrent":
        return (*_OF_PRUNED, "block_size")
    return _OF_PRUNED  # other kernels are pruned, in blocks


def check_given(given, whole):
    """Raises a ValueError for what was asked for and has no effect.

    Args:
        given: The settings that were asked for, a dict.
        whole: These and the preset's.
    """
    for name in OF_WEIGHTS if whole.get("whole_units") else ():
        if name in given:
            raise ValueError(
                f"`{name}` is for weights that are pruned one by one, and "
                "`whole_units` prunes them unit by unit. Received: "
                f"{name}={given[name]!r}, whole_units=True"
            )
    connections = whole.get("connections", PRUNED)
    if connections == PRUNED:
        return
    for name in unused_where_fixed(whole):
        if name in given:
            raise ValueError(
                f"`{name}` is for connections that are pruned, and these are "
                "fixed from the first step: take `connections` 'pruned', or "
                f"a preset of that kind. Received: {name}={given[name]!r}, "
                f"connections={connections!r}"
            )


def check_values(settings):
    """Raises a ValueError if a value is wrong or two do not go together."""
    _check_task(settings)
    _check_numbers(settings)
    _check_trained_points(settings)
    _check_fixed(settings)
    _check_whole_units(settings)


def _check_task(settings):
    if settings.task not in TASKS:
        raise ValueError(
            f"`task` must be one of {sorted(TASKS)}. "
            f"Received: task={settings.task!r}"
        )
    known = [field.name for field in dataclasses.fields(TASKS[settings.task])]
    for name in settings.task_settings:
        if name not in known:
            raise ValueError(
                f"The task '{settings.task}' has the settings {known}. "
                f"Received: {name}={settings.task_settings[name]!r}"
            )


def _check_numbers(settings):
    for name, least in (("steps", 1), ("epochs", 1), ("seed", 0)):
        value = getattr(settings, name)
        if type(value) is not int or value < least:
            raise ValueError(
                f"`{name}` must be an integer of at least {least}. "
                f"Received: {name}={value!r}"
            )
    if settings.epochs > settings.steps:
        raise ValueError(
            "`epochs` must be at most `steps`. Received: "
            f"epochs={settings.epochs}, steps={settings.steps}"
        )
    if not 0.0 <= settings.sparsity < 1.0:
        raise ValueError(
            "`sparsity` must be in [0, 1). "
            f"Received: sparsity={settings.sparsity}"
        )
    if not 0.0 <= settings.pruning_begin < settings.pruning_end <= 1.0:
        raise ValueError(
            "`pruning_begin` and `pruning_end` must be fractions of the "
            "steps, the first being less. Received: pruning_begin="
            f"{settings.pruning_begin}, pruning_end={settings.pruning_end}"
        )
    positive_integer("pruning_power", settings.pruning_power)
    positive_integer("group_size", settings.group_size)
    parse(settings.connections)
    grouping.check(settings.pattern)


def _check_trained_points(settings):
    if settings.trainable and settings.control is not None:
        raise ValueError(
            "`trainable` moves the points of the regularizer, and a "
            "control has none. "
            f"Received: trainable=True, control={settings.control!r}"
        )


def _check_fixed(settings):
    if not settings.fixed:
        return
    for name, without in (
        ("control", None),
        ("lottery", False),
        ("whole_units", False),
    ):
        if getattr(settings, name) != without:
            raise ValueError(
                f"`{name}` is for connections that are pruned. Received: "
                f"{name}={getattr(settings, name)!r}, "
                f"connections={settings.connections!r}"
            )
    if settings.sparsity == 0.0:
        raise ValueError(
            "`sparsity` must be more than 0 where `connections` are "
            f"fixed. Received: sparsity=0.0, "
            f"connections={settings.connections!r}"
        )


def _check_whole_units(settings):
    if not settings.whole_units:
        return
    for name, value in (("lottery", True), ("control", "dense_twin")):
        if getattr(settings, name) == value:
            raise ValueError(
                f"`whole_units` leaves a dense model, for which {name}="
                f"{value!r} has no meaning. Received: both"
            )
