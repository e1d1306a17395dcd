"""Quality against sparsity, and against what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_moduli.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_tradeoff(
    results: dict[str, dict[float, Sequence[float]]],
    label: str = "error",
    ax: Axes | None = None,
) -> Axes:
    """Draws the error of several methods against the sparsity.

    Lines join the means; dots are single runs; bars are standard deviations.

    Args:
        results: A dict from a method's name to a dict from sparsity to a list
            of errors, one per run.
        label: What the errors are.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> results = {
    ...     "torus": {0.9: [6.1, 6.5], 0.98: [40.0, 61.0]},
    ...     "none": {0.9: [70.0, 81.0], 0.98: [95.0, 94.0]},
    ... }
    >>> ax = keras_moduli.plotting.plot_tradeoff(results, "error (cm)")
    """
    ax = style.axes(ax)
    count = len(results)
    levels = sorted({s for errors in results.values() for s in errors})
    gap = min(np.diff(levels), default=0.1)
    for index, (name, errors) in enumerate(results.items()):
        look = style.look(index)
        sparsities = np.array(sorted(errors))
        # Side by side, so that methods do not hide each other.
        x = 100 * (sparsities + 0.3 * gap * ((index + 0.5) / count - 0.5))
        ax.errorbar(
            x,
            [np.mean(errors[s]) for s in sparsities],
            [np.std(errors[s], ddof=len(errors[s]) > 1) for s in sparsities],
            **look,
            markersize=5,
            capsize=3,
            label=name,
        )
        _dots(ax, x, [errors[s] for s in sparsities], look["color"])
    ax.set_xticks([100 * s for s in levels])
    ax.set_xlabel("sparsity (%)")
    ax.set_ylabel(label)
    style.legend(ax, count, fontsize=8)
    style.tidy(ax)
    return ax


def plot_cost(
    results: dict[str, dict[float, Sequence[float]]],
    cost: str = "KB",
    label: str = "error",
    ax: Axes | None = None,
) -> Axes:
    """Draws the error of families of models against what they cost.

    Lines join the means of a family, smallest cost first; dots are single
    runs. What lies below and left of a line is better than its family.

    Args:
        results: A dict from a family's name to a dict from cost to a list of
            errors, one per run.
        cost: What the cost is, with its unit; its axis is logarithmic.
        label: What the errors are.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> results = {
    ...     "dense": {40.0: [2.3, 2.4], 160.0: [2.1, 2.1]},
    ...     "own+random, 90%": {45.0: [2.1, 2.2]},
    ... }
    >>> ax = keras_moduli.plotting.plot_cost(results, "KB", "bits")
    """
    from matplotlib.ticker import LogLocator
    from matplotlib.ticker import NullLocator

    ax = style.axes(ax)
    for index, (name, errors) in enumerate(results.items()):
        look = style.look(index)
        costs = sorted(errors)
        means = [np.mean(errors[c]) for c in costs]
        ax.plot(costs, means, **look, markersize=5, label=name)
        _dots(ax, costs, [errors[c] for c in costs], look["color"])
    ax.set_xscale("log")
    # Plain numbers, and enough of them where less than a decade is shown.
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(cost)
    ax.set_ylabel(label)
    style.legend(ax, len(results), fontsize=8)
    style.tidy(ax)
    return ax


def _dots(ax, places, errors, color):
    """The errors of single runs, above each other at every place."""
    for place, values in zip(places, errors, strict=True):
        ax.scatter(
            np.full(len(values), place),
            values,
            s=8,
            color=color,
            alpha=0.5,
            linewidths=0,
        )
