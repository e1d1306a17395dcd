"""Hidden states, against what Keras itself gives for whole sequences."""

import keras
import numpy as np
import pytest

from keras_moduli import topology

X = np.random.default_rng(0).normal(size=(7, 5, 3)).astype("float32")


def sequences_of(layer, x):
    """What the layer returns with `return_sequences=True`."""
    twin = type(layer).from_config(
        {**layer.get_config(), "return_sequences": True, "return_state": False}
    )
    twin.build(x.shape)
    twin.set_weights(layer.get_weights())
    return keras.ops.convert_to_numpy(twin(x))


@pytest.mark.parametrize("returned", [False, True])
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_every_kind_of_layer(kind, returned):
    layer = getattr(keras.layers, kind)(4, return_sequences=returned)
    model = keras.Sequential([keras.Input((5, 3)), layer])
    before = model.predict(X, verbose=0)
    found = topology.record_states(model, X, batch_size=3)
    np.testing.assert_allclose(found, sequences_of(layer, X), atol=1e-6)
    np.testing.assert_allclose(
        found if returned else found[:, -1], before, atol=1e-6
    )
    # The model is as it was.
    assert layer.return_sequences is returned
    np.testing.assert_array_equal(model.predict(X, verbose=0), before)


def test_of_nested_and_bidirectional_layers_one_direction():
    inner = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.Bidirectional(keras.layers.LSTM(4), name="both"),
        ]
    )
    model = keras.Sequential([keras.Input((5, 3)), inner])
    both = inner.get_layer("both")
    found = topology.record_states(model, X, layer=both.forward_layer.name)
    np.testing.assert_allclose(
        found, sequences_of(both.forward_layer, X), atol=1e-6
    )
    found = topology.record_states(model, X, layer=both.backward_layer)
    assert found.shape == (7, 5, 4)
    with pytest.raises(ValueError, match="`layer`.*forward_lstm"):
        topology.record_states(model, X)


def test_of_a_layer_with_a_state_given_and_returned():
    start = keras.Input((4,))
    x = keras.Input((5, 3))
    layer = keras.layers.GRU(4, return_state=True)
    output, state = layer(x, initial_state=start)
    model = keras.Model({"x": x, "start": start}, [output, state])
    data = {"x": X, "start": np.ones((7, 4), "float32")}
    outputs, states = model.predict(data, verbose=0)
    found = topology.record_states(model, data)
    np.testing.assert_allclose(found[:, -1], outputs, atol=1e-6)
    np.testing.assert_allclose(found[:, -1], states, atol=1e-6)


def test_a_mask_repeats_the_last_state():
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            keras.layers.Embedding(9, 3, mask_zero=True),
            keras.layers.GRU(4),
        ]
    )
    codes = np.array([[1, 2, 3, 0, 0]])
    found = topology.record_states(model, codes)
    np.testing.assert_array_equal(found[0, 3], found[0, 2])
    np.testing.assert_allclose(
        found[:, -1], model.predict(codes, verbose=0), atol=1e-6
    )


def test_a_layer_must_be_found_and_called():
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(2)])
    with pytest.raises(ValueError, match="`layer`.*Received: layer='lost'"):
        topology.record_states(model, X, layer="lost")
    plain = keras.Sequential([keras.Input((5, 3)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="fits 0"):
        topology.record_states(plain, X)


@pytest.mark.slow
def test_a_small_path_integrator_covers_a_disc():
    # Positions in a box have no holes, and a small network folds none in.
    pytest.importorskip("ripser")
    from keras_moduli.tasks.navigation.task import Navigation

    keras.utils.set_random_seed(0)
    task = Navigation(
        units=64,
        cells=32,
        sequence_length=10,
        batch_size=64,
        learning_rate=5e-3,
        validation_size=300,
    )
    model = task.model(steps=1)
    model.fit(
        task.training(0, 0), steps_per_epoch=600, shuffle=False, verbose=0
    )
    inputs, positions = task.validation
    logs = model.evaluate(inputs, positions, return_dict=True, verbose=0)
    assert logs["position_error"] < 75  # it has learnt something
    states = topology.record_states(model, inputs, batch_size=100)
    assert states.shape == (300, 10, 64)
    found = topology.homology(states)
    assert found.spaces == ()
    assert "no clear answer" in str(found)
