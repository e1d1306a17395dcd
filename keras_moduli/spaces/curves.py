"""Evenly spread points, and numberings that keep neighbours together."""

from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_moduli import spaces
from keras_moduli.spaces.base import ModuliSpace
from keras_moduli.utils.pairwise import pairwise_array

# Blocks of at most this many points are numbered one by one.
_LEAF = 16


def even_points(
    space: ModuliSpace, n: int, seed: int | Sequence[int]
) -> np.ndarray:
    """Points spread more evenly over a space than random ones.

    A rank-1 lattice in a cube (multiples of `1 / n` in the first coordinate,
    of powers of a generalised golden ratio in the others), shifted at random
    and mapped to the space without distorting volumes. A space without such a
    map takes random points, each the furthest from those before it.

    Args:
        space: A `ModuliSpace`.
        n: How many.
        seed: Of the shift or the candidates.

    Returns:
        NumPy array of shape `(n, ambient_dim)`.

    Example:

    >>> torus = keras_moduli.spaces.Torus()
    >>> keras_moduli.spaces.curves.even_points(torus, 4, seed=0)[:, 0].round(1)
    array([6.4, 8.9, 1.4, 3.9])

    Reference:

    - [The unreasonable effectiveness of quasirandom sequences](
        https://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences/)
    """
    space = spaces.get(space)
    if space.draws_evenly:
        return space.random_uniform(n, seed)
    if space.cube_dim is None:
        return _furthest_points(space, n, seed)
    others = space.cube_dim - 1
    steps = np.array([1 / n, *_golden(others) ** -np.arange(1.0, others + 1)])
    shift = np.random.default_rng(seed).random(space.cube_dim)
    u = np.mod(shift + np.arange(n)[:, None] * steps, 1.0)
    # Rounded down to what float32 holds: 1.0 is not in the cube.
    return space.from_cube(np.floor(u * 2.0**24) / 2.0**24)


def curve_order(space: ModuliSpace, points: np.ndarray) -> np.ndarray:
    """A numbering in which neighbours in index are neighbours on the space.

    A Hilbert curve where the space has coordinates for one (the angle on the
    circle, the plane of a torus); elsewhere by splitting the points again and
    again into those nearer to one and to the other of two far points.

    Args:
        space: A `ModuliSpace`.
        points: NumPy array of shape `(n, ambient_dim)`.

    Returns:
        NumPy array of `n` indices: `points[order]` is in order.

    Example:

    >>> corners = np.array([[1.0, 1.0], [9.0, 1.0], [1.0, 9.0], [9.0, 9.0]])
    >>> torus = keras_moduli.spaces.Torus()
    >>> keras_moduli.spaces.curves.curve_order(torus, corners)
    array([0, 2, 3, 1])
    """
    space = spaces.get(space)
    cube = space.to_cube(points)
    if cube is not None:
        return np.argsort(hilbert_index(cube), kind="stable")
    apart = pairwise_array(space.distance, points, points)
    return np.array(_split(apart, np.arange(len(points)), None))


def hilbert_index(u: np.ndarray) -> np.ndarray:
    """How far along a Hilbert curve through the cube points lie.

    Args:
        u: NumPy array of shape `(n, k)` with values in `[0, 1)`.

    Returns:
        NumPy array of `n` integers.

    Example:

    >>> corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]])
    >>> np.argsort(keras_moduli.spaces.curves.hilbert_index(corners))
    array([0, 2, 3, 1])

    Reference:

    - Skilling, Programming the Hilbert curve, AIP Conference Proceedings
        707 (2004), 381-387.
    """
    axes = u.shape[1]
    bits = min(20, 62 // axes)
    cells = np.clip((u * 2**bits).astype("int64"), 0, 2**bits - 1)
    x = list(cells.T)
    for bit in reversed(range(1, bits)):
        low = (1 << bit) - 1
        for axis in range(axes):
            upper = (x[axis] >> bit) & 1 == 1
            swap = np.where(upper, 0, (x[0] ^ x[axis]) & low)
            x[axis] = x[axis] ^ swap
            x[0] = x[0] ^ swap ^ np.where(upper, low, 0)
    for axis in range(1, axes):
        x[axis] = x[axis] ^ x[axis - 1]
    flips = np.zeros_like(x[0])
    for bit in range(1, bits):
        flips ^= np.where((x[-1] >> bit) & 1 == 1, (1 << bit) - 1, 0)
    index = np.zeros_like(x[0])
    for bit in reversed(range(bits)):
        for axis in range(axes):
            index = (index << 1) | (((x[axis] ^ flips) >> bit) & 1)
    return index


def locality(
    space: ModuliSpace, points: npt.ArrayLike, blocks: Sequence[int] = (16, 64)
) -> dict[int, float]:
    """How near to each other the points of a block of indices lie.

    Args:
        space: A `ModuliSpace`.
        points: Array of shape `(n, ambient_dim)`, as numbered.
        blocks: Sizes of blocks of consecutive points, at most `n` each.

    Returns:
        A dict from block size to the mean distance of two points of a block,
        divided by that of two points of different index anywhere: 1 for a
        random numbering.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer(points="ordered", seed=0)
    >>> ratio = keras_moduli.spaces.curves.locality(
    ...     regularizer.space, regularizer.embedding(1024)
    ... )
    >>> round(ratio[16], 1), round(ratio[64], 1)
    (0.2, 0.3)
    """
    space, points = spaces.get(space), np.asarray(points)
    anywhere = _mean_distance(space, points, len(points))
    return {
        size: _mean_distance(space, points, size) / anywhere for size in blocks
    }


def furthest_first(
    count: int, away_from: Callable[[int], np.ndarray]
) -> list[int]:
    """Chooses points, each the furthest from those chosen before.

    Args:
        count: How many.
        away_from: From the index of a point to the distances of all points
            from it.

    Returns:
        Their indices; the first is 0.

    Example:

    >>> x = np.array([0.0, 1.0, 2.0, 10.0])
    >>> keras_moduli.spaces.curves.furthest_first(3, lambda i: np.abs(x - x[i]))
    [0, 3, 2]
    """
    chosen = [0]
    nearest = away_from(0)
    while len(chosen) < count:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, away_from(chosen[-1]))
    return chosen


def _mean_distance(space, points, size):
    """The mean distance of two different points of a block."""
    if not 2 <= size <= len(points):
        raise ValueError(
            "`blocks` must be sizes from 2 to the number of points, "
            f"{len(points)}. Received: a block of {size}"
        )
    blocks = [
        points[start : start + size]
        for start in range(0, len(points) - size + 1, size)
    ]
    total = sum(
        pairwise_array(space.distance, block, block).sum(dtype="float64")
        for block in blocks
    )
    return float(total / (len(blocks) * size * (size - 1)))


def _golden(dim):
    """The positive root of `x^(dim + 1) = x + 1`."""
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (dim + 1))
    return root


def _furthest_points(space, n, seed):
    candidates = space.random_uniform(4 * n, seed)

    def away_from(point):
        return pairwise_array(
            space.distance, candidates, candidates[point : point + 1]
        )[:, 0]

    return candidates[furthest_first(n, away_from)]


def _split(apart, indices, last):
    """Numbers the points of `indices`, beginning near the point `last`."""
    if len(indices) <= _LEAF:
        return _path(apart, indices, last)
    one = indices[np.argmax(apart[indices[0], indices])]
    other = indices[np.argmax(apart[one, indices])]
    side = np.argsort(
        apart[one, indices] - apart[other, indices], kind="stable"
    )
    first, second = np.array_split(indices[side], 2)
    if last is not None:
        if apart[last, second].mean() < apart[last, first].mean():
            first, second = second, first
    order = _split(apart, first, last)
    return order + _split(apart, second, order[-1])


def _path(apart, indices, last):
    """From each point to the nearest that is left."""
    left = indices
    path = []
    while len(left):
        nearest = 0 if last is None else np.argmin(apart[last, left])
        last = left[nearest]
        path.append(last)
        left = np.delete(left, nearest)
    return path
