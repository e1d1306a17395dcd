"""TF-MOT's own road: regularize, prune, strip, and go over to Keras 3."""

import keras
import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tf_keras

import keras_moduli
from keras_moduli.keras2 import prune_recurrent
from keras_moduli.keras2 import to_keras3

layers = tf_keras.layers
sparsity = tfmot.sparsity.keras
X = np.random.default_rng(0).normal(size=(64, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]


def schedule():
    # Ends at a multiple of the frequency, as TF-MOT needs it to.
    return sparsity.PolynomialDecay(
        0.0, 0.75, begin_step=2, end_step=12, frequency=2
    )


def torus():
    return keras_moduli.ModuliRegularizer("torus", factor=0.1, seed=0)


def fit(model, epochs=1):
    model.compile("sgd", "mse")
    model.fit(
        X, Y, batch_size=4, epochs=epochs, verbose=0,
        callbacks=[sparsity.UpdatePruningStep()],
    )  # fmt: skip


def zeros(weight):
    return float(np.mean(weight.numpy() == 0))


def shares(model):
    """The fraction of zeros of every kernel, by name."""
    return {
        w.name: zeros(w)
        for w in model.trainable_weights
        if "bias" not in w.name
    }


def stacked():
    nested = tf_keras.Sequential(
        [
            layers.Input((5, 8)),
            layers.SimpleRNN(
                8, return_sequences=True, recurrent_regularizer=torus()
            ),
        ],
        name="nested",
    )
    return tf_keras.Sequential(
        [
            layers.Input((5, 3)),
            layers.LSTM(
                8, return_sequences=True, recurrent_regularizer=torus()
            ),
            nested,
            layers.Bidirectional(
                layers.GRU(8, return_sequences=True),
            ),
            layers.RNN([layers.LSTMCell(4), layers.GRUCell(4)]),
            layers.Dense(1),
        ]
    )


def functional():
    x = layers.Input((5, 3))
    masked = layers.Masking()(x)
    a = layers.LSTM(8, recurrent_regularizer=torus())(masked)
    b = layers.Bidirectional(layers.LSTM(4))(masked)
    return tf_keras.Model(x, layers.Dense(1)(layers.Concatenate()([a, b])))


@pytest.mark.slow
@pytest.mark.parametrize("build", [stacked, functional])
def test_only_recurrent_kernels_are_pruned(build):
    tf_keras.utils.set_random_seed(0)
    pruned = prune_recurrent(build(), pruning_schedule=schedule())
    fit(pruned)
    stripped = sparsity.strip_pruning(pruned)
    found = shares(stripped)
    recurrent = {n: z for n, z in found.items() if "recurrent_kernel" in n}
    assert len(recurrent) == {stacked: 6, functional: 3}[build]
    assert set(recurrent.values()) == {0.75}
    assert all(z == 0 for n, z in found.items() if n not in recurrent)
    np.testing.assert_array_equal(
        stripped.predict(X, verbose=0), pruned.predict(X, verbose=0)
    )
    # And on in Keras 3, with what it offers.
    twin = to_keras3(stripped)
    np.testing.assert_allclose(
        twin.predict(X, verbose=0), stripped.predict(X, verbose=0), atol=1e-5
    )
    found = keras_moduli.sparsity(twin)
    assert {
        z for path, z in found.items() if path.endswith("recurrent_kernel")
    } == {0.75}


@pytest.mark.slow
def test_the_twin_is_exported(tmp_path):
    tf_keras.utils.set_random_seed(0)
    model = tf_keras.Sequential(
        [
            layers.LSTM(8, input_shape=(5, 3), recurrent_regularizer=torus()),
            layers.Dense(1),
        ]
    )
    pruned = prune_recurrent(model, pruning_schedule=schedule())
    fit(pruned)
    twin = to_keras3(sparsity.strip_pruning(pruned))
    regularizer = twin.layers[0].recurrent_regularizer
    assert isinstance(regularizer, keras_moduli.ModuliRegularizer)
    report = keras_moduli.export_tflite(twin, tmp_path / "model.tflite")
    assert report.relative_difference < 1e-4
    (path,) = [p for p in report.sparsity if "recurrent" in p]
    assert report.sparsity[path] == 0.75


@pytest.mark.slow
def test_layers_are_wrapped_one_by_one():
    layer = prune_recurrent(
        layers.GRU(8),
        pruning_schedule=sparsity.ConstantSparsity(0.5, 0, frequency=1),
    )
    model = tf_keras.Sequential([layers.Input((5, 3)), layer, layers.Dense(1)])
    fit(model)
    found = shares(sparsity.strip_pruning(model))
    assert sorted(found.values()) == [0.0, 0.0, 0.5]


@pytest.mark.slow
def test_pruning_goes_on_from_saved_weights(tmp_path):
    def build():
        tf_keras.utils.set_random_seed(0)
        model = tf_keras.Sequential([layers.Input((5, 3)), layers.GRU(8)])
        return prune_recurrent(model, pruning_schedule=schedule())

    first = build()
    fit(first)
    first.save_weights(tmp_path / "checkpoint.weights.h5")
    second = build()
    second.load_weights(tmp_path / "checkpoint.weights.h5")
    for one, other in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    fit(second)
    found = shares(sparsity.strip_pruning(second))
    assert {z for n, z in found.items() if "recurrent_kernel" in n} == {0.75}


def test_bad_input():
    constant = sparsity.ConstantSparsity(0.5, 0)
    with pytest.raises(TypeError, match="MagnitudePruning"):
        prune_recurrent(
            keras.Sequential([keras.layers.LSTM(3)]), pruning_schedule=constant
        )
    with pytest.raises(ValueError, match="without any"):
        prune_recurrent(layers.Dense(3), pruning_schedule=constant)
    wrapped = prune_recurrent(
        tf_keras.Sequential([layers.Input((5, 3)), layers.LSTM(3)]),
        pruning_schedule=constant,
    )
    with pytest.raises(ValueError, match="strip_pruning"):
        to_keras3(wrapped)


# What TF-MOT itself does, so that a change there is noticed.


@pytest.mark.slow
def test_tfmot_prunes_input_kernels_along():
    model = tf_keras.Sequential(
        [layers.LSTM(8, input_shape=(5, 3)), layers.Dense(1)]
    )
    pruned = sparsity.prune_low_magnitude(model, pruning_schedule=schedule())
    fit(pruned)
    found = shares(sparsity.strip_pruning(pruned))
    assert list(found.values()) == [0.75] * 3


def test_tfmot_refuses_bidirectional_and_keras_3():
    with pytest.raises(ValueError, match="supported layer"):
        sparsity.prune_low_magnitude(layers.Bidirectional(layers.LSTM(3)))
    with pytest.raises(ValueError, match="can only prune an object"):
        sparsity.prune_low_magnitude(
            keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(3)])
        )


@pytest.mark.slow
def test_tfmot_misses_its_final_sparsity():
    model = tf_keras.Sequential(
        [layers.LSTM(8, input_shape=(5, 3)), layers.Dense(1)]
    )
    late = sparsity.PolynomialDecay(
        0.0, 0.75, begin_step=0, end_step=15, frequency=10
    )
    pruned = prune_recurrent(model, pruning_schedule=late)
    fit(pruned, epochs=2)  # 32 steps
    found = shares(sparsity.strip_pruning(pruned))
    (reached,) = [z for n, z in found.items() if "recurrent_kernel" in n]
    assert 0.5 < reached < 0.75


@pytest.mark.slow
def test_tfmot_lets_pruned_weights_grow_between_updates():
    model = tf_keras.Sequential(
        [layers.LSTM(8, input_shape=(5, 3)), layers.Dense(1)]
    )
    pruned = prune_recurrent(
        model, pruning_schedule=sparsity.ConstantSparsity(0.75, 0, frequency=4)
    )
    (weight,) = [
        w for w in pruned.trainable_weights if "recurrent_kernel" in w.name
    ]
    seen = []

    class Look(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(zeros(weight))

    pruned.compile("sgd", "mse")
    pruned.fit(
        X, Y, batch_size=4, verbose=0,
        callbacks=[sparsity.UpdatePruningStep(), Look()],
    )  # fmt: skip
    assert max(seen) < 0.1
    assert zeros(weight) == 0.75  # only at the end of the epoch


def test_tfmot_wraps_layers_and_adds_weights():
    model = tf_keras.Sequential(
        [layers.LSTM(8, input_shape=(5, 3), name="lstm"), layers.Dense(1)]
    )
    pruned = sparsity.prune_low_magnitude(
        model, pruning_schedule=sparsity.ConstantSparsity(0.5, 0)
    )
    names = [layer.name for layer in pruned.layers]
    assert names[0] == "prune_low_magnitude_lstm"
    masks = [w for w in pruned.non_trainable_weights if "mask" in w.name]
    assert [w.dtype for w in masks] == ["float32"] * 3


def test_tfmot_cannot_write_h5_of_a_recurrent_layer(tmp_path):
    model = sparsity.prune_low_magnitude(
        tf_keras.Sequential([layers.GRU(8, input_shape=(5, 3))]),
        pruning_schedule=sparsity.ConstantSparsity(0.5, 0),
    )
    with pytest.raises(ValueError, match="name already exists"):
        model.save(tmp_path / "model.h5")


def test_tfmot_forgets_n_of_m():
    layer = sparsity.prune_low_magnitude(
        layers.Dense(8, input_shape=(8,)),
        pruning_schedule=sparsity.ConstantSparsity(0.5, 0),
        sparsity_m_by_n=(2, 4),
    )
    assert "sparsity_m_by_n" not in layer.get_config()
