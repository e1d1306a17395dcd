"""The picture of a persistence diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_moduli.plotting import style
from keras_moduli.topology.homology import RATIOS
from keras_moduli.topology.homology import Homology

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS = (
    ("components", style.GREY, "o"),
    ("loops", style.BLUE, "s"),
    ("voids", style.VERMILION, "^"),
)


def plot_diagram(
    homology: Homology, prime: int = 2, ax: Axes | None = None
) -> Axes:
    """Draws at which distance each hole is born and filled.

    Holes above the dotted line of their colour count; see `homology`.

    Args:
        homology: A `Homology`.
        prime: The field, one of those computed.
        ax: Axes to draw on. Defaults to new ones.

    Returns:
        The `matplotlib.axes.Axes`.

    Raises:
        ValueError: If the homology was not computed modulo this prime.

    Example:

    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
    >>> states = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    >>> found = keras_moduli.topology.homology(states, landmarks=100)
    >>> ax = keras_moduli.topology.plot_diagram(found)
    """
    if prime not in homology.diagrams:
        raise ValueError(
            f"`prime` must be one of {list(homology.diagrams)}. "
            f"Received: prime={prime!r}"
        )
    ax = style.axes(ax)
    diagrams = homology.diagrams[prime]
    finite = [d[np.isfinite(d[:, 1])] for d in diagrams]
    top = 1.05 * max((d.max() for d in finite if len(d)), default=1.0)
    ax.plot([0, top], [0, top], color=style.BLACK, linewidth=0.8)
    for dim, (diagram, (name, color, marker)) in enumerate(
        zip(finite, _LOOKS, strict=True)
    ):
        ax.scatter(
            diagram[:, 0],
            diagram[:, 1],
            s=22,
            marker=marker,
            facecolors="none",
            edgecolors=color,
            linewidths=1.0,
            label=name,
            clip_on=False,
        )
        if dim:
            ratio = RATIOS[dim][1]
            ax.plot(
                [0, top / ratio], [0, top], color=color, linestyle=":", lw=1.2
            )
    ax.set_xlim(0, top)
    ax.set_ylim(0, top)
    ax.set_aspect("equal")
    ax.set_xlabel("born at distance")
    ax.set_ylabel("filled at distance")
    ax.set_title(f"modulo {prime}", fontsize=9)
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    style.tidy(ax)
    return ax
