"""Keras's own steps in one loop: a stateful model, called step by step."""

import keras
import numpy as np

from keras_moduli.export.programs.streaming import StreamingProgram

BATCH, STEPS, FEATURES = 2, 7, 3


def model(batch_size=None, **options):
    keras.utils.set_random_seed(1)
    x = keras.Input((None, FEATURES), batch_size=batch_size)
    y = keras.layers.GRU(4, return_sequences=True, **options)(x)
    y = keras.layers.LSTM(5, return_sequences=True, **options)(y)
    return keras.Model(x, y)


def test_steps_are_those_of_a_stateful_model():
    x = np.random.default_rng(2).normal(size=(BATCH, STEPS, FEATURES))
    x = x.astype("float32")
    program = StreamingProgram(model(), BATCH)
    found = program.steps([{program.input_name: x}])
    stateful = model(BATCH, stateful=True)
    layers = [
        layer for layer in stateful.layers if hasattr(layer, "reset_states")
    ]
    assert len(found) == STEPS
    for time, (feed, answer) in enumerate(found):
        np.testing.assert_array_equal(
            feed[program.input_name], x[:, time : time + 1]
        )
        states = [state for layer in layers for state in layer.states]
        for name, state in zip(program.states, states, strict=True):
            np.testing.assert_allclose(feed[name], state, atol=1e-6)
        assert answer.keys().isdisjoint(program.states)
        (output,) = answer.values()
        expected = stateful(x[:, time : time + 1])
        np.testing.assert_allclose(output, expected, atol=1e-6)
