"""Products with a kernel made of the few dense pieces that cover it."""

import keras
import numpy as np

from keras_moduli.export.cover import pad_kernel
from keras_moduli.export.cover import runs


def tiled_product(kernel, cover):
    """The product with a kernel, made by the pieces of a cover.

    Every piece is one small dense product over the source tiles that it
    needs, joined; its result is cut into tiles, and all of them are put in
    the order of the gates. Only built-in operators of LiteRT are used, and
    its fast dense kernels.

    Args:
        kernel: Array of shape `(rows, gates * units)`.
        cover: A `Cover` of it.

    Returns:
        A function from a tensor `(batch, rows)` to `(batch, gates * units)`.
    """
    rows, units = len(kernel), kernel.shape[1] // cover.gates
    padded = pad_kernel(kernel, cover.gates, cover.tile)
    pieces = [_piece(padded, cover, product) for product in cover.products]
    places = _places(cover, padded.shape[1] // cover.tile)

    def product(x):
        x = keras.ops.pad(x, ((0, 0), (0, len(padded) - rows)))
        tiles = [
            keras.ops.matmul(_join(x, spans), weights)
            for spans, weights in pieces
        ]
        if -1 in places:  # gate tiles without a single weight
            tiles.append(keras.ops.zeros_like(x[:, : cover.tile]))
        y = keras.ops.concatenate(tiles, axis=-1)
        y = _in_order(y, places, cover.tile)
        return _without_padding(y, cover.gates, units)

    return product


def _piece(padded, cover, product):
    """Which spans of the input a piece joins, and its dense weights."""
    tile = cover.tile
    tiles = padded.reshape(
        len(padded) // tile, tile, -1, tile
    )  # (row tiles, rows, gate tiles, columns)
    gate_tiles = _gate_tiles(cover, product, tiles.shape[2])
    weights = tiles[list(product.rows)][:, :, gate_tiles]
    weights = weights.reshape(len(product.rows) * tile, -1)
    spans = [
        (run[0] * tile, (run[-1] + 1) * tile) for run in runs(product.rows)
    ]
    return spans, weights


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


def _places(cover, count):
    """Where each gate tile stands in the joined results, -1 for nowhere."""
    places = np.full(count, -1)
    made = [
        tile
        for product in cover.products
        for tile in _gate_tiles(cover, product, count)
    ]
    places[made] = np.arange(len(made))
    return places


def _join(x, spans):
    pieces = [
        x if (start, end) == (0, x.shape[-1]) else x[:, start:end]
        for start, end in spans
    ]
    return pieces[0] if len(pieces) == 1 else keras.ops.concatenate(pieces, -1)


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
