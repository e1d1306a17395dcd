"""Models with sparse layers become files as the pruned ones do."""

import keras
import numpy as np
import pytest
from running import run
from running import runner_of

from keras_moduli import layers
from keras_moduli.export import export_saved_model
from keras_moduli.export import export_tflite


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 20), name="x"),
            layers.SparseLSTM(128, group_size=8, return_sequences=True, seed=1),
            layers.SparseGRU(96, fan_in=0.25, seed=2),
            keras.layers.Dense(3),
        ]
    )


@pytest.fixture(scope="module")
def data(model):
    x = np.random.default_rng(0).normal(size=(1, 6, 20)).astype("float32")
    return x, model.predict(x, verbose=0)


@pytest.mark.parametrize(
    "layout",
    ["gathered", "dense", pytest.param("auto", marks=pytest.mark.slow)],
)
def test_a_file_computes_what_the_model_does(layout, model, data, tmp_path):
    x, wanted = data
    path = tmp_path / "m.tflite"
    report = export_tflite(model, path, layout=layout)
    np.testing.assert_allclose(run(path, x=x)["output_0"], wanted, atol=2e-5)
    if layout == "gathered":
        dense = export_tflite(model, tmp_path / "d.tflite", layout="dense")
        assert report.bytes < 0.6 * dense.bytes
        assert sum("sources each" in note for note in report.notes) == 2


def test_sparse_input_kernels_are_gathered_too(tmp_path):
    keras.utils.set_random_seed(0)
    arguments = {"group_size": 16, "fan_in": 0.25, "kernel_fan_in": 10}
    model = keras.Sequential(
        [
            keras.Input((6, 40), name="x"),
            layers.SparseGRU(64, seed=1, **arguments),
        ]
    )
    x = np.random.default_rng(0).normal(size=(1, 6, 40)).astype("float32")
    wanted = model.predict(x, verbose=0)
    path = tmp_path / "m.tflite"
    report = export_tflite(model, path, layout="gathered", streaming=True)
    assert sum("read 10 sources each" in note for note in report.notes) == 1
    assert sum("read 16 sources each" in note for note in report.notes) == 1
    runner, state = runner_of(path), {}
    for key, detail in runner.get_input_details().items():
        if key.startswith("state_"):
            state[key] = np.zeros(detail["shape"], "float32")
    for step in range(6):
        found = runner(x=x[:, step : step + 1], **state)
        state = {key: found[key] for key in state}
    np.testing.assert_allclose(found["output_0"], wanted, atol=2e-5)


def test_a_saved_model_holds_the_surviving_weights(model, data, tmp_path):
    import tensorflow as tf

    x, wanted = data
    export_saved_model(model, tmp_path / "saved")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    found = loaded.serve(tf.constant(x)).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


class Subclassed(keras.Model):
    """A model whose layers cannot be replaced by plain ones."""

    def __init__(self):
        super().__init__()
        self.recurrent = layers.SparseGRU(64, fan_in=0.25, seed=0)

    def call(self, inputs):
        return self.recurrent(inputs)


def test_subclassed_models_are_written_as_they_compute(tmp_path):
    x = np.random.default_rng(0).normal(size=(1, 6, 20)).astype("float32")
    model = Subclassed()
    wanted = model(x).numpy()
    export_tflite(model, tmp_path / "m.tflite", layout="dense", inputs=x)
    runner = runner_of(tmp_path / "m.tflite")
    (name,) = runner.get_input_details()
    found = runner(**{name: x})["output_0"]
    np.testing.assert_allclose(found, wanted, atol=2e-5)
