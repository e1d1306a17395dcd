"""What happened during trainings, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_moduli.plotting import style
from keras_moduli.pruning.schedules import get

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_curves(
    curves: dict[str, list[dict[str, Any]]],
    metric: str,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws a metric of several trainings against the epoch.

    Args:
        curves: A dict from a training's name to the logs of its epochs, a
            list of dicts with `"epoch"` and `metric`.
        metric: The name of a metric, such as `"val_loss"`.
        label: What to call it on the axis. Defaults to its name.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> logs = [{"epoch": 1, "val_loss": 2.0}, {"epoch": 2, "val_loss": 1.5}]
    >>> ax = keras_moduli.plotting.plot_curves({"dense": logs}, "val_loss")
    """
    from matplotlib.ticker import MaxNLocator

    ax = style.axes(ax)
    for index, (name, logs) in enumerate(curves.items()):
        ax.plot(
            [epoch["epoch"] for epoch in logs],
            [epoch[metric] for epoch in logs],
            **style.look(index),
            markersize=4,
            label=name,
        )
    ax.set_ylabel(label or metric)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    style.legend(ax, len(curves))
    style.tidy(ax)
    return ax


def plot_sparsity(
    curve: list[dict[str, Any]],
    schedule: Any = None,
    steps_per_epoch: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draws the sparsity at the end of each epoch, over what was planned.

    Args:
        curve: The logs of the epochs, a list of dicts with `"epoch"` and
            `"sparsity"`.
        schedule: The pruning schedule, or `None` to leave the get out.
        steps_per_epoch: Optimizer steps in one epoch.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> logs = [{"epoch": 1, "sparsity": 0.5}, {"epoch": 2, "sparsity": 0.9}]
    >>> ax = keras_moduli.plotting.plot_sparsity(logs)
    """
    ax = style.axes(ax)
    epochs = [epoch["epoch"] for epoch in curve]
    if schedule is not None:
        planned = get(schedule)
        steps = np.arange(epochs[-1] * steps_per_epoch + 1)
        ax.plot(
            steps / steps_per_epoch,
            [100 * (planned.target(step) or 0.0) for step in steps],
            color=style.VERMILION,
            linewidth=1.2,
            label="schedule",
        )
    ax.plot(
        epochs,
        [100 * epoch.get("sparsity", 0.0) for epoch in curve],
        color=style.BLUE,
        linestyle="none",
        marker="o",
        markersize=4,
        label="measured",
        clip_on=False,
        zorder=3,
    )
    ax.set_ylim(0, 100)
    ax.set_ylabel("sparsity (%)")
    ax.set_xlabel("epoch")
    ax.legend(frameon=False, loc="lower right")
    style.tidy(ax)
    return ax
