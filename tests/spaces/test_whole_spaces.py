"""What holds on every space, whatever its geometry."""

import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_moduli import spaces

ALL = [
    "circle",
    "sphere",
    "sphere3",
    "sphere6",
    "torus1",
    "torus",
    "torus6",
    "klein_bottle",
    "projective_plane",
    "moebius_strip",
    "hexagonal_torus",
    "discrete",
    "euclidean3",
    "box2",
    "mixed_curvature",
]
OTHERS = [
    spaces.Torus(3, period=2.5),
    spaces.KleinBottle(period=1.0),
    spaces.MoebiusStrip(period=4.0, width=9.0),
    spaces.MoebiusStrip(period=9.0, width=4.0),
    spaces.HexagonalTorus(period=3.0),
    spaces.Sphere(2, radius=1.0),
    spaces.Euclidean(2, sampling="box", scale=3.0),
    spaces.Product(["klein_bottle", "circle"], weights=[1.0, 0.25]),
    spaces.Product(["discrete", "circle"], weights=[1.0, 0.01]),
]
EVERY = [*map(spaces.get, ALL), *OTHERS]

every_space = pytest.mark.parametrize("space", EVERY, ids=lambda s: s.name)
seeds = st.integers(0, 2**32 - 1)


def distance(space, x, y):
    return np.asarray(space.distance(np.float64(x), np.float64(y)))


def points(space, seed, n=8):
    x = space.random_uniform(n, seed).astype("float64")
    return np.array(space.project(x))


@every_space
@given(seed=seeds)
@settings(max_examples=6, deadline=None, derandomize=True)
def test_is_a_metric(space, seed):
    x = points(space, seed)
    x[3] = x[5]
    d = distance(space, x, x)
    np.testing.assert_array_equal(np.diag(d), 0.0)
    assert d[3, 5] == 0.0
    away = ~np.eye(len(x), dtype=bool)
    away[3, 5] = away[5, 3] = False
    assert np.all(d[away] > 0)
    np.testing.assert_allclose(d, d.T, atol=1e-12)
    detour = d[:, :, None] + d[None, :, :]
    assert np.all(d[:, None, :] <= detour + 1e-9)
    assert d.max() <= space.diameter + 1e-9


@every_space
@given(seed=seeds)
@settings(max_examples=6, deadline=None, derandomize=True)
def test_projects_onto_itself(space, seed):
    generator = np.random.default_rng(seed)
    x = generator.uniform(-40, 40, (16, space.ambient_dim))
    once = np.asarray(space.project(x))
    twice = np.asarray(space.project(once))
    assert space.belongs(once).all()
    off = np.diag(distance(space, once, twice))
    np.testing.assert_allclose(off, 0.0, atol=1e-6)


# Moves of the ambient space that change no point of the space.
IDENTIFICATIONS = {
    "torus": [lambda x: x + [10, 0], lambda x: x + [-30, 20]],
    "torus6": [lambda x: x + [10, 0, 0, -10, 0, 50]],
    "klein_bottle": [
        lambda x: np.stack([x[:, 0] + 10, 10 - x[:, 1]], -1),
        lambda x: np.stack([x[:, 0] - 30, -x[:, 1]], -1),
        lambda x: x + [20, 0],
        lambda x: x + [0, -10],
    ],
    "projective_plane": [lambda x: -x],
    "moebius_strip": [
        lambda x: np.stack([x[:, 0] + 10, 10 - x[:, 1]], -1),
        lambda x: x - [20, 0],
    ],
    "hexagonal_torus": [
        lambda x: x + [10, 0],
        lambda x: x + [5, math.sqrt(75)],
        lambda x: x + [-25, math.sqrt(75)],
    ],
}


@pytest.mark.parametrize("name", IDENTIFICATIONS)
@given(seed=seeds)
@settings(max_examples=6, deadline=None, derandomize=True)
def test_identified_points_are_one_point(name, seed):
    space = spaces.get(name)
    x, y = points(space, seed), points(space, [seed, 1])
    for move in IDENTIFICATIONS[name]:
        d = distance(space, x, y)
        np.testing.assert_allclose(distance(space, move(x), y), d, atol=1e-9)
        np.testing.assert_allclose(distance(space, x, move(y)), d, atol=1e-9)
        back = np.asarray(space.project(move(x)))
        off = np.diag(distance(space, back, x))
        np.testing.assert_allclose(off, 0.0, atol=1e-6)


@every_space
def test_nearest_names_the_same_point(space):
    x, y = points(space, 0, 64), points(space, 1, 64)
    near = np.asarray(space.nearest(x, y))
    np.testing.assert_allclose(
        np.diag(distance(space, near, y)), 0.0, atol=1e-6
    )
    straight = np.linalg.norm(near - x, axis=-1)
    if isinstance(space, spaces.Torus | spaces.glued.GluedSurface):
        np.testing.assert_allclose(
            straight, np.diag(distance(space, x, y)), atol=1e-9
        )


@every_space
def test_draws_belong_and_repeat(space):
    x = space.random_uniform(500, seed=3)
    assert x.shape == (500, space.ambient_dim) and x.dtype == "float32"
    assert space.belongs(x).all()
    np.testing.assert_array_equal(x, space.random_uniform(500, seed=3))
    assert not np.array_equal(x, space.random_uniform(500, seed=4))


@pytest.mark.parametrize(
    "space",
    [space for space in EVERY if space.diameter < math.inf],
    ids=lambda s: s.name,
)
def test_diameter_is_reached(space):
    x = points(space, 0, 3000 if space.dim <= 2 else 100)
    reached = distance(space, x, x).max() / space.diameter
    # A few random points of a big space are never that far apart.
    assert reached > (0.97 if space.dim <= 2 else 0.6)


@every_space
def test_config_gives_the_space_back(space):
    config = json.loads(json.dumps(spaces.serialize(space)))
    again = spaces.get(config)
    assert again == space and hash(again) == hash(space)
    assert (again.dim, again.ambient_dim, again.diameter, again.name) == (
        space.dim,
        space.ambient_dim,
        space.diameter,
        space.name,
    )
    np.testing.assert_array_equal(
        again.random_uniform(5, 0), space.random_uniform(5, 0)
    )


@pytest.mark.parametrize("name", ALL)
def test_names(name):
    named = spaces.get(name)
    if name not in ("torus1", "mixed_curvature"):
        assert spaces.get(named.name) == named
    assert spaces.get(named) is named


def test_floats_belong():
    torus = spaces.get("torus")
    x = [[10.0 - 1e-7, 0.0], [10.1, 0.0], [-1e-7, 3.0], [math.nan, 0.0]]
    np.testing.assert_array_equal(torus.belongs(x), [True, False, True, False])
    sphere = spaces.get("sphere")
    assert list(sphere.belongs([[0, 0, 1], [0, 0, 1.1]])) == [True, False]
    assert not spaces.get("euclidean3").belongs([[math.inf, 0, 0]])[0]


def test_projecting_the_origin_onto_a_sphere():
    origin = np.zeros((1, 3), "float32")
    assert spaces.get("sphere").belongs(
        np.asarray(spaces.get("sphere").project(origin))
    )[0]


@keras.saving.register_keras_serializable(package="tests")
class Segment(spaces.ModuliSpace):
    """The example of `ModuliSpace`: a space in two methods."""

    def __init__(self):
        super().__init__(dim=1, ambient_dim=1, diameter=10.0)

    def draw(self, n, generator):
        return generator.uniform(0.0, 10.0, (n, 1))

    def pairwise(self, x, y):
        return keras.ops.abs(x[:, 0][:, None] - y[:, 0][None, :])


def test_a_space_of_ones_own():
    segment = Segment()
    assert segment.name == "segment"
    assert spaces.get(spaces.serialize(segment)) == segment
    assert segment.belongs(segment.random_uniform(4, 0)).all()
    np.testing.assert_allclose(
        np.asarray(segment.distance([[1.0]], [[4.0], [0.5]])), [[3.0, 0.5]]
    )


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: spaces.get("mug"), "one of circle.*Received: space='mug'"),
        (lambda: spaces.get("torus0"), "torus<n>"),
        (lambda: spaces.Torus(0), "`dim`.*positive integer"),
        (lambda: spaces.Torus(2, period=math.inf), "`period`"),
        (lambda: spaces.Sphere(2, radius=-1), "`radius`"),
        (lambda: spaces.Euclidean(2, sampling="cauchy"), "`sampling`"),
        (lambda: spaces.Product([]), "`spaces`"),
        (lambda: spaces.Product("torus"), "`spaces`"),
        (lambda: spaces.Product(["torus"], weights=[0.0]), "`weights`"),
        (lambda: spaces.Product(["torus"], weights=[1, 2]), "`weights`"),
        (lambda: spaces.get("torus").random_uniform(0, 1), "`n`"),
        (lambda: spaces.get("torus").distance([[1.0, 2.0, 3.0]]), "`x`"),
        (lambda: spaces.get("torus").distance([[1.0, 2.0]], [1.0]), "`y`"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_space_of_the_wrong_kind():
    with pytest.raises(TypeError, match="`space`.*float"):
        spaces.get(1.5)
