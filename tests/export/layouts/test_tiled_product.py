"""Products with a kernel made of the tiles that hold something."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import tensorflow as tf

from keras_moduli.export.layouts.tile_cover import cover
from keras_moduli.export.layouts.tiled_product import tiled_product


def tiled(rows, gates, units, tile, share, seed):
    """A random kernel, of whose tiles a share is not zero."""
    rng = np.random.default_rng(seed)
    tiles = -(-rows // tile), gates, -(-units // tile)
    alive = rng.random(tiles) < share
    alive = alive.repeat(tile, 0).repeat(tile, 2)[:rows, :, :units]
    kernel = rng.normal(size=(rows, gates, units)) * alive
    return kernel.reshape(rows, -1).astype("float32")


@hypothesis.settings(max_examples=40, deadline=None, derandomize=True)
@hypothesis.example(20, 4, 24, 16, 0.0, True, False, 0)
@hypothesis.example(20, 4, 24, 16, 0.0, False, False, 0)
@hypothesis.given(
    rows=st.integers(1, 80),
    gates=st.sampled_from([1, 2, 3, 4]),
    units=st.integers(1, 80),
    tile=st.sampled_from([16, 32]),
    share=st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]),
    batched=st.booleans(),
    joint=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_product_is_that_of_the_kernel(
    rows, gates, units, tile, share, batched, joint, seed
):
    kernel = tiled(rows, gates, units, tile, share, seed)
    found = cover(kernel, gates, tile, joint, "size", batched)
    x = np.random.default_rng(1).normal(size=(3, rows)).astype("float32")
    product = tiled_product(kernel, found, batched)
    np.testing.assert_allclose(product(x), x @ kernel, rtol=1e-4, atol=1e-4)


def test_products_that_are_operators_of_their_own_cost_more():
    kernel = np.kron(np.eye(8), np.ones((16, 16)))
    alone, together = (
        cover(kernel, 1, 16, True, "latency", batched)
        for batched in (False, True)
    )
    assert alone.products == together.products
    assert alone.cost > together.cost


def test_a_single_product_is_not_split():
    kernel = np.zeros((64, 64), "float32")
    kernel[16:32, :16] = 1
    found = cover(kernel, 1, 16, True, "size")
    traced = tf.function(tiled_product(kernel, found)).get_concrete_function(
        tf.TensorSpec((1, 64))
    )
    kinds = {one.type for one in traced.graph.get_operations()}
    assert "MatMul" in kinds and not kinds & {"Split", "SplitV"}
