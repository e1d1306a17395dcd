"""Which connections live, seen on the moduli space."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_moduli.plotting import style
from keras_moduli.plotting.geometry import is_square
from keras_moduli.plotting.geometry import penalty_at
from keras_moduli.plotting.geometry import projection
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHADES = "Oranges"


def plot_connections(
    kernel: npt.ArrayLike,
    regularizer: ModuliRegularizer,
    neuron: int,
    ax: Axes | None = None,
) -> Axes:
    """Draws where one neuron's surviving connections lead on its space.

    Grey dots are all neurons, the star is the one chosen, and each blue dot
    is a neuron that it still sends to, the larger the stronger. On flat
    two-dimensional spaces the background shows the penalty: white is free.
    Of spaces with more than three coordinates the first two are drawn.

    Args:
        kernel: Recurrent kernel, `(units, gates * units)`; a connection
            survives if it does in any gate.
        regularizer: The `ModuliRegularizer` it was trained with.
        neuron: Index of the source neuron.
        ax: Axes to draw on, with `projection(regularizer.space)`. Defaults to
            new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer("torus", seed=0)
    >>> kernel = np.random.default_rng(0).normal(size=(64, 4 * 64))
    >>> kernel[np.abs(kernel) < 2] = 0.0
    >>> ax = keras_moduli.plotting.plot_connections(kernel, regularizer, 3)
    """
    kernel = np.asarray(kernel)
    units = len(kernel)
    points = regularizer.embedding(units)
    ax = style.axes(ax, projection(regularizer.space))
    shown = points if ax.name == "3d" else points[:, :2]
    strength = np.abs(kernel[neuron].reshape(-1, units)).sum(0)
    alive = np.flatnonzero(strength)
    if is_square(regularizer.space):
        _shade_square(ax, regularizer, points[neuron])
    draw: Any = ax.scatter  # takes two or three coordinates
    draw(*shown.T, s=5, color=style.DARK_GREY, linewidths=0)
    draw(
        *shown[alive].T,
        s=6 + 30 * strength[alive] / strength.max(initial=1e-12),
        color=style.BLUE,
        edgecolors="white",
        linewidths=0.4,
    )
    draw(
        *shown[neuron : neuron + 1].T,
        marker="*",
        s=130,
        color="white",
        edgecolors=style.BLACK,
        linewidths=1.0,
        zorder=4,
    )
    ax.set_title(f"neuron {neuron}: {len(alive)} targets", fontsize=9)
    ax.set_aspect("equal")
    ax.tick_params(labelsize=7)
    return ax


def plot_survival(
    kernel: npt.ArrayLike,
    regularizer: ModuliRegularizer,
    bins: int = 40,
    ax: Axes | None = None,
) -> Axes:
    """Draws which share of the connections lives, against their length.

    The background shows the penalty, as in `plot_connections`: white is free.
    The dashed line is the share over all lengths.

    Args:
        kernel: Recurrent kernel, `(units, gates * units)`.
        regularizer: The `ModuliRegularizer` it was trained with.
        bins: How many ranges of distances there are.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer("torus", seed=0)
    >>> kernel = np.random.default_rng(0).normal(size=(64, 4 * 64))
    >>> kernel[np.abs(kernel) < 2] = 0.0
    >>> ax = keras_moduli.plotting.plot_survival(kernel, regularizer)
    """
    ax = style.axes(ax)
    kernel = np.asarray(kernel)
    units = len(kernel)
    share = np.mean(kernel.reshape(units, -1, units) != 0, axis=1)
    distance = keras.ops.convert_to_numpy(
        regularizer.space.distance(regularizer.embedding(units))
    )
    count, edges = np.histogram(distance, bins)
    total, _ = np.histogram(distance, edges, weights=share)
    living = np.full(bins, np.nan)  # no such distance, no share of it
    living[count > 0] = 100 * total[count > 0] / count[count > 0]
    top = 1.1 * max(np.nanmax(living), 1e-3)
    _shade_distances(ax, regularizer, edges[-1], top)
    ax.stairs(living, edges, baseline=None, color=style.BLUE, linewidth=1.8)
    ax.axhline(
        100 * share.mean(), color=style.BLACK, linestyle="--", linewidth=1
    )
    ax.set_ylim(0, top)
    ax.set_xlabel(f"distance on the {regularizer.space.name}")
    ax.set_ylabel("surviving (%)")
    return ax


def _shade_square(ax, regularizer, point, resolution=160):
    """How strongly a connection from `point` to anywhere is penalised."""
    period = regularizer.space.period
    side = (np.arange(resolution) + 0.5) * period / resolution
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    distance = regularizer.space.distance(point[None], grid.astype(point.dtype))
    penalty = penalty_at(regularizer, distance)
    _shade(ax, penalty.reshape(resolution, -1), period, period)
    ax.set_xlim(0, period)
    ax.set_ylim(0, period)


def _shade_distances(ax, regularizer, right, top):
    """How strongly a connection is penalised by its length."""
    distance = np.linspace(0, right, 400, dtype="float32")[None]
    _shade(ax, penalty_at(regularizer, distance), right, top)
    ax.set_aspect("auto")


def _shade(ax, penalty, right, top):
    ax.imshow(
        penalty,
        extent=(0, right, 0, top),
        origin="lower",
        cmap=_SHADES,
        vmin=0,
        vmax=2.5 * max(penalty.max(), 1e-12),  # pale: lines stand out
        interpolation="bilinear",
    )
