"""Which dense tiles cover the nonzeros of a kernel: NumPy only."""

import dataclasses

import numpy as np

TILE_SIZES = (128, 64, 32, 16)

# One more operator costs a runtime about as much time as this many weights,
# and a file about as much space as that many.
_WEIGHTS_PER_OPERATOR = {"latency": 2000, "size": 100}


@dataclasses.dataclass(frozen=True)
class Product:
    """One dense product: some rows times some columns of the kernel.

    Attributes:
        rows: Indices of source tiles, increasing.
        columns: Indices of target tiles, increasing.
    """

    rows: tuple
    columns: tuple


@dataclasses.dataclass(frozen=True)
class Cover:
    """Dense products that cover every nonzero of a kernel.

    Attributes:
        tile: Rows and columns per tile.
        gates: How many gates stand side by side in the kernel.
        joint: Whether all gates of a target tile share one product.
        products: A tuple of `Product`. If not joint, gate `g` of target tile
            `j` has the column index `g * tiles + j`.
        weights: How many weights the products hold, zeros included.
        cost: Weights plus what the products themselves cost.
    """

    tile: int
    gates: int
    joint: bool
    products: tuple
    weights: int
    cost: float


def best_cover(kernel, gates, optimize_for, batched=True):
    """The cheapest cover of a kernel by tiles.

    Args:
        kernel: Array of shape `(rows, gates * units)`.
        gates: How many gates stand side by side.
        optimize_for: `"latency"` or `"size"`: what a product costs.
        batched: Whether products of one size are one operator.

    Returns:
        A `Cover`, or `None` if none is cheaper than the whole kernel.
    """
    covers = [
        cover(kernel, gates, tile, joint, optimize_for, batched)
        for tile in TILE_SIZES
        for joint in ({True, gates == 1})
    ]
    best = min(covers, key=lambda found: found.cost)
    return best if best.cost < 0.9 * whole_cost(kernel, optimize_for) else None


def whole_cost(kernel, optimize_for):
    """What one product with the whole kernel costs."""
    return kernel.size + _WEIGHTS_PER_OPERATOR[optimize_for]


def cover(kernel, gates, tile, joint, optimize_for, batched=True):
    """The cover of a kernel by tiles of one size."""
    occupied = occupancy(kernel, gates, tile)
    if joint:
        needed, width = occupied.any(axis=1), gates * tile
    else:
        needed, width = occupied.reshape(len(occupied), -1), tile
    columns_of = {}
    for column, rows in enumerate(needed.T):
        columns_of.setdefault(tuple(np.flatnonzero(rows)), []).append(column)
    products = tuple(
        Product(tuple(map(int, rows)), tuple(columns))
        for rows, columns in columns_of.items()
        if rows
    )
    weights = sum(len(p.rows) * tile * len(p.columns) * width for p in products)
    # Each operator is between two that move tiles, or all of them are.
    sizes = {(len(p.rows), len(p.columns)) for p in products}
    operators = 3 * len(sizes) if batched else len(products) + 2
    cost = weights + operators * _WEIGHTS_PER_OPERATOR[optimize_for]
    return Cover(tile, gates, joint, products, weights, cost)


def occupancy(kernel, gates, tile):
    """Which tiles hold a nonzero: `(row tiles, gates, column tiles)`."""
    padded = pad_kernel(kernel, gates, tile)
    rows, units = padded.shape[0], padded.shape[1] // gates
    tiles = padded.reshape(rows // tile, tile, gates, units // tile, tile)
    return (tiles != 0).any(axis=(1, 4))


def pad_kernel(kernel, gates, tile):
    """The kernel with zero rows and columns up to whole tiles."""
    rows, columns = kernel.shape
    units = columns // gates
    blocks = kernel.reshape(rows, gates, units)
    padded = np.pad(blocks, ((0, -rows % tile), (0, 0), (0, -units % tile)))
    return padded.reshape(padded.shape[0], -1)
