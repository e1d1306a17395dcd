"""Controls: what a penalty's geometry is to be compared with.

Each turns a geometric penalty into one without that geometry, of the same
shape.
"""

import math

import numpy as np

from keras_moduli.inhibitors import Identity
from keras_moduli.spaces import Euclidean
from keras_moduli.utils.pairwise import pairwise_array


def permuted(penalty, seed):
    """The same entries in random places: their distribution, no geometry."""
    generator = np.random.default_rng([seed, _PERMUTATION])
    generator.shuffle(penalty.reshape(-1))
    return penalty


def ones(penalty, seed):
    """Plain L1 or L2."""
    del seed
    penalty.fill(1.0)
    return penalty


def mean(penalty, seed):
    """L1 of the same strength: every entry is the mean of all."""
    del seed
    penalty.fill(penalty.mean(dtype="float64"))
    return penalty


def only_self(penalty, seed):
    """No geometry: the same for all, but nothing for oneself; same mean."""
    del seed
    strength = penalty.sum(dtype="float64")
    charged = penalty.size - min(penalty.shape)
    penalty.fill(strength / charged if charged else 0.0)
    np.fill_diagonal(penalty, 0.0)
    return penalty


def no_self(penalty, seed):
    """The geometry, but with oneself penalised like the average other."""
    del seed
    np.fill_diagonal(penalty, penalty.mean(dtype="float64"))
    return penalty


def box(penalty, seed):
    """Distances on a grid in a Euclidean box, with the same mean.

    Reference:

    - [Spatially embedded recurrent neural networks](
        https://doi.org/10.1038/s42256-023-00748-9)
    """
    del seed
    strength = penalty.mean(dtype="float64")
    distances = pairwise_array(
        lambda x, y: Identity()(Euclidean(3).distance(x, y)),
        *(grid(n) for n in penalty.shape),
    )
    spread = distances.mean(dtype="float64")
    distances *= strength / spread if spread else 0.0
    return distances


def grid(n):
    """The first `n` points of the smallest grid in a box that holds them."""
    x = math.ceil(n ** (1 / 3) - 1e-9)
    y = math.ceil(math.sqrt(n / x) - 1e-9)
    z = math.ceil(n / (x * y))
    points = np.stack(np.unravel_index(np.arange(n), (x, y, z)), axis=-1)
    return points.astype("float32")


# Control: (power it fixes, function). Functions may write into their argument.
CONTROLS = {
    "permuted": (None, permuted),
    "l1": (1, ones),
    "l2": (2, ones),
    "matched_l1": (1, mean),
    "self": (None, only_self),
    "no_self": (None, no_self),
    "box": (None, box),
}

# Keeps the permutation's random numbers apart from the points'.
_PERMUTATION = 1
