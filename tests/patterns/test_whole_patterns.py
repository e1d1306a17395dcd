"""Blocks, tiles and N:M against loops over the kernel."""

import numpy as np
import pytest

from keras_moduli import patterns

SHAPE = (8, 3, 12)  # sources, gates, targets per gate


@pytest.fixture
def kernel():
    return np.random.default_rng(0).normal(size=SHAPE)


def test_blocks_lie_within_a_gate(kernel):
    pattern = patterns.Blocks((4, 2))
    pooled = pattern.pool(kernel, np.mean)
    assert pooled.shape == (2, 3, 6)
    for i, gate, j in np.ndindex(pooled.shape):
        block = kernel[4 * i : 4 * i + 4, gate, 2 * j : 2 * j + 2]
        assert pooled[i, gate, j] == pytest.approx(block.mean())
    assert pattern.unit_size(SHAPE) == 8


def test_tiles_tie_the_gates(kernel):
    pattern = patterns.Tiles((4, 6))
    pooled = pattern.pool(kernel, np.max)
    assert pooled.shape == (2, 2)
    for i, j in np.ndindex(pooled.shape):
        tile = kernel[4 * i : 4 * i + 4, :, 6 * j : 6 * j + 6]
        assert pooled[i, j] == tile.max()
    assert pattern.unit_size(SHAPE) == 4 * 3 * 6


def test_n_of_m_groups_lie_along_the_sources(kernel):
    pattern = patterns.NOfM(2, 4)
    pooled = pattern.pool(kernel, np.mean)
    assert pooled.shape == (2, 4, 3, 12)
    np.testing.assert_array_equal(pooled[1, 2], kernel[6])
    assert pattern.unit_size(SHAPE) == 1


@pytest.mark.parametrize(
    "pattern",
    [
        patterns.Unstructured(),
        patterns.Blocks((4, 2)),
        patterns.Tiles(4),
        patterns.NOfM(1, 4),
    ],
    ids=lambda p: type(p).__name__,
)
def test_expand_undoes_pool(pattern, kernel):
    units = pattern.pool(kernel, np.mean)
    expanded = pattern.expand(units, SHAPE)
    assert expanded.shape == SHAPE
    np.testing.assert_allclose(pattern.pool(expanded, np.mean), units)


@pytest.mark.parametrize(
    "pattern", [patterns.Blocks((5, 1)), patterns.Tiles(5)]
)
def test_what_does_not_divide_says_what_would(pattern):
    with pytest.raises(
        ValueError, match=r"'lstm/kernel' has 8 sources.*\[1, 2, 4, 8\]"
    ):
        pattern.check("lstm/kernel", SHAPE, 0.9)


@pytest.mark.parametrize("size", [(0, 1), (4,), "16x1", (2.0, 1), None])
def test_a_bad_size(size):
    with pytest.raises(ValueError, match="Received: block_size="):
        patterns.Blocks(size)


@pytest.mark.parametrize("n,m", [(0, 4), (4, 4), (5, 4)])
def test_a_bad_ratio(n, m):
    with pytest.raises(ValueError, match=f"n={n}, m={m}"):
        patterns.NOfM(n, m)


def test_n_of_m_needs_a_schedule_that_ends_there():
    with pytest.raises(ValueError, match="ends at sparsity 0.5"):
        patterns.NOfM(2, 4).check("kernel", SHAPE, 0.9)
