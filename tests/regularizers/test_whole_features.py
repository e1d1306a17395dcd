"""Scale, points, gates, controls: what `ModuliRegularizer` can be told."""

import json

import keras
import numpy as np
import pytest

from keras_moduli import inhibitors
from keras_moduli import spaces
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer
from keras_moduli.spaces import curves

UNITS = 64


def matrix(regularizer, *arguments, **keywords):
    return keras.ops.convert_to_numpy(
        regularizer.penalty(*arguments, **keywords)
    )


def again(regularizer):
    """The regularizer after a trip through JSON."""
    config = json.loads(json.dumps(keras.regularizers.serialize(regularizer)))
    return keras.regularizers.deserialize(config)


def test_scale_stretches_the_inhibitor():
    stretched = ModuliRegularizer(seed=1, scale=2.0)
    distance = keras.ops.convert_to_numpy(
        stretched.space.distance(stretched.embedding(UNITS))
    )
    np.testing.assert_allclose(
        matrix(stretched, UNITS),
        keras.ops.convert_to_numpy(stretched.inhibitor(distance / 2)),
        rtol=1e-6,
    )


@pytest.mark.parametrize("scale, free", [(0.5, 0.034), (1, 0.137), (2, 0.549)])
def test_scale_changes_how_many_neighbours_are_free(scale, free):
    penalty = matrix(ModuliRegularizer(seed=1, scale=scale), 1000)
    np.testing.assert_allclose(np.mean(penalty < 81.1425 / 2), free, atol=0.005)


class TestControls:
    geometric = ModuliRegularizer("klein_bottle", "diffusion", seed=5)

    def control(self, name, **arguments):
        return ModuliRegularizer(
            "klein_bottle", "diffusion", seed=5, control=name, **arguments
        )

    def test_permuted_has_the_same_entries_elsewhere(self):
        ours = matrix(self.control("permuted"), UNITS)
        theirs = matrix(self.geometric, UNITS)
        np.testing.assert_array_equal(
            np.sort(ours, axis=None), np.sort(theirs, axis=None)
        )
        assert abs(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]) < 0.05
        assert np.count_nonzero(np.diag(ours)) > UNITS // 2
        np.testing.assert_array_equal(
            matrix(again(self.control("permuted")), UNITS), ours
        )
        other = ModuliRegularizer("klein_bottle", seed=6, control="permuted")
        assert not np.array_equal(matrix(other, UNITS), ours)

    @pytest.mark.parametrize("name, power", [("l1", 1), ("l2", 2)])
    def test_l1_and_l2_are_those_of_keras(self, name, power):
        kernel = np.random.default_rng(0).standard_normal((UNITS, 4 * UNITS))
        kernel = kernel.astype("float32")
        keras_own = {"l1": keras.regularizers.L1, "l2": keras.regularizers.L2}
        ours = self.control(name, factor=0.5)
        assert ours.power == power
        np.testing.assert_allclose(
            float(ours(kernel)),
            float(keras_own[name](0.5)(kernel)) / kernel.size,
            rtol=1e-5,
        )

    def test_matched_l1_has_the_mean(self):
        ours = self.control("matched_l1")
        expected = matrix(self.geometric, UNITS).mean(dtype="float64")
        np.testing.assert_allclose(matrix(ours, UNITS), expected, rtol=1e-6)
        assert ours.power == 1

    @pytest.mark.parametrize("target_units", [UNITS, UNITS + 7, UNITS - 7])
    def test_self_and_no_self_change_places(self, target_units):
        shape = UNITS, target_units
        geometric = matrix(self.geometric, *shape)
        only = matrix(self.control("self"), *shape)
        without = matrix(self.control("no_self"), *shape)
        own = np.eye(*shape, dtype=bool)
        assert not only[own].any()
        np.testing.assert_allclose(only.mean(), geometric.mean(), rtol=1e-5)
        assert len(np.unique(only[~own])) == 1
        np.testing.assert_array_equal(without[~own], geometric[~own])
        np.testing.assert_allclose(without[own], geometric.mean(), rtol=1e-5)

    def test_self_is_the_discrete_space(self):
        discrete = ModuliRegularizer("discrete", "identity", seed=0)
        only = ModuliRegularizer("torus", "identity", seed=0, control="self")
        ours = matrix(only, UNITS)
        np.testing.assert_allclose(
            ours / ours.max(), matrix(discrete, UNITS), rtol=1e-6
        )

    @pytest.mark.parametrize("units", [27, 60, 7])
    def test_box_is_a_grid_of_the_same_strength(self, units):
        ours = matrix(self.control("box"), units)
        mean = matrix(self.geometric, units).mean()
        np.testing.assert_allclose(ours.mean(), mean, rtol=1e-5)
        np.testing.assert_allclose(ours, ours.T, rtol=1e-6)
        off_diagonal = ours[~np.eye(units, dtype=bool)]
        # Neighbours on a grid are one step apart; all else is further.
        np.testing.assert_allclose(ours[0, 1], off_diagonal.min(), rtol=1e-6)
        if units == 27:
            np.testing.assert_allclose(
                ours[0, 26] / ours[0, 1], np.sqrt(12), rtol=1e-5
            )


@pytest.mark.parametrize(
    "name", ["circle", "sphere", "sphere3", "torus", "klein_bottle", "box3"]
)
def test_ordered_points_are_even_and_local(name):
    ordered = ModuliRegularizer(name, points="ordered", seed=2)
    points = ordered.embedding(512)
    space = ordered.space
    assert space.belongs(points).all()
    near = curves.locality(space, points)
    # In d dimensions a block of k of n points has a side of (k / n)^(1 / d).
    for size, ratio in near.items():
        assert ratio < 1.8 * (size / 512) ** (1 / space.dim)
    random = curves.locality(space, space.random_uniform(512, 2))
    np.testing.assert_allclose(random[16], 1.0, atol=0.1)

    def gaps(x):
        d = keras.ops.convert_to_numpy(space.distance(x)).copy()
        np.fill_diagonal(d, np.inf)
        return d.min(axis=1)

    # Even: the closest pairs are further apart than among random points.
    even, uneven = gaps(points), gaps(space.random_uniform(512, 2))
    assert np.quantile(even, 0.02) > 2 * np.quantile(uneven, 0.02)


@pytest.mark.parametrize("dim", [2, 3])
def test_hilbert_curve_takes_steps_of_one(dim):
    side = 8
    cells = np.indices((side,) * dim).reshape(dim, -1).T
    order = np.argsort(curves.hilbert_index(cells / side))
    steps = np.abs(np.diff(cells[order], axis=0)).sum(axis=1)
    np.testing.assert_array_equal(steps, 1)


def test_ordered_points_of_a_space_without_coordinates():
    class Interval(spaces.ModuliSpace):
        def __init__(self):
            super().__init__(dim=1, ambient_dim=1, diameter=1.0)

        def draw(self, n, generator):
            return generator.random((n, 1))

        def pairwise(self, x, y):
            return keras.ops.abs(x[:, 0][:, None] - y[:, 0][None, :])

    ordered = ModuliRegularizer(Interval(), points="ordered", seed=0)
    points = ordered.embedding(200)
    assert len(np.unique(points)) == 200
    assert curves.locality(ordered.space, points, (20,))[20] < 0.15
    assert np.diff(np.sort(points[:, 0])).max() < 0.02


def test_given_points():
    points = spaces.get("torus").random_uniform(UNITS, 9)
    given = ModuliRegularizer(points=points)
    np.testing.assert_array_equal(given.embedding(UNITS), points)
    np.testing.assert_array_equal(again(given).embedding(UNITS), points)
    drawn = ModuliRegularizer(seed=9)
    np.testing.assert_array_equal(matrix(given, UNITS), matrix(drawn, UNITS))
    with pytest.raises(ValueError, match="64 units. Received.*65 units"):
        given.penalty(UNITS + 1)


def test_separate_targets():
    apart = ModuliRegularizer(seed=1, target_points="uniform")
    source = apart.embedding(UNITS)
    target = apart.target_embedding(UNITS)
    assert not np.array_equal(source, target)
    distance = keras.ops.convert_to_numpy(apart.space.distance(source, target))
    expected = keras.ops.convert_to_numpy(apart.inhibitor(distance))
    np.testing.assert_allclose(matrix(apart, UNITS), expected, rtol=1e-6)
    np.testing.assert_array_equal(matrix(again(apart), UNITS), expected)


def test_rows_are_sources():
    """One weight alone costs what its source and target say."""
    points = np.float32([[0, 0], [1, 0], [5, 5]])
    targets = np.float32([[0, 0], [0, 3], [1, 0]])
    directed = ModuliRegularizer(
        inhibitor="identity", points=points, target_points=targets, factor=1.0
    )
    kernel = np.zeros((3, 4, 3), "float32")
    kernel[0, 2, 1] = -2.0
    value = float(directed(kernel.reshape(3, 12)))
    np.testing.assert_allclose(value, 2.0 * 3.0 / kernel.size, rtol=1e-6)


class TestGates:
    kernel = np.random.default_rng(3).standard_normal((UNITS, 4 * UNITS))

    def value(self, regularizer):
        return float(regularizer(self.kernel.astype("float32")))

    def test_factors(self):
        gated = ModuliRegularizer(seed=1, gates=[1.0, 0.0, 2.0, 0.5])
        shares = [
            float(
                ModuliRegularizer(seed=1)(
                    self.kernel[:, g * UNITS : (g + 1) * UNITS]
                )
            )
            for g in range(4)
        ]
        expected = np.dot(shares, [1.0, 0.0, 2.0, 0.5]) / 4
        np.testing.assert_allclose(self.value(gated), expected, rtol=1e-6)
        np.testing.assert_allclose(
            matrix(gated, UNITS, gate=2), 2 * matrix(gated, UNITS), rtol=1e-6
        )
        assert self.value(again(gated)) == self.value(gated)

    def test_inhibitors(self):
        names = ["diffusion", "constant", "identity", "ripple"]
        gated = ModuliRegularizer(seed=1, gates=names)
        shares = [
            float(
                ModuliRegularizer(inhibitor=name, seed=1)(
                    self.kernel[:, g * UNITS : (g + 1) * UNITS]
                )
            )
            for g, name in enumerate(names)
        ]
        np.testing.assert_allclose(
            self.value(gated), np.mean(shares), rtol=1e-5
        )
        assert self.value(again(gated)) == self.value(gated)

    def test_number_of_gates_changes_nothing(self):
        np.testing.assert_allclose(
            self.value(ModuliRegularizer(seed=1, gates=4)),
            self.value(ModuliRegularizer(seed=1)),
            rtol=1e-6,
        )

    def test_wrong_number_of_gates(self):
        with pytest.raises(ValueError, match="3 gates.*64, 256"):
            self.value(ModuliRegularizer(gates=3))


def test_kernels_between_two_layers(tmp_path):
    lower = ModuliRegularizer("klein_bottle", seed=1)
    upper = ModuliRegularizer("klein_bottle", seed=2)
    between = ModuliRegularizer(
        "klein_bottle", points=lower, target_points=upper, gates=4, factor=1.0
    )
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.GRU(
                12, recurrent_regularizer=lower, return_sequences=True
            ),
            keras.layers.LSTM(
                7, kernel_regularizer=between, recurrent_regularizer=upper
            ),
            keras.layers.Dense(
                9,
                kernel_regularizer=ModuliRegularizer(
                    "klein_bottle", points=upper, gates=1
                ),
            ),
        ]
    )
    assert len(model.losses) == 4
    kernel = keras.ops.convert_to_numpy(model.layers[1].cell.kernel)
    distance = lower.space.distance(lower.embedding(12), upper.embedding(7))
    penalty = keras.ops.convert_to_numpy(between.inhibitor(distance))
    expected = np.mean(np.abs(kernel.reshape(12, 4, 7)) * penalty[:, None])
    np.testing.assert_allclose(float(between(kernel)), expected, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [float(v) for v in loaded.losses] == [float(v) for v in model.losses]


def test_one_instance_serves_layers_of_any_size():
    shared = ModuliRegularizer(seed=1)
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.GRU(
                12, recurrent_regularizer=shared, return_sequences=True
            ),
            keras.layers.LSTM(12, recurrent_regularizer=shared),
            keras.layers.RepeatVector(2),
            keras.layers.SimpleRNN(5, recurrent_regularizer=shared),
        ]
    )
    assert len(model.losses) == 3
    assert shared.penalty(12) is shared.penalty(12)
    assert tuple(shared.penalty(5).shape) == (5, 5)


INHIBITORS = {
    "difference_of_gaussians": lambda d: (
        81.1425 - 100 * (np.exp(-(d**2) / 5) - np.exp(-4 * d**2))
    ),
    "diffusion": lambda d: d**2,
    "ripple": lambda d: 50 + 50 * np.cos(2 * d),
    "gaussian": lambda d: 100 * np.exp(-(d**2) / 3),
    "inverted_gaussian": lambda d: 100 - 100 * np.exp(-(d**2) / 3),
    "identity": lambda d: d,
    "constant": lambda d: np.ones_like(d),
}


@pytest.mark.parametrize("name", INHIBITORS)
def test_inhibitors(name):
    assert set(INHIBITORS) == set(inhibitors.NAMES)
    d = np.linspace(0.0, 20.0, 4001)
    f = inhibitors.get(name)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(f(d)), INHIBITORS[name](d), atol=1e-3
    )
    low = keras.ops.convert_to_numpy(f(d.astype("float32")))
    assert low.min() >= 0.0 and low.dtype == "float32"
    assert inhibitors.get(inhibitors.serialize(f)) == f


@keras.saving.register_keras_serializable(package="tests")
def cubed(distance):
    return distance**3


def test_any_callable_is_an_inhibitor():
    own = ModuliRegularizer(inhibitor=cubed, seed=1)
    plain = ModuliRegularizer(inhibitor="identity", seed=1)
    np.testing.assert_allclose(
        matrix(own, UNITS), matrix(plain, UNITS) ** 3, rtol=1e-5
    )
    np.testing.assert_array_equal(matrix(again(own), UNITS), matrix(own, UNITS))


@pytest.mark.parametrize(
    "inhibitor, message",
    [
        (lambda d: d - 1.0, "at least 0.*Received: values from -1.0"),
        (lambda d: d / 0.0, "finite"),
        (lambda d: d * float("nan"), "finite"),
        (lambda d: d[:1], "shape.*Received: shape \\(1, 64\\)"),
    ],
)
def test_bad_inhibitors(inhibitor, message):
    with pytest.raises(ValueError, match=message):
        ModuliRegularizer(inhibitor=inhibitor).penalty(UNITS)


NAN = float("nan")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"scale": 0.0}, "`scale`"),
        ({"control": "l3"}, "`control`.*'permuted'"),
        ({"points": "mug"}, "`points`.*uniform, ordered"),
        ({"points": [[1.0, 2.0, 3.0]]}, "`points`.*units, 2"),
        ({"points": [[1.0, NAN]]}, r"`points`.*\[0\]=\[1.0, nan\]"),
        ({"points": [[1.0, 2.0], [1.0, 12.0]]}, r"`points`.*\[1\]"),
        ({"target_points": [[-1.0, 0.0]]}, "`target_points`"),
        ({"points": ModuliRegularizer("circle")}, "`points`.*same space"),
        ({"gates": 0}, "`gates`"),
        ({"gates": []}, "`gates`"),
        ({"gates": "diffusion"}, "`gates`"),
        ({"gates": [1.0, -1.0]}, "`gates`"),
        ({"gates": [1.0, "mug"]}, "diffusion"),
        ({"inhibitor": "mug"}, "constant"),
        ({"power": True}, "`power`"),
        ({"power": 1.5}, "`power`"),
        ({"factor": float("inf")}, "`factor`"),
        ({"seed": 1.5}, "`seed`"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ModuliRegularizer(**arguments)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: inhibitors.DifferenceOfGaussians(wide=0.1), "`narrow`"),
        (lambda: inhibitors.Gaussian(width=0), "`width`"),
        (lambda: inhibitors.Ripple(amplitude=-1), "`amplitude`"),
        (lambda: inhibitors.Constant(-1.0), "`value`"),
        (lambda: curves.locality(spaces.Torus(), np.ones((4, 2))), "`blocks`"),
    ],
)
def test_bad_values(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_inhibitor_of_the_wrong_kind():
    with pytest.raises(TypeError, match="`inhibitor`.*float"):
        inhibitors.get(1.5)
