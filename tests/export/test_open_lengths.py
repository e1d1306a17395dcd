"""Files that take sequences of any length, called again and again."""

import keras
import numpy as np
import pytest
from running import runner_of

from keras_moduli.export import export_tflite
from keras_moduli.export import inspect
from keras_moduli.export.flatbuffers import flatbuffer

L = keras.layers
RNG = np.random.default_rng(0)
MODELS = {
    # With each, one interpreter in three answered wrongly once.
    "GRU": lambda: [L.GRU(8, return_sequences=True), L.Dense(2)],
    "LSTM": lambda: [L.LSTM(6, return_sequences=True), L.Dense(3)],
    "both ways": lambda: [
        L.Bidirectional(L.GRU(4, return_sequences=True)),
        L.Dense(3),
    ],
    "two": lambda: [
        L.GRU(6, return_sequences=True),
        L.LSTM(5, return_sequences=True),
        L.Dense(3),
    ],
    "dense": lambda: [L.Dense(6), L.Dense(5), L.SimpleRNN(4), L.Dense(3)],
}


def model_of(layers):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((None, 4), name="x"), *layers])


@pytest.mark.parametrize("name", MODELS)
def test_every_call_of_every_interpreter_is_right(tmp_path, name):
    """Where buffers lie in memory is chance: it takes many of them."""
    model = model_of(MODELS[name]())
    path = tmp_path / "m.tflite"
    export_tflite(model, path, layout="dense")
    for steps in (3, 6, 8, 13, 20):
        batches = RNG.normal(size=(3, 1, steps, 4)).astype("float32")
        expected = [np.array(model(batch)) for batch in batches]
        found = []
        for _ in range(20):
            runner = runner_of(path)
            found += [runner(x=batch)["output_0"] for batch in batches]
        for answer, wanted in zip(found, 20 * expected, strict=True):
            np.testing.assert_allclose(answer, wanted, atol=1e-5)


def blocks(model):
    """Whole tiles of zeros, which every layout makes use of."""
    for weight in model.trainable_weights:
        rows, columns = weight.shape if len(weight.shape) == 2 else (0, 0)
        if rows >= 64:
            alive = np.kron(np.eye(rows // 16), np.ones((16, 16)))
            weight.assign(weight * np.tile(alive, columns // rows))
    return model


@pytest.mark.parametrize("layout", ["dense", "sparse", "tiled", "gathered"])
@pytest.mark.parametrize(
    "quantization", [None, pytest.param("int8", marks=pytest.mark.slow)]
)
def test_no_shape_is_computed_before_a_loop(tmp_path, layout, quantization):
    layers = [
        L.Dense(64),
        L.GRU(64, return_sequences=True),
        L.Dense(64),
        L.LSTM(64, return_sequences=True),
        L.Dense(64),
    ]
    model = blocks(model_of(layers))
    path = tmp_path / "m.tflite"
    export_tflite(model, path, quantization, layout)
    assert not any("computed" in text for text in inspect(path).warnings)
    file = flatbuffer.read(path.read_bytes())
    (whole, *_) = file.subgraphs
    shapes = [
        whole.tensors[operator.inputs[1]]
        for operator in whole.operators
        if flatbuffer.name_of(file, operator) == "RESHAPE"
    ]
    assert shapes
    assert all(flatbuffer.data_of(file, shape) for shape in shapes)
