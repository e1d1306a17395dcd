"""Ranking against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_moduli.pruning import ranking

# Few different values, so that ties are common.
scores = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=8),
    elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]),
)


@given(scores, st.data())
def test_lowest_by_sorting(array, data):
    count = data.draw(st.integers(0, array.size))
    order = sorted(range(array.size), key=lambda i: (float(array.flat[i]), i))
    expected = np.zeros(array.size, bool)
    expected[order[:count]] = True
    np.testing.assert_array_equal(
        ranking.lowest(array, count).ravel(), expected
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: np.where(rng.random(n) < 0.6, -1.0, rng.random(n)),
        lambda rng, n: rng.integers(0, 3, n).astype(float),
        lambda rng, n: np.zeros(n),
        lambda rng, n: np.sort(rng.normal(size=n)),
        # Only every third value is low: no sample with such a stride is fair.
        lambda rng, n: np.where(np.arange(n) % 3, rng.random(n), -5.0),
    ],
)
def test_kth_lowest_of_a_long_vector(make):
    flat = make(np.random.default_rng(0), 100_000).astype("float32")
    ordered = np.sort(flat)
    for k in [1, 2, 33_333, 33_334, 60_000, 90_001, 99_999, 100_000]:
        assert ranking.kth_lowest(flat, k) == ordered[k - 1]


@given(
    st.lists(scores, min_size=1, max_size=3),
    st.floats(0, 0.99),
    st.sampled_from([1, 4]),
)
def test_global_keeps_the_exact_number(arrays, sparsity, size):
    shapes = [(a.size * size, 1, 1) for a in arrays]
    alive = ranking.keep_global(arrays, [size] * len(arrays), shapes, sparsity)
    total = sum(a.size for a in arrays)
    kept = sum(np.count_nonzero(a) for a in alive)
    assert kept == max(round(total * (1 - sparsity)), 1)
    lowest_alive = min(
        s[a].min() for s, a in zip(arrays, alive, strict=True) if a.any()
    )
    highest_dead = max(
        (
            s[~a].max()
            for s, a in zip(arrays, alive, strict=True)
            if not a.all()
        ),
        default=-np.inf,
    )
    assert highest_dead <= lowest_alive


def test_global_with_units_of_different_size():
    rng = np.random.default_rng(0)
    arrays = [rng.random(100), rng.random(40)]
    alive = ranking.keep_global(
        arrays, [1, 16], [(100, 1, 1), (640, 1, 1)], 0.8
    )
    kept = np.count_nonzero(alive[0]) + 16 * np.count_nonzero(alive[1])
    assert abs(kept - 0.2 * 740) <= 16


def test_local_prunes_each_kernel_alike():
    arrays = [np.arange(100.0), np.arange(1000.0) + 1e6]
    alive = ranking.keep_local(arrays, [1, 1], [None, None], 0.9)
    assert [np.count_nonzero(a) for a in alive] == [10, 100]


@given(
    st.lists(
        st.tuples(st.integers(1, 64), st.integers(1, 4), st.integers(1, 64)),
        min_size=1,
        max_size=5,
    ),
    st.floats(0.02, 1.0),
)
def test_erk_densities_have_the_right_mean(shapes, density):
    densities = np.array(ranking.erk_densities(shapes, density))
    sizes = np.array([np.prod(shape) for shape in shapes])
    assert (densities > 0).all() and (densities <= 1).all()
    assert np.sum(densities * sizes) == pytest.approx(density * sizes.sum())
    # Among kernels that are not dense, density times size goes with the sum
    # of the sides (arXiv:1911.11134).
    sides = np.array([r + g * c for r, g, c in shapes])
    free = densities < 1
    ratio = (densities * sizes / sides)[free]
    np.testing.assert_allclose(ratio, ratio[:1].repeat(len(ratio)))


@given(
    hnp.arrays(np.float32, (3, 5, 2), elements=st.floats(0, 1, width=16)),
    st.integers(0, 2),
    st.data(),
)
def test_highest_along_an_axis(array, axis, data):
    kept = data.draw(st.integers(1, array.shape[axis]))
    marked = ranking.highest_along(array, kept, axis)
    assert (marked.sum(axis) == kept).all()
    lines = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
    chosen = np.moveaxis(marked, axis, -1).reshape(-1, array.shape[axis])
    for line, choice in zip(lines, chosen, strict=True):
        np.testing.assert_array_equal(
            np.sort(line[choice]), np.sort(line)[-kept:]
        )


@pytest.mark.parametrize("units", [1, 7, 24, 512, 1000])
def test_a_share_of_units_is_that_number_of_units(units):
    for left in range(1, units + 1):
        assert ranking.kept_count(units, 1 - left / units) == left
