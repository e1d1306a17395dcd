"""Orders of a layer's hidden units that gather its weights in few tiles.

Hidden units may be numbered freely: the function stays the same if the
outputs are put back in order.
"""

import keras
import numpy as np

from keras_moduli.export.layouts.tile_cover import TILE_SIZES
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer


def renumberings(layer):
    """Orders worth trying for a recurrent cell.

    Args:
        layer: A cell, or any other layer, which keeps its order.

    Returns:
        A list of `None` (the order as it is) and arrays: the old number of
        the unit at each new place.
    """
    if not hasattr(layer, "recurrent_kernel"):
        return [None]
    kernel = keras.ops.convert_to_numpy(layer.recurrent_kernel)
    units = len(kernel)
    mask = (kernel.reshape(units, -1, units) != 0).any(axis=1)
    if mask.mean() > 0.9:
        return [None]
    sizes = [size for size in TILE_SIZES if size < units]
    orders = [None, *clusterings(mask, sizes)]
    regularizer = getattr(layer, "recurrent_regularizer", None)
    if isinstance(regularizer, ModuliRegularizer):
        points = keras.ops.convert_to_numpy(regularizer.embedding(units))
        orders += [along_space(points, size) for size in sizes]
    return orders


def clusterings(mask, sizes):
    """Orders in which units with like connections stand together.

    Groups are gathered one after the other: the unit with the most
    connections left, and the units whose connections, in and out, are most
    like its own.

    Args:
        mask: Boolean array `(units, units)`: which connections live.
        sizes: How many units make a group, one order for each.

    Returns:
        A list of orders.
    """
    links = np.concatenate([mask, mask.T], axis=1).astype("float32")
    lengths = np.maximum(np.linalg.norm(links, axis=1), 1)
    likeness = (links @ links.T) / np.outer(lengths, lengths)
    return [_gathered(likeness, lengths, size) for size in sizes]


def along_space(points, size):
    """An order in which each group of units is near together on a space.

    The points are halved across their widest axis again and again.

    Args:
        points: Array `(units, dim)`.
        size: How many units make a group.
    """

    def halved(units):
        if len(units) <= size:
            return [units]
        here = points[units]
        axis = np.argmax(np.ptp(here, axis=0))
        units = units[np.argsort(here[:, axis], kind="stable")]
        middle = -(-len(units) // (2 * size)) * size
        return halved(units[:middle]) + halved(units[middle:])

    return np.concatenate(halved(np.arange(len(points))))


def _gathered(likeness, lengths, size):
    left = np.ones(len(likeness), bool)
    order = []
    while left.any():
        first = int(np.argmax(np.where(left, lengths, -1)))
        scores = np.where(left, likeness[first], -1)
        scores[first] = 2  # a unit without connections is unlike itself
        group = np.argsort(-scores, kind="stable")[: min(size, left.sum())]
        order.extend(group)
        left[group] = False
    return np.array(order)
