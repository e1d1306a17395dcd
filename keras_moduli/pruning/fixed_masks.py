"""Masks that are known before training: which sources a neuron reads."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_moduli.layers import connections as kinds
from keras_moduli.models.kernels import gate_count
from keras_moduli.models.kernels import kernels
from keras_moduli.models.kernels import select
from keras_moduli.utils.argument_validation import positive_integer


def fixed_masks(
    model: keras.Model,
    fan_in: float | int = 0.1,
    connections: str = "own+random",
    *,
    weights: str | Callable[[str, keras.Variable], bool] = "recurrent",
    group_size: int = 1,
    space: Any = "torus",
    inhibitor: Any = "identity",
    near_share: float = 0.5,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Masks with a constant fan-in, made from a geometry or at random.

    For networks that are sparse from their first step; nothing is trained or
    changed here. Every neuron, in all its gates, reads exactly as many
    sources.

    Args:
        model: A built `keras.Model`.
        fan_in: Sources of each target: a share of those there are, as a float
            in (0, 1], or their number, as an integer. Not used by `"own"`.
            Defaults to `0.1`.
        connections: `"near"`: the sources nearest on the space, the neuron
            itself first; `"near+random"`: the same for a share of the
            sources, the rest at random; `"own+random"`: the neuron itself and
            others at random; `"own"`: the neuron itself alone; `"random"`:
            any. In a kernel between layers of two sizes, the nearest source
            stands for the neuron itself. `"near"` on the space `"box2"` is
            the local mask of LM-RNNs. Defaults to `"own+random"`.
        weights: Which kernels, as in `MagnitudePruning`. Those of several
            gates have the same mask in each. Defaults to `"recurrent"`.
        group_size: Consecutive targets that share their sources, and read
            themselves as a group; divides the number of targets. Defaults to
            `1`.
        space: Where `"near"` and `"near+random"` measure distances, between
            evenly spread points in the order of a curve; each layer has its
            own points. Defaults to `"torus"`.
        inhibitor: From distance to the penalty that near sources have least
            of. Defaults to `"identity"`.
        near_share: Share of the sources of `"near+random"` that are near, the
            group itself among them. Defaults to `0.5`.
        seed: A non-negative integer. Defaults to `0`.

    Returns:
        A dict from weight path to boolean NumPy array, for `apply_masks`.

    Raises:
        ValueError: If a name or number is not allowed, or a kernel has no two
            axes or no groups of that size.

    Example:

    >>> model = keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(64)])
    >>> masks = keras_moduli.fixed_masks(model, fan_in=8, connections="near")
    >>> [int(n) for n in set(masks["gru/gru_cell/recurrent_kernel"].sum(0))]
    [8]
    >>> keras_moduli.apply_masks(model, masks, rescale=True)

    Reference:

    - Khona, Chandra, Ma, Fiete, Winning the lottery with neural connectivity
        constraints, Neural Computation 35 (2023).
    """
    group_size = positive_integer("group_size", group_size)
    found = kernels(model)
    masks = {}
    for number, (path, variable) in enumerate(select(model, weights).items()):
        gates = gate_count(path, found)
        groups = _groups(path, variable.shape, gates, group_size)
        draw = kinds.Draw(space, seed, near_share, inhibitor, number)
        table = kinds.table(connections, groups, fan_in, draw)
        masks[path] = np.tile(_mask(table, groups), gates)
    return masks


def _groups(path, shape, gates, size):
    """The groups of a kernel's targets."""
    if len(shape) != 2:
        raise ValueError(
            "`weights` must select kernels of two axes, sources and targets. "
            f"Received: '{path}' of shape {tuple(shape)}"
        )
    sources, columns = shape
    targets = columns // gates
    if targets % size:
        raise ValueError(
            f"`group_size` must divide {targets}, the number of targets of "
            f"'{path}'. Received: group_size={size}"
        )
    return kinds.Groups(sources, targets, size)


def _mask(table, groups):
    """`[source, target]`, from the sources of each group."""
    mask = np.zeros((groups.sources, len(table)), bool)
    mask[table, np.arange(len(table))[:, None]] = True
    return np.repeat(mask, groups.size, axis=1)
