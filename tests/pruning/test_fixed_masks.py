"""Fixed masks, against brute force and against sparse layers."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import keras_moduli
from keras_moduli.layers.connections import KINDS
from keras_moduli.spaces import curves

UNITS = 24


def network(units=UNITS, features=3, layer=keras.layers.LSTM):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None, features)),
            layer(units, name="below", return_sequences=True),
            layer(units, name="above"),
            keras.layers.Dense(2 * units, name="reader"),
        ]
    )


MODEL = network()
BELOW = "below/lstm_cell/recurrent_kernel"


@given(
    kind=st.sampled_from(sorted(KINDS)),
    group_size=st.sampled_from([1, 2, 3, 8]),
    fan_in=st.integers(8, UNITS),
    seed=st.integers(0, 99),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_every_target_reads_as_many_and_gates_are_alike(
    kind, group_size, fan_in, seed
):
    masks = keras_moduli.fixed_masks(
        MODEL, fan_in, kind, group_size=group_size, seed=seed
    )
    assert len(masks) == 2
    for mask in masks.values():
        assert mask.dtype == bool
        gates = mask.reshape(UNITS, 4, UNITS)
        np.testing.assert_array_equal(gates, gates[:, :1].repeat(4, axis=1))
        gate = gates[:, 0]
        expected = group_size if kind == "own" else fan_in
        np.testing.assert_array_equal(gate.sum(axis=0), expected)
        groups = gate.reshape(UNITS, -1, group_size)
        np.testing.assert_array_equal(
            groups, groups[:, :, :1].repeat(group_size, axis=2)
        )
        if kind != "random":
            own = np.kron(
                np.eye(UNITS // group_size),
                np.ones((group_size, group_size)),
            )
            assert gate[own > 0].all()


def test_near_are_the_nearest_by_brute_force():
    space = keras_moduli.spaces.get("klein_bottle")
    mask = keras_moduli.fixed_masks(MODEL, 5, "near", space=space, seed=4)[
        BELOW
    ][:, :UNITS]
    points = curves.even_points(space, UNITS, 4)
    points = points[curves.curve_order(space, points)]
    distance = np.asarray(space.distance(points))
    for target in range(UNITS):
        read = distance[mask[:, target], target].max()
        rest = distance[~mask[:, target], target].min()
        assert mask[target, target] and read <= rest + 1e-4


def test_between_layers_the_nearest_stands_for_oneself():
    masks = keras_moduli.fixed_masks(
        MODEL, 4, "own+random", weights="reader", space="circle", seed=1
    )
    mask = masks["reader/kernel"]
    assert mask.shape == (UNITS, 2 * UNITS)
    np.testing.assert_array_equal(mask.sum(axis=0), 4)
    space = keras_moduli.spaces.get("circle")

    def points(n):
        even = curves.even_points(space, n, 1)
        return even[curves.curve_order(space, even)]

    distance = np.asarray(space.distance(points(UNITS), points(2 * UNITS)))
    nearest = distance.min(axis=0) + 1e-4
    assert (np.where(mask, distance, np.inf).min(axis=0) <= nearest).all()


def test_kernels_differ_where_they_are_random_and_only_there():
    near = keras_moduli.fixed_masks(MODEL, 6, "near")
    random = keras_moduli.fixed_masks(MODEL, 6, "random")
    below, above = near.values()
    np.testing.assert_array_equal(below, above)
    below, above = random.values()
    assert (below != above).any()


def test_a_sparse_layer_draws_the_same():
    mask = keras_moduli.fixed_masks(
        MODEL, 12, "near+random", group_size=8, seed=3
    )[BELOW]
    table = keras_moduli.layers.sources(UNITS, 12, 8, "near+random", seed=3)
    for group, sources in enumerate(table):
        read = np.flatnonzero(mask[:, 8 * group])
        np.testing.assert_array_equal(read, np.sort(sources))


def test_rescaled_weights_sum_to_the_same_variance():
    model = network(units=256, layer=keras.layers.SimpleRNN)
    kernel = model.get_layer("below").cell.recurrent_kernel
    before = kernel.numpy()
    masks = keras_moduli.fixed_masks(
        model, 0.1, "random", weights="below/.*rec"
    )
    keras_moduli.apply_masks(model, masks, rescale=True)
    (mask,) = masks.values()
    np.testing.assert_allclose(
        kernel.numpy(), np.where(mask, before * np.sqrt(256 / 26), 0), rtol=1e-5
    )
    # Columns of an orthogonal kernel have the length 1, of what is left too.
    length = np.linalg.norm(kernel.numpy(), axis=0)
    assert 0.9 < length.mean() < 1.1


def test_masks_hold_in_training_from_the_first_step():
    model = network(layer=keras.layers.GRU)
    masks = keras_moduli.fixed_masks(model, 0.2, "near", weights="kernels")
    keras_moduli.apply_masks(model, masks, rescale=True)
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).standard_normal((8, 5, 3))
    model.fit(x, np.ones((8, 2 * UNITS)), epochs=2, verbose=0)
    for path, mask in keras_moduli.masks_of(model).items():
        np.testing.assert_array_equal(mask, masks[path])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"connections": "nearest"}, "`connections` must be one of"),
        ({"fan_in": 0}, "`fan_in` must be"),
        ({"fan_in": 25}, "`fan_in` must be"),
        ({"fan_in": 3, "group_size": 4}, "at least `group_size` sources"),
        ({"group_size": 5}, "`group_size` must divide 24"),
        ({"group_size": 0}, "`group_size` must be"),
        ({"near_share": 2.0}, "`near_share` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"weights": "nothing"}, "`weights` selects nothing"),
        ({"space": "tours"}, "`space` must be"),
    ],
)
def test_errors_say_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=f"(?s){message}.*Received"):
        keras_moduli.fixed_masks(MODEL, **{"fan_in": 8, **arguments})


def test_kernels_of_more_axes_are_named():
    model = keras.Sequential(
        [keras.Input((9, 3)), keras.layers.Conv1D(8, 3, name="window")]
    )
    with pytest.raises(ValueError, match="two axes.*window/kernel"):
        keras_moduli.fixed_masks(model, 3, weights="kernels")
