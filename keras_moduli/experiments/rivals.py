"""What a job trains beside the sparse model: the nets that it has to beat."""

import dataclasses

from keras_moduli.experiments.reports.equal_file import units_of_file
from keras_moduli.experiments.reports.tradeoff import QUANTIZATION
from keras_moduli.experiments.runs.models import check
from keras_moduli.experiments.runs.settings import DENSE_TWIN
from keras_moduli.experiments.runs.settings import NO_REGULARIZER
from keras_moduli.experiments.runs.training import Run
from keras_moduli.experiments.runs.twin import twin_units

DENSE, TWIN, SHRUNKEN, PLAIN = RIVALS = "dense", "twin", "shrunken", "plain"
AS_LARGE = DENSE, PLAIN  # whose units do not follow from the sparse one's file


def checked(names, settings):
    """The names of rivals, as a tuple in the order of `RIVALS`.

    Args:
        names: An iterable of them, or `None` for those that the settings
            suggest: a net that was pruned stands beside the dense one that it
            began as, one that was sparse from its first step beside one of
            random connections. Both have a twin.
        settings: The `Settings` of the sparse run.

    Raises:
        ValueError: If there is no such rival.
    """
    if names is None:
        names = [PLAIN if settings.fixed else DENSE]
        names += [TWIN] * _has_twin(settings)
        return tuple(n for n in RIVALS if n in names and _exists(n, settings))
    for name in names:
        if name not in RIVALS or not _exists(name, settings):
            raise ValueError(
                "`beside` must name nets that differ from the sparse one, of "
                f"{', '.join(n for n in RIVALS if _exists(n, settings))}. "
                f"Received: {name!r}"
            )
    return tuple(name for name in RIVALS if name in names)


def _has_twin(settings):
    return settings.sparsity > 0 and settings.control != DENSE_TWIN


def _exists(name, settings):
    if name == TWIN:
        return _has_twin(settings)
    if name == SHRUNKEN:
        return _has_twin(settings) and not settings.whole_units
    return name != PLAIN or plain(settings) != settings.effective()


def plain(settings):
    """The same run with as many connections, chosen without a geometry."""
    if settings.fixed:
        other = dataclasses.replace(settings, connections="random")
    else:
        other = dataclasses.replace(settings, control=NO_REGULARIZER)
    return dataclasses.replace(other, lottery=False).effective()


def runs(name, job, size=None):
    """The trainings of a rival, of which the best one counts.

    Args:
        name: One of `RIVALS`.
        job: The `Job`.
        size: Bytes of the sparse model's exported file, or `None`.

    Returns:
        A list of `Run`.

    Raises:
        ValueError: If no dense model is as small, or none can be shrunken.
    """
    if name in (DENSE, PLAIN):
        make = {DENSE: job.settings.dense, PLAIN: lambda: plain(job.settings)}
        return [Run(job.folder / name, make[name](), job.task)]
    units = _twin_units(job, size)
    make = {TWIN: _twin, SHRUNKEN: _shrunken}[name]
    rates = [x * job.task.first_learning_rate for x in job.task.twin_rates]
    return [make(job, units, rate) for rate in rates]


def _twin_units(job, size):
    """By the bytes of the file, or, where there is none, by weights."""
    settings = job.settings
    if size is None:
        return twin_units(job.task, settings.weights, settings.sparsity)
    return units_of_file(job.task, size, QUANTIZATION)[0]


def _twin(job, units, rate):
    settings = _dense(job, units=units, learning_rate=rate)
    return _run(job, TWIN, rate, settings)


def _shrunken(job, units, rate):
    """Begins with as many units as the sparse one, ends with the twin's."""
    if units >= job.task.units:
        raise ValueError(
            f"the dense twin's {units} units are not fewer than the "
            f"{job.task.units} to begin with."
        )
    settings = dataclasses.replace(
        _dense(job, learning_rate=rate),
        whole_units=True,
        sparsity=1 - units / job.task.units,
    ).effective()
    run = _run(job, SHRUNKEN, rate, settings)
    check(settings, run.task)  # not every task's units can be pruned
    return run


def _dense(job, **own):
    """The settings of a dense model whose task has some of its own."""
    settings = job.settings.dense()
    return dataclasses.replace(
        settings, task_settings={**settings.task_settings, **own}
    )


def _run(job, name, rate, settings):
    folder = job.folder / f"{name}_rate{rate:g}"
    return Run(folder, settings, settings.make_task())
