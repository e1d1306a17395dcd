"""Where neurons sit, and what that makes their connections cost."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_moduli.plotting import style
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer
from keras_moduli.spaces import curves
from keras_moduli.spaces.base import ModuliSpace

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_embedding(
    regularizer: ModuliRegularizer,
    units: int,
    values: npt.ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws the points of neurons on their space.

    On the flat torus and the Klein bottle, arrows on the edges show which of
    them are one and the same, and in which direction. On 3-D axes the torus
    is drawn as a ring. Of spaces with more than three coordinates the first
    two are drawn, and those of one on a line.

    Args:
        regularizer: A `ModuliRegularizer`.
        units: How many neurons.
        values: What to colour them by, an array of shape `(units,)`. Defaults
            to their index.
        ax: Axes to draw on, with `projection(regularizer.space)`, or 3-D ones
            for a torus. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer("klein_bottle", seed=0)
    >>> ax = keras_moduli.plotting.plot_embedding(regularizer, 256)
    """
    space: Any = regularizer.space
    points = regularizer.embedding(units)
    ax = style.axes(ax, projection(space))
    shown = points if ax.name == "3d" else points[:, :2]
    ring = ax.name == "3d" and space.name == "torus"
    if ring:
        shown = _on_ring(points, space.period)
    if shown.shape[1] == 1:
        shown = np.concatenate([shown, np.zeros_like(shown)], axis=1)
        ax.set_yticks([])
    draw: Any = ax.scatter  # takes two or three coordinates
    dots = draw(
        *shown.T,
        c=np.arange(units) if values is None else values,
        s=14,
        cmap="cividis",
        linewidths=0,
    )
    ax.figure.colorbar(
        dots,
        ax=ax,
        label="neuron" if values is None else None,
        shrink=0.8,
        pad=0.1 if ax.name == "3d" else 0.05,
    )
    if is_square(space) and not ring:
        ax.set_xlim(0, space.period)
        ax.set_ylim(0, space.period)
        ticks = [0, space.period / 2, space.period]
        ax.set_xticks(ticks)
        ax.set_yticks(ticks)
        for edge in _EDGES.get(space.name, ()):
            _arrow(ax, *(np.array(end) * space.period for end in edge))
    ax.set_aspect("equal")
    ax.set_title(space.name, pad=14)  # clear of the arrow
    ax.tick_params(labelsize=8)
    return ax


def plot_inhibitor(
    regularizer: ModuliRegularizer, ax: Axes | None = None
) -> Axes:
    """Draws the penalty of a connection against its length.

    Args:
        regularizer: A `ModuliRegularizer`.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer("torus", "ripple")
    >>> ax = keras_moduli.plotting.plot_inhibitor(regularizer)
    """
    ax = style.axes(ax)
    furthest = regularizer.space.diameter
    if not np.isfinite(furthest):
        furthest = 10.0
    distance = np.linspace(0, furthest, 500, dtype="float32")
    ax.plot(distance, penalty_at(regularizer, distance), color=style.VERMILION)
    ax.set_xlim(0, furthest)
    ax.set_ylim(bottom=0)
    ax.set_xlabel(f"distance on the {regularizer.space.name}")
    ax.set_ylabel("penalty")
    style.tidy(ax)
    return ax


def plot_penalty(
    regularizer: ModuliRegularizer, units: int, ax: Axes | None = None
) -> Axes:
    """Draws the penalties of all connections, neighbours beside each other.

    Args:
        regularizer: A `ModuliRegularizer`.
        units: How many neurons.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer("torus", seed=0)
    >>> ax = keras_moduli.plotting.plot_penalty(regularizer, 256)
    """
    ax = style.axes(ax)
    order = order_of(regularizer, units)
    penalty = keras.ops.convert_to_numpy(regularizer.penalty(units))
    shades = ax.imshow(penalty[np.ix_(order, order)], cmap="Oranges", vmin=0)
    ax.figure.colorbar(shades, ax=ax, label="penalty", shrink=0.8)
    _label_positions(ax)
    return ax


def plot_kernel(
    kernel: npt.ArrayLike,
    regularizer: ModuliRegularizer,
    ax: Axes | None = None,
) -> Axes:
    """Draws which weights of a kernel live, neighbours beside each other.

    Args:
        kernel: Recurrent kernel, `(units, gates * units)`; the gates are
            drawn side by side.
        regularizer: The `ModuliRegularizer` it was trained with.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer("torus", seed=0)
    >>> kernel = np.random.default_rng(0).normal(size=(64, 4 * 64))
    >>> kernel[np.abs(kernel) < 2] = 0.0
    >>> ax = keras_moduli.plotting.plot_kernel(kernel, regularizer)
    """
    ax = style.axes(ax)
    kernel = np.asarray(kernel)
    units = len(kernel)
    order = order_of(regularizer, units)
    gates = kernel.reshape(units, -1, units)[order][:, :, order]
    ax.imshow(
        gates.reshape(units, -1) != 0,
        cmap="Greys",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    for border in range(units, kernel.shape[1], units):
        ax.axvline(border - 0.5, color=style.VERMILION, linewidth=1)
    _label_positions(ax)
    return ax


def projection(space: ModuliSpace) -> str | None:
    """The matplotlib projection that a space is drawn in.

    Args:
        space: A `ModuliSpace`.

    Returns:
        `"3d"` for spaces of three coordinates, else `None`.

    Example:

    >>> keras_moduli.plotting.projection(keras_moduli.spaces.Sphere())
    '3d'
    """
    return "3d" if space.ambient_dim == 3 else None


def is_square(space):
    """Whether the space is a square with its edges glued."""
    return space.ambient_dim == 2 and hasattr(space, "period")


def penalty_at(regularizer, distance):
    """The penalties of connections of given lengths, as an array."""
    scaled = keras.ops.convert_to_tensor(distance / regularizer.scale)
    return keras.ops.convert_to_numpy(regularizer.inhibitor(scaled))


def order_of(regularizer, units):
    """A numbering of neurons that keeps neighbours together."""
    return curves.curve_order(regularizer.space, regularizer.embedding(units))


def _on_ring(points, period):
    """Points of the flat torus on a ring in three dimensions."""
    around, across = (2 * np.pi * points / period).T
    radius = 2.0 + np.cos(across)
    return np.stack(
        [radius * np.cos(around), radius * np.sin(around), np.sin(across)], -1
    )


def _label_positions(ax):
    ax.set_xlabel("target, by position")
    ax.set_ylabel("source, by position")
    ax.set_xticks([])
    ax.set_yticks([])


# Which edges of the unit square are one: (from, to) of the arrows on them.
_TOP_AND_BOTTOM = [((0, 0), (1, 0)), ((0, 1), (1, 1))]
_EDGES = {
    "torus": [*_TOP_AND_BOTTOM, ((0, 0), (0, 1)), ((1, 0), (1, 1))],
    "klein_bottle": [*_TOP_AND_BOTTOM, ((0, 0), (0, 1)), ((1, 1), (1, 0))],
}


def _arrow(ax, start, end):
    """An arrow in the middle of an edge."""
    middle, step = (start + end) / 2, (end - start) * 0.03
    ax.annotate(
        "",
        middle + step,
        middle - step,
        arrowprops={
            "arrowstyle": "-|>",
            "mutation_scale": 18,
            "color": style.VERMILION,
        },
        annotation_clip=False,
    )
