"""Distances and topology against other people's code and brute force."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from keras_moduli import spaces
from keras_moduli.spaces import curves


def distance(space, x, y):
    return np.asarray(space.distance(np.float64(x), np.float64(y)))


def draws(space, n=40):
    return [space.random_uniform(n, seed).astype("float64") for seed in (1, 2)]


def pairs(x, y):
    """All pairs, as two arrays of `len(x) * len(y)` rows."""
    i, j = np.indices((len(x), len(y))).reshape(2, -1)
    return x[i], y[j]


@pytest.fixture(scope="module")
def geomstats():
    return pytest.importorskip("geomstats.geometry")


def test_klein_bottle_is_geomstats(geomstats):
    from geomstats.geometry.klein_bottle import KleinBottle

    oracle = KleinBottle()
    space = spaces.get("klein_bottle")
    x, y = draws(space)
    expected = oracle.metric.dist(*(p / 10 for p in pairs(x, y))) * 10
    np.testing.assert_allclose(
        distance(space, x, y).ravel(), expected, atol=1e-12
    )


@pytest.mark.parametrize("dim", [1, 2, 3, 7])
def test_spheres_are_geomstats(geomstats, dim):
    from geomstats.geometry.hypersphere import Hypersphere

    space = spaces.Sphere(dim)
    x, y = (np.asarray(space.project(p)) for p in draws(space))
    expected = Hypersphere(dim=dim).metric.dist(*pairs(x, y)) * space.radius
    np.testing.assert_allclose(
        distance(space, x, y).ravel(), expected, atol=1e-6
    )


@pytest.mark.parametrize("dim", [1, 2, 6])
def test_tori_are_products_of_geomstats_circles(geomstats, dim):
    from geomstats.geometry.hypersphere import Hypersphere

    circle = Hypersphere(dim=1)
    space = spaces.Torus(dim)
    x, y = draws(space)
    square = 0.0
    for axis in range(dim):
        on_circle = [
            np.stack([np.cos(a), np.sin(a)], -1)
            for a in (p[:, axis] * math.pi / 5 for p in (x, y))
        ]
        angle = circle.metric.dist(*pairs(*on_circle))
        square = square + (angle * 5 / math.pi) ** 2
    np.testing.assert_allclose(
        distance(space, x, y).ravel(), np.sqrt(square), atol=1e-6
    )


def orbit(generators, reach=3):
    """All products of powers of the generators, as functions of points."""
    for powers in itertools.product(
        range(-reach, reach + 1), repeat=len(generators)
    ):

        def move(x, powers=powers):
            for (there, back), power in zip(generators, powers, strict=True):
                for _ in range(abs(power)):
                    x = there(x) if power > 0 else back(x)
            return x

        yield move


def glide(width):
    """`(x, y) -> (x + 10, width - y)` and its inverse."""
    return tuple(
        lambda p, step=step: np.stack([p[:, 0] + step, width - p[:, 1]], -1)
        for step in (10.0, -10.0)
    )


def shift(*by):
    return lambda p: p + by, lambda p: p - by


HIGH = math.sqrt(75)
GROUPS = {
    "torus": [shift(10, 0), shift(0, 10)],
    "klein_bottle": [glide(10), shift(0, 10)],
    "moebius_strip": [glide(10)],
    "hexagonal_torus": [shift(10, 0), shift(5, HIGH)],
}


@pytest.mark.parametrize("name", GROUPS)
def test_flat_surfaces_are_brute_force(name):
    space = spaces.get(name)
    x, y = draws(space)
    expected = np.min(
        [
            np.linalg.norm(x[:, None] - move(y)[None], axis=-1)
            for move in orbit(GROUPS[name])
        ],
        axis=0,
    )
    np.testing.assert_allclose(distance(space, x, y), expected, atol=1e-12)


def test_projective_plane_is_the_angle_of_lines():
    space = spaces.get("projective_plane")
    x, y = (np.asarray(space.project(p)) for p in draws(space))
    expected = 5 * np.arccos(np.abs(x @ y.T))
    np.testing.assert_allclose(distance(space, x, y), expected, atol=1e-7)


def test_products_are_pythagoras():
    factors = [spaces.get("klein_bottle"), spaces.get("sphere")]
    space = spaces.Product(factors, weights=[2.0, 0.5])
    x, y = draws(space)
    expected = np.sqrt(
        2.0 * distance(factors[0], x[:, :2], y[:, :2]) ** 2
        + 0.5 * distance(factors[1], x[:, 2:], y[:, 2:]) ** 2
    )
    np.testing.assert_allclose(distance(space, x, y), expected, atol=1e-12)


def test_known_distances():
    klein_bottle, torus = spaces.get("klein_bottle"), spaces.get("torus")
    corners = [[1.0, 1.0]], [[9.0, 9.0]]
    np.testing.assert_allclose(distance(klein_bottle, *corners), 2.0)
    np.testing.assert_allclose(distance(torus, *corners), math.sqrt(8))


@pytest.mark.parametrize("angle", [1e-3, 1e-6, 1e-9, math.pi - 1e-9])
def test_small_angles_are_accurate(angle):
    space = spaces.Sphere(2, radius=1.0)
    y = [[math.sin(angle), 0.0, math.cos(angle)]]
    measured = distance(space, [[0.0, 0.0, 1.0]], y)[0, 0]
    np.testing.assert_allclose(measured, angle, rtol=1e-6)


# A coordinate that is uniform on [0, 1) if the points are uniform, and where
# to draw them from.
UNIFORM = {
    "circle": [lambda x: np.arctan2(x[:, 1], x[:, 0]) / math.tau % 1.0],
    "sphere": [lambda x, i=i: (x[:, i] + 1) / 2 for i in range(3)],
    "sphere3": [
        lambda x: x[:, 0] ** 2 + x[:, 1] ** 2,  # Hopf coordinates
        lambda x: np.arctan2(x[:, 3], x[:, 2]) / math.tau % 1.0,
    ],
    "torus6": [lambda x, i=i: x[:, i] / 10 for i in range(6)],
    "klein_bottle": [lambda x, i=i: x[:, i] / 10 for i in range(2)],
    "moebius_strip": [lambda x, i=i: x[:, i] / 10 for i in range(2)],
    "hexagonal_torus": [
        lambda x: x[:, 1] / HIGH,
        lambda x: (x[:, 0] - x[:, 1] / math.sqrt(3)) / 10,
    ],
    "projective_plane": [lambda x: np.abs(x[:, 2])],
    "box3": [lambda x, i=i: x[:, i] / 10 for i in range(3)],
}


@pytest.mark.parametrize("name", UNIFORM)
def test_draws_are_uniform(name):
    x = spaces.get(name).random_uniform(4000, seed=11)
    for coordinate in UNIFORM[name]:
        u = coordinate(x.astype("float64"))
        assert stats.kstest(u, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("name", ["circle", "sphere", "sphere3", "sphere5"])
def test_maps_of_the_cube_preserve_volumes(name):
    space = spaces.get(name)
    u = np.random.default_rng(0).random((4000, space.cube_dim))
    x = space.from_cube(u)
    assert space.belongs(x).all()
    # By symmetry, all squared coordinates are distributed alike: a uniform
    # sphere's are Beta(1/2, dim/2).
    for axis in range(space.ambient_dim):
        test = stats.kstest(x[:, axis] ** 2, stats.beta(0.5, space.dim / 2).cdf)
        assert test.pvalue > 1e-3
    assert np.abs(x.mean(axis=0)).max() < 0.05


def test_normal_draws_are_normal():
    x = spaces.get("euclidean3").random_uniform(4000, seed=11)
    assert stats.kstest(x.ravel() / 10, "norm").pvalue > 1e-3


BETTI = {
    # Space: Betti numbers over Z/2 and over Z/3.
    "circle": ((1, 1), (1, 1)),
    "sphere": ((1, 0, 1), (1, 0, 1)),
    "torus": ((1, 2, 1), (1, 2, 1)),
    "hexagonal_torus": ((1, 2, 1), (1, 2, 1)),
    "klein_bottle": ((1, 2, 1), (1, 1, 0)),
    "projective_plane": ((1, 1, 1), (1, 0, 0)),
    "moebius_strip": ((1, 1, 0), (1, 1, 0)),
    "sphere3": ((1, 0, 0, 1), (1, 0, 0, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("field", [2, 3])
@pytest.mark.parametrize("name", BETTI)
def test_homology(name, field):
    ripser = pytest.importorskip("ripser").ripser
    expected = BETTI[name][field - 2]
    space = spaces.get(name)
    n = {1: 40, 2: 225, 3: 80}[space.dim]
    x = curves.even_points(space, n, seed=0)
    d = distance(space, x, x)
    components, *diagrams = ripser(
        (d + d.T) / 2,
        distance_matrix=True,
        maxdim=len(expected) - 1,
        coeff=field,
        thresh=0.75 * space.diameter,
    )["dgms"]
    # Holes that live long are the space's, the others the sample's.
    holes = tuple(
        int(np.sum(np.diff(diagram) > 0.15 * space.diameter))
        for diagram in diagrams
    )
    assert (np.isinf(components).sum(), *holes) == expected
