"""Which units live: ranking and thresholds, as functions of NumPy arrays.

Everything here is deterministic. Equal scores are settled by position (the
first in C order is pruned first), so that every backend and every replica
gets the same masks from the same weights.
"""

import numpy as np


def same(values):
    """The scores themselves, as a `key`."""
    return values


def lowest(scores, count, key=same):
    """Marks the `count` lowest scores.

    Args:
        scores: Array of any shape, without NaN.
        count: How many to mark, from 0 to `scores.size`.
        key: Rank by this function of the scores, such as `np.abs`. It is
            applied piece by piece: fresh memory for an array of that size can
            cost more than all the ranking.

    Returns:
        A boolean array of the same shape with exactly `count` true entries.
    """
    flat = scores.ravel()
    if count == 0:
        return np.zeros(scores.shape, bool)
    threshold = kth_lowest(flat, count, key)
    marked = np.empty(flat.size, bool)
    for part in _parts(flat):
        np.less_equal(key(flat[part]), threshold, out=marked[part])
    surplus = np.count_nonzero(marked) - count
    if surplus:
        equal = [
            part.start + np.flatnonzero(key(flat[part]) == threshold)
            for part in _parts(flat)
        ]
        marked[np.concatenate(equal)[-surplus:]] = False
    return marked.reshape(scores.shape)


def kth_lowest(flat, k, key=same):
    """The `k`-th lowest value of a vector, `k` counting from 1.

    `np.partition` takes seconds where many values are equal, as those of
    pruned weights are. A sorted sample tells between which two values to
    look, and few lie there.
    """
    sample = np.sort(key(flat[:: max(flat.size // _SAMPLE, 1)]))
    position = k / flat.size * sample.size
    margin = 3 * sample.size**0.5
    low = sample[max(int(position - margin), 0)]
    high = sample[min(int(position + margin), sample.size - 1)]
    below, passed, near = 0, 0, []
    for part in _parts(flat):
        piece = key(flat[part])
        below += np.count_nonzero(piece < low)
        above = piece > low
        passed += piece.size - np.count_nonzero(above)
        above &= piece <= high
        near.append(piece[above])
    if below < k <= passed:
        return low
    near = np.concatenate(near)
    if 0 < k - passed <= near.size:
        return np.sort(near)[k - passed - 1]
    # An unlucky sample, as of values that repeat with its stride.
    return np.sort(key(flat))[k - 1]


def _parts(flat):
    """Slices of a vector that stay in the processor's cache."""
    for start in range(0, flat.size, _PIECE):
        yield slice(start, start + _PIECE)


# Sizes in values: of the sample, and of the pieces.
_SAMPLE = 1 << 15
_PIECE = 1 << 15


def highest_along(scores, kept, axis):
    """Marks the `kept` highest scores of every line along an axis.

    Equal scores: the last ones stay, as in `lowest`.
    """
    order = np.argsort(scores, axis=axis, kind="stable")
    top = np.take(order, range(-kept, 0), axis=axis)
    marked = np.zeros(scores.shape, bool)
    np.put_along_axis(marked, top, True, axis=axis)
    return marked


def kept_count(total, sparsity):
    """How many of `total` units live: the nearest integer, at least one."""
    return max(round(total * (1.0 - sparsity)), 1)


def keep_global(scores, sizes, shapes, sparsity, key=same):
    """One threshold over all kernels, as in the paper.

    Args:
        scores: List of arrays, one score per unit, one array per kernel.
        sizes: List of integers, the weights in one unit of each kernel.
        shapes: List of the kernels' shapes `(rows, gates, columns)`.
        sparsity: Fraction of weights to prune.
        key: See `lowest`.

    Returns:
        List of boolean arrays shaped like `scores`: which units live.
    """
    del shapes
    flat = scores[0].ravel()
    if len(scores) > 1:
        flat = np.concatenate([s.ravel() for s in scores])
    if len(set(sizes)) == 1:
        pruned = lowest(flat, flat.size - kept_count(flat.size, sparsity), key)
    else:
        pruned = _lowest_by_weight(key(flat), scores, sizes, sparsity)
    ends = np.cumsum([s.size for s in scores])[:-1]
    return [
        ~part.reshape(s.shape)
        for part, s in zip(np.split(pruned, ends), scores, strict=True)
    ]


def keep_local(scores, sizes, shapes, sparsity, key=same):
    """The same sparsity in every kernel; see `keep_global` for arguments."""
    del sizes, shapes
    return [
        ~lowest(s, s.size - kept_count(s.size, sparsity), key) for s in scores
    ]


def keep_erk(scores, sizes, shapes, sparsity, key=same):
    """Erdos-Renyi-kernel densities; see `keep_global` for arguments.

    A kernel's density is proportional to (inputs + outputs) / (inputs *
    outputs): small kernels stay denser ("Rigging the lottery",
    arXiv:1911.11134).
    """
    del sizes
    densities = erk_densities(shapes, 1.0 - sparsity)
    return [
        ~lowest(s, s.size - kept_count(s.size, 1.0 - density), key)
        for s, density in zip(scores, densities, strict=True)
    ]


def erk_densities(shapes, density):
    """The densities of kernels whose mean density is `density`.

    Args:
        shapes: List of kernel shapes `(rows, gates, columns)`.
        density: Overall fraction of weights that live, in `(0, 1]`.

    Returns:
        List of floats in `(0, 1]`.
    """
    sizes = np.array([float(np.prod(shape)) for shape in shapes])
    raw = np.array([r + g * c for r, g, c in shapes]) / sizes
    dense = np.zeros(len(shapes), bool)
    while True:
        # Kernels whose share exceeds 1 are dense; the others take the rest.
        left = density * sizes.sum() - sizes[dense].sum()
        scale = left / max((raw * sizes)[~dense].sum(), 1e-30)
        over = ~dense & (scale * raw > 1.0)
        if not over.any():
            return list(np.where(dense, 1.0, np.minimum(scale * raw, 1.0)))
        dense |= over


def _lowest_by_weight(flat, scores, sizes, sparsity):
    """`lowest` where units differ in size: right to within one unit."""
    weights = np.concatenate(
        [np.full(s.size, size) for s, size in zip(scores, sizes, strict=True)]
    )
    order = np.argsort(flat, kind="stable")
    pruned_weights = np.cumsum(weights[order])
    budget = weights.sum() - kept_count(weights.sum(), sparsity)
    pruned = np.zeros(flat.size, bool)
    pruned[order[: np.searchsorted(pruned_weights, budget, "right")]] = True
    return pruned


RANKINGS = {"global": keep_global, "local": keep_local, "erk": keep_erk}
