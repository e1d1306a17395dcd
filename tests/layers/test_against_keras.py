"""The sparse layers next to Keras's own, with zeros in the kernel."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_moduli import layers

UNITS = 32
X = np.random.default_rng(0).standard_normal((4, 3, 5)).astype("float32")
ONE_GROUP = {"fan_in": 1.0, "group_size": UNITS}
SPARSE = {"fan_in": 12, "group_size": 8}
KERNELS = "kernel", "recurrent_kernel"
INPUTS = [
    {"kernel_fan_in": 3},
    {"kernel_fan_in": 0.4, "kernel_connections": "near"},
    {"kernel_fan_in": 5, "kernel_connections": "near+random"},
    {"kernel_connections": [[4, 1], [0, 2]]},  # groups of their own size
    {"kernel_connections": np.eye(5, dtype=bool)[np.repeat([3, 4], 16)].T},
]
CELLS = [
    ("LSTM", {}),
    ("GRU", {}),
    ("GRU", {"reset_after": False}),
    ("SimpleRNN", {}),
]
ARGUMENTS = [
    {},
    {"return_sequences": True, "return_state": True},
    {"go_backwards": True, "return_sequences": True},
    {"unroll": True},
    {"use_bias": False, "activation": "relu"},
    {"dropout": 0.3, "return_sequences": True},
    {"recurrent_dropout": 0.3, "dropout": 0.2},
    {"zero_output_for_mask": True, "return_sequences": True},
]


def pair(name, sparse, **kwargs):
    """A sparse layer and the plain one with the same values."""
    kwargs.setdefault("seed", 3)
    if kwargs.get("use_bias", True):
        kwargs.setdefault("bias_initializer", "random_normal")
    ours = getattr(layers, f"Sparse{name}")(UNITS, **sparse, **kwargs)
    theirs = getattr(keras.layers, name)(UNITS, **kwargs)
    ours.build(X.shape)
    theirs.build(X.shape)
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        plain = one.name in KERNELS
        other.assign(layers.dense_kernel(ours, one.name) if plain else one)
    return ours, theirs


def run(layer, training, mask=None):
    with tf.GradientTape() as tape:
        outputs = layer(X, training=training, mask=mask)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        loss = sum(tf.reduce_sum(tf.sin(3.0 * y)) for y in outputs)
    weights = layer.trainable_variables
    return outputs, tape.gradient(loss, [w.value for w in weights])


def assert_alike(ours, theirs, training=False, mask=None):
    outputs, gradients = run(ours, training, mask)
    expected, dense_gradients = run(theirs, training, mask)
    for one, other in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)
    cell = ours.cell
    for weight, one, other in zip(
        ours.trainable_variables, gradients, dense_gradients, strict=True
    ):
        other = other.numpy()
        if weight.name in KERNELS and len(weight.shape) == 3:
            inputs = weight.name == "kernel"
            sources = cell.kernel_sources if inputs else cell.sources
            other = _at_connections(cell, other, sources)
        np.testing.assert_allclose(one, other, atol=2e-5)


def _at_connections(cell, kernel, sources):
    """By the definition: weight [group, k, gate, i]."""
    size = UNITS // len(sources)
    found = np.zeros((*sources.shape, cell.gates * size), "float32")
    for group, row in enumerate(sources):
        for gate in range(cell.gates):
            first = gate * UNITS + group * size
            found[group, :, gate * size : (gate + 1) * size] = kernel[
                row, first : first + size
            ]
    return found


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
@pytest.mark.parametrize(("name", "kwargs"), CELLS, ids=str)
def test_one_group_with_all_sources_is_the_plain_layer(name, kwargs, arguments):
    ours, theirs = pair(name, ONE_GROUP, **kwargs, **arguments)
    assert_alike(ours, theirs, training=True)


@pytest.mark.parametrize("kind", ["near", "own+random", "random", "own"])
@pytest.mark.parametrize(("name", "kwargs"), CELLS, ids=str)
def test_connections_are_the_plain_layer_with_zeros(name, kwargs, kind):
    sparse = {**SPARSE, "connections": kind}
    ours, theirs = pair(name, sparse, return_sequences=True, **kwargs)
    kernel = layers.dense_kernel(ours)
    assert ((kernel != 0) == layers.mask(ours)).all()
    assert_alike(ours, theirs)


@pytest.mark.parametrize("inputs", INPUTS, ids=range(len(INPUTS)))
@pytest.mark.parametrize(("name", "kwargs"), CELLS, ids=str)
def test_input_connections_are_the_plain_layer_with_zeros(name, kwargs, inputs):
    sparse = {**SPARSE, **inputs}
    ours, theirs = pair(name, sparse, return_sequences=True, **kwargs)
    kernel = layers.dense_kernel(ours, "kernel")
    alive = layers.mask(ours, "kernel")
    assert ((kernel != 0) == alive).all()
    assert alive.mean() == ours.kernel_sources.shape[1] / 5
    assert_alike(ours, theirs)


@pytest.mark.parametrize(("name", "kwargs"), CELLS, ids=str)
def test_dropout_of_inputs_that_few_read(name, kwargs):
    arguments = {"dropout": 0.3, "recurrent_dropout": 0.2, **kwargs}
    everything = {**ONE_GROUP, "kernel_fan_in": 1.0}
    assert_alike(*pair(name, everything, **arguments), training=True)
    ours, theirs = pair(name, {**SPARSE, "kernel_fan_in": 2}, **arguments)
    assert_alike(ours, theirs, training=True)


@pytest.mark.parametrize(("name", "kwargs"), CELLS, ids=str)
def test_masks_of_time_steps_and_dropout(name, kwargs):
    mask = np.arange(3) < np.array([[3], [2], [1], [2]])
    ours, theirs = pair(
        name, SPARSE, recurrent_dropout=0.2, return_sequences=True, **kwargs
    )
    assert_alike(ours, theirs, training=True, mask=mask)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_stateful(name):
    ours, theirs = pair(name, SPARSE, stateful=True)
    first = ours(X)
    np.testing.assert_allclose(first, theirs(X), atol=2e-6)
    second = ours(X)
    np.testing.assert_allclose(second, theirs(X), atol=2e-6)
    assert np.abs(first - second).max() > 1e-3
    ours.reset_state()
    np.testing.assert_allclose(ours(X), first, atol=1e-6)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_mixed_precision(name):
    sparse = {**SPARSE, "kernel_fan_in": 3}
    ours, theirs = pair(name, sparse, dtype="mixed_bfloat16")
    assert ours(X).dtype == theirs(X).dtype == "bfloat16"
    assert ours.cell.recurrent_kernel.dtype == "float32"
    np.testing.assert_allclose(
        tf.cast(ours(X), "float32"), tf.cast(theirs(X), "float32"), atol=0.03
    )


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_the_number_of_weights_is_a_share(name):
    ours, theirs = pair(name, SPARSE, use_bias=False)
    inputs = ours.cell.kernel.shape[0] * ours.cell.kernel.shape[1]
    share = (ours.count_params() - inputs) / (theirs.count_params() - inputs)
    assert share == 12 / UNITS


def test_dropout_out_of_training_is_none():
    ours, theirs = pair("LSTM", SPARSE, dropout=0.5, recurrent_dropout=0.5)
    assert_alike(ours, theirs)
