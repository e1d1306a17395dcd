"""Products with a kernel whose targets, in groups, share their sources."""

import dataclasses

import keras
import numpy as np

from keras_moduli.export.layouts.separate_products import separate_products
from keras_moduli.export.layouts.separate_products import taken
from keras_moduli.export.programs.constants import once

# Targets in a group. Below 8 the products are too small to pay; every group
# costs something besides, so fewer and larger ones are faster.
GROUP_SIZES = (512, 384, 256, 192, 128, 96, 64, 48, 32, 24, 16, 8)
_WORTH = 0.6  # the largest fraction of a kernel that is worth gathering
_SLACK = 1.05  # what larger groups, which run faster, may store more


@dataclasses.dataclass(frozen=True)
class Gathering:
    """A kernel held as what each group of targets reads.

    Attributes:
        group_size: Consecutive targets in a group, in all gates.
        sources: Integer array `(groups, fan_in)`. Groups that read fewer have
            their first source again, with weights of 0.
        weights: Array `(groups, fan_in, gates, group_size)`.
    """

    group_size: int
    sources: np.ndarray
    weights: np.ndarray

    @property
    def zeros(self):
        """The fraction of the stored weights that are 0."""
        return float(np.mean(self.weights == 0))


def best_gathering(kernel, gates):
    """The gathering of a kernel that stores least, if that pays.

    Args:
        kernel: Array of shape `(rows, gates * units)`.
        gates: How many gates stand side by side in its columns.

    Returns:
        A `Gathering`, or `None` if the kernel has too few zeros in this form.
    """
    split = kernel.reshape(len(kernel), gates, -1)
    read = (split != 0).any(axis=1)  # (rows, units)
    best, least = None, _WORTH * kernel.size
    for group_size in GROUP_SIZES:  # the larger first
        if read.shape[1] % group_size == 0:
            stored = _fan_in(read, group_size) * split[0].size
            if stored < least / (_SLACK if best else 1.0):
                best, least = group_size, stored
    return best and _gathered(split, read, best)


def gathered_product(gathering, batched=True):
    """The product with a kernel: one gather and small dense products.

    Args:
        gathering: A `Gathering`.
        batched: Whether all groups are one batched product, which is faster;
            otherwise each is a product of its own, which is what runtimes
            compute rightly when activations are integers too.

    Returns:
        A function from a tensor `(batch, rows)` to `(batch, gates * units)`.
    """
    sources, weights = gathering.sources, gathering.weights
    groups, fan_in, gates, size = weights.shape
    matrices = weights.reshape(groups, fan_in, gates * size)
    places = sources.reshape(-1)

    stack, separate = once(matrices), separate_products(matrices)

    def together(x):
        x = keras.ops.take(x, places, axis=1)
        x = keras.ops.reshape(x, (-1, groups, fan_in))
        y = keras.ops.matmul(keras.ops.transpose(x, (1, 0, 2)), stack())
        y = keras.ops.reshape(y, (groups, -1, gates, size))
        y = keras.ops.transpose(y, (1, 2, 0, 3))
        return keras.ops.reshape(y, (-1, gates * groups * size))

    def one_by_one(x):
        # Groups that read only themselves read everything in its order.
        y = keras.ops.concatenate(separate(taken(x, places)), axis=1)
        y = keras.ops.reshape(y, (-1, groups, gates, size))
        y = keras.ops.transpose(y, (0, 2, 1, 3))
        return keras.ops.reshape(y, (-1, gates * groups * size))

    return together if batched else one_by_one


def _fan_in(read, group_size):
    """How many sources the group reads that reads most."""
    grouped = read.reshape(len(read), -1, group_size).any(axis=2)
    return max(int(grouped.sum(axis=0).max()), 1)


def _gathered(split, read, group_size):
    rows, gates, units = split.shape
    groups, fan_in = units // group_size, _fan_in(read, group_size)
    grouped = read.reshape(rows, groups, group_size).any(axis=2)
    blocks = split.reshape(rows, gates, groups, group_size)
    sources = np.zeros((groups, fan_in), "int32")
    weights = np.zeros((groups, fan_in, gates, group_size), split.dtype)
    for group in range(groups):
        found = np.flatnonzero(grouped[:, group])
        sources[group, : len(found)] = found
        sources[group, len(found) :] = found[0] if len(found) else 0
        weights[group, : len(found)] = blocks[found, :, group]
    return Gathering(group_size, sources, weights)
