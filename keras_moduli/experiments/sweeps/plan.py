"""Which runs a sweep has, and what their folders are called."""

import itertools

from keras_moduli.experiments.runs.connections import PRUNED
from keras_moduli.experiments.runs.grouping import GROUPINGS
from keras_moduli.experiments.runs.settings import DENSE_TWIN
from keras_moduli.experiments.runs.settings import NO_REGULARIZER
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.values import unused_where_fixed
from keras_moduli.tasks import TASKS

AXES = (
    "space",
    "inhibitor",
    "scale",
    "factor",
    "sparsity",
    "connections",
    "group_size",
    "pattern",
    "learning_rate",
    "units",
)


def plan(
    task, given, axes, controls, seeds, preset="small", only_controls=False
):
    """The runs of a sweep.

    Args:
        task: A name in `keras_moduli.tasks.TASKS`.
        given: Settings that all runs share, a dict.
        axes: A dict from names in `AXES` to lists of values; all
            combinations are run.
        controls: A list of controls, run for the first space, inhibitor and
            scale only, with every factor, sparsity and group size, and
            pruned. Their points rest, also where the others' are trained.
        seeds: How many seeds, from 0.
        preset: The task's preset for all other settings.
        only_controls: Whether to leave out what is no control.

    Returns:
        A dict from the run's name to its `Settings`.

    Raises:
        ValueError: If a name or a value is not allowed, or there are no runs.
    """
    if only_controls and not controls:
        raise ValueError(
            "`control` must name the controls to run alone. Received: none"
        )
    combinations = [
        dict(zip(axes, values, strict=True))
        for values in itertools.product(*axes.values())
    ]
    first = {
        name: axes[name][0]
        for name in ("space", "inhibitor", "scale")
        if name in axes
    }
    of_controls = {**first, "connections": PRUNED, "trainable": False}
    variants = [
        *([] if only_controls else combinations),
        *(
            {**combination, **of_controls, "control": control}
            for control in controls
            for combination in combinations
        ),
    ]
    runs = {}
    for variant, seed in itertools.product(variants, range(seeds)):
        whole = {**given, **variant, "seed": seed}
        if variant.get("connections", PRUNED) != PRUNED:
            # Settings of the others, which are pruned.
            unused = unused_where_fixed(whole)
            whole = {k: v for k, v in whole.items() if k not in unused}
        settings = Settings.of(task, whole, preset).effective()
        runs[run_name(settings)] = settings
    return runs


def dense_family(task, given, units, seeds, preset="small"):
    """The runs of dense models of several sizes, as `plan` gives runs.

    Args:
        task, given, seeds, preset: As for `plan`.
        units: A list of numbers of recurrent units.
    """
    dense = {"sparsity": 0.0, "connections": PRUNED, "group_size": 1}
    return plan(
        task,
        {**given, **dense},
        {"units": units},
        [NO_REGULARIZER],
        seeds,
        preset,
        only_controls=True,
    )


def run_name(settings):
    """What a run's folder is called."""
    if settings.fixed:
        parts = [settings.connections.replace(":", "")]
        if (settings.space, settings.inhibitor) != (
            Settings.space,
            Settings.inhibitor,
        ):
            parts += [settings.space, settings.inhibitor]
    elif settings.control in (NO_REGULARIZER, DENSE_TWIN):
        parts = [settings.control]
    else:
        parts = [
            *([settings.control] if settings.control else []),
            *(["trainable"] if settings.trainable else []),
            settings.space,
            settings.inhibitor,
            *([f"scale{settings.scale:g}"] if settings.scale != 1.0 else []),
            f"factor{settings.factor:g}",
        ]
    if settings.whole_units:
        parts.append("whole_units")
    if settings.group_size > 1:
        word = GROUPINGS[settings.pattern].word
        parts.append(f"{word}{settings.group_size}")
    if settings.blocks:
        parts.append("blocks{}x{}".format(*settings.blocks))
    parts += [
        f"{short}{settings.task_settings[name]:g}"
        for name, short in _OF_TASK.items()
        if _is_own(settings, name)
    ]
    parts += [f"sparsity{settings.sparsity:g}", f"seed{settings.seed}"]
    return "-".join(parts)


# Settings of the task that a folder's name tells, and how.
_OF_TASK = {"learning_rate": "rate", "units": "units"}


def _is_own(settings, name):
    """Whether a setting of the task is not the task's default."""
    default = getattr(TASKS[settings.task], name)
    return settings.task_settings.get(name) not in (None, default)
