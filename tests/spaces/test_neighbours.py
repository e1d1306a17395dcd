"""The nearest sources of groups, by brute force."""

import numpy as np
import pytest
from keras import ops

from keras_moduli import inhibitors
from keras_moduli import spaces
from keras_moduli.spaces.curves import curve_order
from keras_moduli.spaces.curves import even_points
from keras_moduli.spaces.neighbours import nearest_sources


def points_on(space, units):
    points = even_points(space, units, 0)
    return points[curve_order(space, points)].astype("float32")


@pytest.mark.parametrize(
    "name", ["torus", "sphere2", "klein_bottle", "hexagonal_torus", "circle"]
)
def test_no_other_source_is_nearer(name):
    space = spaces.get(name)
    points = points_on(space, 96)
    table = nearest_sources(space, points, 8, 20)
    distance = ops.convert_to_numpy(space.distance(points, points))
    for group, row in enumerate(table):
        own = np.arange(8 * group, 8 * group + 8)
        assert set(own) <= set(row)
        assert (np.diff(row) > 0).all()
        mean = distance[:, own].mean(axis=1)
        read = np.setdiff1d(row, own)
        others = np.setdiff1d(np.arange(96), row)
        assert mean[read].max() <= mean[others].min() + 1e-3 * mean.max()


def test_an_inhibitor_says_what_is_near():
    space = spaces.Torus()
    points = points_on(space, 64)
    near = nearest_sources(space, points, 8, 24)
    again = nearest_sources(space, points, 8, 24, inhibitors.get("identity"))
    far = nearest_sources(space, points, 8, 24, lambda distance: -distance)
    np.testing.assert_array_equal(near, again)
    own = np.arange(64).reshape(8, 8)
    for group in range(8):
        shared = np.intersect1d(near[group], far[group])
        np.testing.assert_array_equal(shared, own[group])


def test_ties_go_to_the_lower_index():
    space = spaces.Euclidean(1)
    points = np.array([[-1.0], [0.0], [1.0]])
    table = nearest_sources(space, points, 1, 2)
    np.testing.assert_array_equal(table, [[0, 1], [0, 1], [1, 2]])
