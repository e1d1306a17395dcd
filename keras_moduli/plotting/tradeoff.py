"""Quality against sparsity."""

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
        for place, s in zip(x, sparsities, strict=True):
            ax.scatter(
                np.full(len(errors[s]), place),
                errors[s],
                s=8,
                color=look["color"],
                alpha=0.5,
                linewidths=0,
            )
    ax.set_xticks([100 * s for s in levels])
    ax.set_xlabel("sparsity (%)")
    ax.set_ylabel(label)
    style.legend(ax, count, fontsize=8)
    style.tidy(ax)
    return ax
