"""Products with a kernel made of the few dense pieces that cover it."""

import keras
import numpy as np

from keras_moduli.export.layouts.separate_products import separate_products
from keras_moduli.export.layouts.separate_products import taken
from keras_moduli.export.layouts.tile_cover import pad_kernel
from keras_moduli.export.programs.constants import once


def tiled_product(kernel, cover, batched=True):
    """The product with a kernel, made by the pieces of a cover.

    The input is cut into tiles. Every piece is one small dense product over
    the source tiles that it needs; pieces of the same size are one batched
    product, because an operator costs a runtime time by itself. The results
    are cut into tiles too and put in the order of the gates. Only built-in
    operators of LiteRT are used, and its fast dense kernels.

    Args:
        kernel: Array of shape `(rows, gates * units)`.
        cover: A `Cover` of it.
        batched: Whether pieces of one size are one batched product.

    Returns:
        A function from a tensor `(batch, rows)` to `(batch, gates * units)`.
    """
    rows, units = len(kernel), kernel.shape[1] // cover.gates
    padded = pad_kernel(kernel, cover.gates, cover.tile)
    tile, count = cover.tile, len(padded) // cover.tile
    groups = _groups(cover.products) if batched else _alone(cover.products)
    stacks = [_stack(padded, cover, products) for products in groups]
    multiplied = (_by_size if batched else _one_by_one)(stacks)
    places = _places(cover, groups, padded.shape[1] // tile)

    def product(x):
        x = keras.ops.pad(x, ((0, 0), (0, len(padded) - rows)))
        x = keras.ops.reshape(x, (-1, count, tile))
        results = multiplied(x)
        if -1 in places:  # gate tiles without a single weight
            results.append(keras.ops.zeros_like(x[:, 0]))
        y = keras.ops.concatenate(results, axis=-1)
        y = _in_order(y, places, tile)
        return _without_padding(y, cover.gates, units)

    return product


def _alone(products):
    return [[product] for product in products]


def _groups(products):
    """Lists of products that have the same size."""
    groups = {}
    for product in products:
        size = len(product.rows), len(product.columns)
        groups.setdefault(size, []).append(product)
    return list(groups.values())


def _stack(padded, cover, products):
    """The source tiles that like products read, and their dense weights.

    Returns:
        A pair: indices of tiles, product by product, and an array
        `(products, rows, columns)`.
    """
    sources = [row for product in products for row in product.rows]
    weights = np.stack([_weights(padded, cover, one) for one in products])
    return np.array(sources, "int32"), weights


def _weights(padded, cover, product):
    tile = cover.tile
    tiles = padded.reshape(
        len(padded) // tile, tile, -1, tile
    )  # (row tiles, rows, gate tiles, columns)
    gate_tiles = _gate_tiles(cover, product, tiles.shape[2])
    weights = tiles[list(product.rows)][:, :, gate_tiles]
    return weights.reshape(len(product.rows) * tile, -1)


def _by_size(stacks):
    """A function from tiles to the results of every stack, each as one."""
    functions = [_batch(*stack) for stack in stacks]
    return lambda x: [function(x) for function in functions]


def _batch(sources, weights):
    """A function from tiles to the results `(batch, products * columns)`."""
    products, rows, columns = weights.shape
    if products == 1:
        alone = _one_by_one([(sources, weights)])
        return lambda x: alone(x)[0]
    stack = once(weights)

    def multiplied(x):
        x = keras.ops.reshape(taken(x, sources), (-1, products, rows))
        y = keras.ops.matmul(keras.ops.transpose(x, (1, 0, 2)), stack())
        y = keras.ops.transpose(y, (1, 0, 2))
        return keras.ops.reshape(y, (-1, products * columns))

    return multiplied


def _one_by_one(stacks):
    """A function from tiles to the results of stacks of one product each."""
    if not stacks:  # a kernel without a single weight
        return lambda x: []
    sources = np.concatenate([sources for sources, _ in stacks])
    matrices = [weights[0] for _, weights in stacks]
    width, separate = sum(map(len, matrices)), separate_products(matrices)
    return lambda x: separate(keras.ops.reshape(taken(x, sources), (-1, width)))


def _gate_tiles(cover, product, count):
    """The gate tiles, in the kernel's order, that a product computes."""
    if not cover.joint:
        return list(product.columns)
    per_gate = count // cover.gates
    return [
        gate * per_gate + column
        for column in product.columns
        for gate in range(cover.gates)
    ]


def _places(cover, groups, count):
    """Where each gate tile stands in the joined results, -1 for nowhere."""
    # TFLite Micro gathers by no other integers.
    places = np.full(count, -1, "int32")
    made = [
        tile
        for products in groups
        for product in products
        for tile in _gate_tiles(cover, product, count)
    ]
    places[made] = np.arange(len(made))
    return places


def _in_order(y, places, tile):
    if np.array_equal(places, np.arange(len(places))):
        return y
    made = y.shape[-1] // tile
    y = keras.ops.reshape(y, (-1, made, tile))
    y = keras.ops.take(y, np.where(places < 0, made - 1, places), axis=1)
    return keras.ops.reshape(y, (-1, len(places) * tile))


def _without_padding(y, gates, units):
    if y.shape[-1] == gates * units:
        return y
    y = keras.ops.reshape(y, (-1, gates, y.shape[-1] // gates))
    return keras.ops.reshape(y[:, :, :units], (-1, gates * units))
