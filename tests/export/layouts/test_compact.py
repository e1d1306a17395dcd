"""Compact SavedModels: small folders that load without keras_moduli."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_moduli.export import export_saved_model

L = keras.layers


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(5)


def pruned(sparsity, *layers, shape=(5, 24), **options):
    model = keras.Sequential([keras.Input(shape, name="x", **options), *layers])
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        if len(weight.shape) == 2:
            mask = rng.random(weight.shape) >= sparsity
            weight.assign(keras.ops.convert_to_numpy(weight) * mask)
    return model


def sample(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def test_it_is_small_and_loads_like_any_saved_model(tmp_path):
    model = pruned(0.9, L.LSTM(192), L.Dense(40))
    dense = export_saved_model(model, tmp_path / "dense", "dense")
    compact = export_saved_model(model, tmp_path / "compact")
    assert (dense.layout, compact.layout) == ("dense", "compact")
    assert compact.bytes < dense.bytes / 3
    x = sample(3, 5, 24)
    wanted = model.predict(x, verbose=0)
    loaded = tf.saved_model.load(tmp_path / "compact")
    np.testing.assert_allclose(loaded.serve(x), wanted, atol=1e-6)
    signature = loaded.signatures["serving_default"]
    np.testing.assert_allclose(
        signature(x=tf.constant(x))["output_0"], wanted, atol=1e-6
    )
    layer = L.TFSMLayer(tmp_path / "compact")
    np.testing.assert_allclose(layer(x), wanted, atol=1e-6)


def test_it_runs_in_a_session_as_a_server_runs_it(tmp_path):
    model = pruned(0.95, L.GRU(64))
    export_saved_model(model, tmp_path / "saved", "compact")
    x = sample(2, 5, 24)
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        meta = v1.saved_model.load(session, ["serve"], str(tmp_path / "saved"))
        signature = meta.signature_def["serving_default"]
        answer = session.run(
            signature.outputs["output_0"].name, {signature.inputs["x"].name: x}
        )
    np.testing.assert_allclose(answer, model.predict(x, verbose=0), atol=1e-6)


@pytest.mark.slow
def test_two_models_of_one_name_do_not_mix(tmp_path):
    x = sample(2, 5, 24)
    models = [pruned(0.9, L.SimpleRNN(64, name="rnn")) for _ in range(2)]
    for index, model in enumerate(models):
        export_saved_model(model, tmp_path / str(index), "compact")
    loaded = [tf.saved_model.load(tmp_path / str(i)) for i in range(2)]
    for model, module in zip(models, loaded, strict=True):
        np.testing.assert_allclose(
            module.serve(x), model.predict(x, verbose=0), atol=1e-6
        )


def test_state_and_mixed_precision(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = keras.Sequential(
            [
                keras.Input(batch_shape=(2, 3, 24), name="x"),
                L.LSTM(64, stateful=True),
            ]
        )
    finally:
        keras.config.set_dtype_policy("float32")
    kernel = model.layers[0].cell.recurrent_kernel
    kernel.assign(
        kernel * (np.random.default_rng(0).random(kernel.shape) > 0.9)
    )
    export_saved_model(model, tmp_path / "saved", "compact")
    loaded = tf.saved_model.load(tmp_path / "saved")
    for x in sample(3, 2, 3, 24):
        np.testing.assert_allclose(loaded.serve(x), model(x), atol=2e-3)


def test_a_model_without_zeros(tmp_path):
    model = pruned(0.0, L.LSTM(32))
    assert export_saved_model(model, tmp_path / "a").layout == "dense"
    with pytest.raises(ValueError, match="of no use for this model"):
        export_saved_model(model, tmp_path / "b", "compact")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
