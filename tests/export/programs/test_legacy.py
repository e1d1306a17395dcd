"""Models that TF-MOT has pruned and stripped."""

import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tf_keras
from ai_edge_litert.interpreter import Interpreter

from keras_moduli import ModuliRegularizer
from keras_moduli.export import export_saved_model
from keras_moduli.export import export_tflite


def pruned():
    tf_keras.utils.set_random_seed(4)
    model = tf_keras.Sequential(
        [
            tf_keras.layers.Input((6, 20), name="x"),
            tf_keras.layers.LSTM(
                48, recurrent_regularizer=ModuliRegularizer(seed=1)
            ),
            tf_keras.layers.Dense(32),
        ]
    )
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(
        model, tfmot.sparsity.keras.ConstantSparsity(0.9, 0, frequency=1)
    )
    wrapped.compile("adam", "mse")
    rng = np.random.default_rng(0)
    wrapped.fit(
        rng.normal(size=(8, 6, 20)),
        rng.normal(size=(8, 32)),
        epochs=2,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
        verbose=0,
    )
    return wrapped


@pytest.mark.slow
def test_a_stripped_model(tmp_path):
    wrapped = pruned()
    with pytest.raises(ValueError, match="must be stripped"):
        export_tflite(wrapped, tmp_path / "m.tflite")
    model = tfmot.sparsity.keras.strip_pruning(wrapped)
    report = export_tflite(model, tmp_path / "m.tflite", layout="sparse")
    assert max(report.sparsity.values()) == pytest.approx(0.9, abs=0.01)
    dense = export_tflite(model, tmp_path / "d.tflite", layout="dense")
    assert report.bytes < 0.6 * dense.bytes
    x = np.random.default_rng(1).normal(size=(1, 6, 20)).astype("float32")
    for name in ("m", "d"):
        runner = Interpreter(
            str(tmp_path / f"{name}.tflite")
        ).get_signature_runner("serving_default")
        ((_, answer),) = runner(x=x).items()
        np.testing.assert_allclose(
            answer, model.predict(x, verbose=0), atol=1e-5
        )


def test_what_does_not_work_is_refused(tmp_path):
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input((6, 2)), layers.GRU(3)])
    with pytest.raises(ValueError, match="needs a Keras 3 model"):
        export_tflite(model, tmp_path / "m.tflite", streaming=True)
    with pytest.raises(ValueError, match="of no use"):
        export_tflite(model, tmp_path / "m.tflite", layout="tiled")
    with pytest.raises(TypeError, match="must be a `keras.Model`"):
        export_saved_model(model, tmp_path / "m")
    stateful = tf_keras.Sequential(
        [layers.GRU(3, stateful=True, batch_input_shape=(1, 4, 2))]
    )
    with pytest.raises(ValueError, match="must not be stateful"):
        export_tflite(stateful, tmp_path / "m.tflite")
    assert not any(tmp_path.iterdir())
