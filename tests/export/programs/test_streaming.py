"""One-step files give, step by step, what Keras gives for the sequence."""

import keras
import numpy as np
import pytest
from running import runner_of

from keras_moduli.export import export_tflite

L = keras.layers


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(9)


def stream(path, x, name="x"):
    """The answers of a one-step file to every step of `x`, by hand."""
    runner = runner_of(path)
    state = {
        key: np.zeros(detail["shape"], "float32")
        for key, detail in runner.get_input_details().items()
        if key.startswith("state_")
    }
    answers = []
    for step in range(x.shape[1]):
        answer = runner(**{name: x[:, step : step + 1]}, **state)
        state = {key: answer[key] for key in state}
        answers.append(answer["output_0"])
    return answers


def sequential(*layers, shape=(None, 5)):
    return keras.Sequential([keras.Input(shape, name="x"), *layers])


MODELS = {
    "one_layer": lambda: sequential(L.LSTM(8, return_sequences=True)),
    "two_layers_and_a_read_out": lambda: sequential(
        L.GRU(8, return_sequences=True),
        L.LSTM(6, return_sequences=True),
        L.Dense(3, activation="softmax"),
    ),
    "stacked_cells": lambda: sequential(
        L.RNN([L.LSTMCell(5), L.GRUCell(4)], return_sequences=True)
    ),
    "a_fixed_length": lambda: sequential(
        L.SimpleRNN(8, return_sequences=True), shape=(7, 5)
    ),
    "nested": lambda: sequential(
        sequential(L.LSTM(8, return_sequences=True)), L.Dense(2)
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_step_by_step_is_the_whole_sequence(name, tmp_path):
    model = MODELS[name]()
    report = export_tflite(model, tmp_path / "m.tflite", streaming=True)
    assert "WHILE" not in report.operators
    steps = model.input_shape[1] or 120
    x = np.random.default_rng(0).normal(size=(1, steps, 5)).astype("float32")
    np.testing.assert_allclose(
        np.concatenate(stream(tmp_path / "m.tflite", x), axis=1),
        model.predict(x, verbose=0),
        atol=1e-5,
    )


def test_a_model_with_one_output_gives_it_after_every_step(tmp_path):
    model = sequential(L.GRU(8), L.Dense(2))
    export_tflite(model, tmp_path / "m.tflite", streaming=True)
    x = np.random.default_rng(0).normal(size=(1, 9, 5)).astype("float32")
    answers = stream(tmp_path / "m.tflite", x)
    for length in (1, 4, 9):
        np.testing.assert_allclose(
            answers[length - 1],
            model.predict(x[:, :length], verbose=0),
            atol=1e-5,
        )


def test_a_tiled_character_model_in_int8(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="x"),
            L.Embedding(20, 16),
            L.LSTM(64, return_sequences=True),
            L.Dense(20),
        ]
    )
    kernel = model.layers[1].cell.recurrent_kernel
    mask = np.kron(np.eye(4), np.ones((16, 16)))
    order = np.random.default_rng(0).permutation(64)
    mask = np.tile(mask[order][:, order], 4)
    kernel.assign(keras.ops.convert_to_numpy(kernel) * mask)
    report = export_tflite(
        model, tmp_path / "m.tflite", "int8", "tiled", streaming=True
    )
    assert "renumbered" in report.notes[0]
    x = np.random.default_rng(1).integers(0, 20, (1, 40)).astype("int32")
    np.testing.assert_allclose(
        np.concatenate(stream(tmp_path / "m.tflite", x), axis=1),
        model.predict(x, verbose=0),
        atol=0.02,
    )


def shared():
    x = keras.Input((None, 4))
    layer = L.SimpleRNN(4, return_sequences=True)
    return keras.Model(x, layer(layer(x)))


def two_inputs():
    a, b = keras.Input((None, 4)), keras.Input((None, 4))
    return keras.Model([a, b], L.LSTM(3)(a + b))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sequential(L.Bidirectional(L.GRU(3))), "read forwards"),
        (lambda: sequential(L.LSTM(3, go_backwards=True)), "read forwards"),
        (lambda: sequential(L.Dense(3)), "recurrent layers"),
        (shared, "used once"),
        (two_inputs, "one input"),
    ],
)
def test_what_cannot_stream_is_refused(make, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_tflite(make(), tmp_path / "m.tflite", streaming=True)
    assert not any(tmp_path.iterdir())
