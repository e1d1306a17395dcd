"""Initial values, regularizers and constraints see the real fan-in."""

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli import layers


def built(name="LSTM", units=128, **kwargs):
    kwargs = {"fan_in": 16, "group_size": 8, "seed": 0, **kwargs}
    layer = getattr(layers, f"Sparse{name}")(units, **kwargs)
    layer.build((None, None, 3))
    return layer


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("initializer", ["orthogonal", "glorot_uniform"])
def test_columns_are_as_long_as_keras_makes_them(name, initializer):
    keras.utils.set_random_seed(0)
    ours = layers.dense_kernel(built(name, recurrent_initializer=initializer))
    theirs = keras.initializers.get(initializer)(ours.shape).numpy()
    lengths = [np.sqrt((k**2).sum(axis=0).mean()) for k in (ours, theirs)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.05)


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal"])
def test_input_columns_are_as_long_as_keras_makes_them(initializer):
    keras.utils.set_random_seed(0)
    layer = layers.SparseGRU(
        128, group_size=8, kernel_fan_in=20, kernel_initializer=initializer
    )
    layer.build((None, None, 100))
    ours = layers.dense_kernel(layer, "kernel")
    theirs = keras.initializers.get(initializer)(ours.shape).numpy()
    lengths = [np.sqrt((k**2).sum(axis=0).mean()) for k in (ours, theirs)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.05)


def test_inputs_that_are_all_read_begin_as_in_keras():
    initializer = keras.initializers.GlorotUniform(seed=5)
    layer = built(kernel_fan_in=1.0, kernel_initializer=initializer)
    np.testing.assert_array_equal(
        layers.dense_kernel(layer, "kernel"), initializer((3, 4 * 128))
    )


def test_inputs_and_units_have_connections_of_their_own():
    layer = layers.SparseGRU(64, fan_in=8, kernel_fan_in=8, seed=0,
                             connections="random")  # fmt: skip
    layer.build((None, None, 64))
    assert (layer.sources != layer.kernel_sources).any()


def test_penalties_and_constraints_of_input_kernels():
    regularizer = keras_moduli.ModuliRegularizer(seed=1, gates=[1, 1, 1, 2])
    layer = built(
        kernel_fan_in=2,
        kernel_regularizer=regularizer,
        kernel_constraint=keras.constraints.UnitNorm(axis=0),
    )
    (loss,) = layer.losses
    kernel = layers.dense_kernel(layer, "kernel")
    np.testing.assert_allclose(
        loss, regularizer(keras.ops.array(kernel)), rtol=1e-5
    )
    weight = layer.cell.kernel
    weight.assign(weight.constraint(weight.value))
    kernel = layers.dense_kernel(layer, "kernel")
    np.testing.assert_allclose((kernel**2).sum(axis=0), 1.0, rtol=1e-3)
    with pytest.raises(ValueError, match="`gates` of the regularizer must be"):
        built(
            kernel_fan_in=2,
            kernel_regularizer=keras_moduli.ModuliRegularizer(),
        )


def test_all_sources_begin_as_in_keras():
    initializer = keras.initializers.Orthogonal(seed=5)
    layer = built(fan_in=1.0, group_size=32, recurrent_initializer=initializer)
    np.testing.assert_array_equal(
        layers.dense_kernel(layer), initializer((128, 4 * 128))
    )


@pytest.mark.parametrize("seed", [None, 7])
def test_groups_differ(seed):
    initializer = keras.initializers.RandomNormal(seed=seed)
    weight = built(recurrent_initializer=initializer).cell.recurrent_kernel
    assert len(np.unique(weight.numpy())) > 0.999 * np.prod(weight.shape)
    again = built(recurrent_initializer=initializer).cell.recurrent_kernel
    np.testing.assert_array_equal(weight, again)  # as Keras's own do


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"power": 2, "space": "sphere", "factor": 3.0},
        {"gates": [1.0, 0.5, 2.0, "identity"]},
        {"control": "l1"},
    ],
    ids=str,
)
def test_moduli_penalty_is_the_plain_kernels(kwargs):
    regularizer = keras_moduli.ModuliRegularizer(seed=1, **kwargs)
    layer = built(recurrent_regularizer=regularizer)
    (loss,) = layer.losses
    expected = regularizer(keras.ops.array(layers.dense_kernel(layer)))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert layer.recurrent_regularizer is regularizer


def test_plain_penalties_take_the_weight():
    layer = built(recurrent_regularizer=keras.regularizers.L1(0.1))
    (loss,) = layer.losses
    expected = 0.1 * np.abs(layers.dense_kernel(layer)).sum()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_a_trainable_regularizer_is_refused():
    regularizer = keras_moduli.ModuliRegularizer(trainable=True)
    with pytest.raises(ValueError, match="cannot be a trainable"):
        built(recurrent_regularizer=regularizer)


def test_constraints_are_by_target():
    layer = built(recurrent_constraint=keras.constraints.UnitNorm(axis=0))
    weight = layer.cell.recurrent_kernel
    weight.assign(weight.constraint(weight.value))
    kernel = layers.dense_kernel(layer)
    np.testing.assert_allclose((kernel**2).sum(axis=0), 1.0, rtol=1e-5)
