"""The regularizer on layers of tf_keras, and under TF-MOT's pruning."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("tf_keras is TensorFlow's", allow_module_level=True)

tf_keras = pytest.importorskip("tf_keras")
tfmot = pytest.importorskip("tensorflow_model_optimization")

from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer  # noqa: E402


def model_of(layer):
    recurrent = getattr(tf_keras.layers, layer)(
        6, recurrent_regularizer=ModuliRegularizer("klein_bottle")
    )
    model = tf_keras.Sequential(
        [tf_keras.Input((4, 3)), recurrent, tf_keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


def data():
    x = np.random.default_rng(0).standard_normal((8, 4, 3)).astype("float32")
    return x, x[:, :1, 0]


def losses(model):
    return [float(loss) for loss in model.losses]


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
def test_value(layer):
    model = model_of(layer)
    kernel = model.layers[0].get_weights()[1]
    regularizer = model.layers[0].cell.recurrent_regularizer
    penalty = keras.ops.convert_to_numpy(regularizer.penalty(6))
    expected = 0.1 * np.mean(
        np.abs(kernel.reshape(6, -1, 6)) * penalty[:, None]
    )
    np.testing.assert_allclose(losses(model), [expected], rtol=1e-5)


@pytest.mark.parametrize(
    "file",
    [
        "m.keras",
        "m.h5",
        "json",
        pytest.param("saved_model", marks=pytest.mark.slow),
    ],
)
def test_round_trips(file, tmp_path):
    model = model_of("LSTM")
    if file == "json":
        loaded = tf_keras.models.model_from_json(model.to_json())
        loaded.set_weights(model.get_weights())
    else:
        model.save(tmp_path / file)
        loaded = tf_keras.models.load_model(tmp_path / file)
    assert losses(loaded) == losses(model)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
def test_pruning_with_tfmot(layer, tmp_path):
    pruned = tfmot.sparsity.keras.prune_low_magnitude(
        model_of(layer),
        pruning_schedule=tfmot.sparsity.keras.ConstantSparsity(
            0.5, 0, frequency=1
        ),
    )
    pruned.compile("sgd", "mse")
    pruned.fit(
        *data(),
        epochs=2,
        verbose=0,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
    )
    stripped = tfmot.sparsity.keras.strip_pruning(pruned)
    assert np.mean(stripped.get_weights()[1] == 0) == 0.5
    assert losses(stripped) == losses(pruned)
    stripped.save(tmp_path / "stripped.keras")
    loaded = tf_keras.models.load_model(tmp_path / "stripped.keras")
    assert losses(loaded) == losses(stripped)
    np.testing.assert_array_equal(
        loaded.predict(data()[0], verbose=0),
        stripped.predict(data()[0], verbose=0),
    )


def test_trained_points_are_refused():
    layer = tf_keras.layers.LSTM(
        6, recurrent_regularizer=ModuliRegularizer(trainable=True)
    )
    with pytest.raises(ValueError, match="layers of Keras 3"):
        _ = tf_keras.Sequential([tf_keras.Input((4, 3)), layer]).losses
