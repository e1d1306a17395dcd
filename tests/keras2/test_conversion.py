"""tf_keras models and their Keras 3 twins."""

import keras
import numpy as np
import pytest
import tf_keras

import keras_moduli
from keras_moduli.keras2 import to_keras3

layers = tf_keras.layers


def randomised(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            # Positive where a variance stands.
            np.abs(v) if "variance" in w.name else v
            for w in model.weights
            for v in [rng.normal(size=w.shape).astype("float32") * 0.5]
        ]
    )
    return model


def sequential():
    return tf_keras.Sequential(
        [
            layers.Input((5, 3), name="x"),
            layers.Masking(),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(3, activation="relu")),
            layers.Bidirectional(
                layers.GRU(4, return_sequences=True), merge_mode="sum"
            ),
            layers.LayerNormalization(),
            layers.SimpleRNN(4, return_sequences=True, use_bias=False),
            layers.LeakyReLU(alpha=0.2),
            layers.GRU(4, reset_after=False),
            layers.Dropout(0.1),
            layers.BatchNormalization(),
            layers.Dense(2, activation="softmax", name="y"),
        ],
        name="chain",
    )


def language():
    return tf_keras.Sequential(
        [
            layers.Embedding(11, 4, mask_zero=True, input_length=6),
            layers.LSTM(4, return_sequences=True, activation="relu"),
            layers.RNN([layers.GRUCell(3), layers.LSTMCell(4)]),
            layers.RepeatVector(2),
            layers.Flatten(),
            layers.Dense(11),
        ]
    )


def unbuilt_input():
    model = tf_keras.Sequential([layers.GRU(3), layers.Dense(1)])
    model.build((None, 4, 2))
    return model


def functional():
    x = tf_keras.Input((5, 3), name="x")
    y = tf_keras.Input((5, 3), name="y")
    inner = tf_keras.Sequential(
        [layers.Input((5, 3)), layers.LSTM(4, name="deep")], name="inner"
    )
    z = tf_keras.Input((4,))
    net = tf_keras.Model(z, layers.Dense(3, name="hidden")(z), name="net")
    dense = layers.Dense(4, name="shared")
    encoded, h, c = layers.LSTM(4, return_state=True, name="encoder")(x)
    decoded = layers.LSTM(4, return_sequences=True, name="decoder")(
        y, initial_state=[h, c]
    )
    attended = layers.MultiHeadAttention(2, 3, name="attention")(
        decoded, value=decoded, training=False
    )
    both = layers.Add()([dense(inner(x)), dense(inner(y))])
    last = layers.GRU(4, name="last")(attended, initial_state=both)
    joined = layers.Concatenate()([last, net(last), net(encoded)])
    return tf_keras.Model(
        {"x": x, "y": y}, {"out": layers.Dense(1)(joined), "c": c}
    )


def mixed_precision():
    return tf_keras.Sequential(
        [
            layers.Input((5, 3)),
            layers.LSTM(4, dtype="mixed_bfloat16"),
            layers.Dense(1, dtype="float32"),
        ]
    )


def stateful():
    return tf_keras.Sequential(
        [
            layers.Input(batch_shape=(3, None, 2)),
            layers.GRU(4, stateful=True),
            layers.Dense(1),
        ]
    )


MODELS = (
    sequential,
    language,
    unbuilt_input,
    pytest.param(functional, marks=pytest.mark.slow),
    mixed_precision,
    stateful,
)


@pytest.mark.parametrize("build", MODELS)
def test_twins_compute_the_same(build):
    model = randomised(build())
    twin = to_keras3(model)
    assert isinstance(twin, keras.Model)
    # By `predict`, on other inputs than those the conversion compares.
    rng = np.random.default_rng(5)
    shapes = model.input_shape
    if build is functional:
        x = {name: rng.normal(size=(6, 5, 3)) for name in ("x", "y")}
    elif build is language:
        x = rng.integers(0, 11, size=(6, 6))
    else:
        x = rng.normal(size=(6, *[n or 5 for n in shapes[1:]]))
    batch = 3 if build is stateful else 6
    one = tf_keras_outputs(model.predict(x, batch, verbose=0))
    other = tf_keras_outputs(twin.predict(x, batch, verbose=0))
    tolerance = 0.05 if build is mixed_precision else 1e-5
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)
    assert [layer.name for layer in twin.layers] == [
        layer.name for layer in model.layers if is_layer(layer, twin)
    ]


def tf_keras_outputs(structure):
    return keras.tree.flatten(structure)


def is_layer(layer, twin):
    """Keras 3 does not list the input of a Sequential model."""
    return not (
        isinstance(twin, keras.Sequential)
        and isinstance(layer, layers.InputLayer)
    )


def test_regularizer_and_policy_are_carried_over():
    torus = keras_moduli.ModuliRegularizer("torus", factor=0.5, seed=7)
    model = tf_keras.Sequential(
        [
            layers.LSTM(
                4,
                input_shape=(5, 3),
                recurrent_regularizer=torus,
                kernel_regularizer=tf_keras.regularizers.L2(0.25),
                recurrent_constraint=tf_keras.constraints.MaxNorm(2.0),
                dtype=tf_keras.mixed_precision.Policy("mixed_float16"),
                name="lstm",
            ),
        ]
    )
    layer = to_keras3(model).get_layer("lstm")
    assert isinstance(
        layer.recurrent_regularizer, keras_moduli.ModuliRegularizer
    )
    np.testing.assert_array_equal(
        layer.recurrent_regularizer.embedding(4), torus.embedding(4)
    )
    assert float(layer.kernel_regularizer.l2) == 0.25
    assert layer.recurrent_constraint.max_value == 2.0
    assert layer.dtype_policy.name == "mixed_float16"
    np.testing.assert_allclose(
        float(sum(model.losses)),
        float(sum(layer.losses)),
        rtol=1e-5,
    )


def lambda_layer():
    x = tf_keras.Input((3,))
    return tf_keras.Model(x, layers.Lambda(lambda t: t + 1, name="bad")(x))


def operation():
    x = tf_keras.Input((3,))
    return tf_keras.Model(x, layers.Dense(2)(x) + 1.0)


def time_major():
    return tf_keras.Sequential(
        [layers.Input((5, 3)), layers.LSTM(4, time_major=True, name="bad")]
    )


def gone():
    return tf_keras.Sequential(
        [layers.Input((5, 3)), layers.LocallyConnected1D(2, 3, name="bad")]
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda_layer, "'bad' of class Lambda"),
        (operation, "TensorFlow operation"),
        (time_major, "'bad' of class LSTM has time_major=True"),
        (gone, "'bad' of class LocallyConnected1D"),
    ],
)
def test_what_cannot_be_converted_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        to_keras3(build())


def test_a_layer_that_computes_another_thing_is_found():
    @tf_keras.saving.register_keras_serializable("test_conversion")
    class Double(layers.Layer):
        def call(self, x):
            return 2 * x

    @keras.saving.register_keras_serializable("test_conversion", "Double")
    class Triple(keras.layers.Layer):
        def call(self, x):
            return 3 * x

    model = tf_keras.Sequential([layers.Input((3,)), Double()])
    with pytest.raises(ValueError, match="differs in Keras 3"):
        to_keras3(model)


def test_bad_input():
    with pytest.raises(TypeError, match="must be a tf_keras model"):
        to_keras3(keras.Sequential())
    with pytest.raises(ValueError, match="must be built"):
        to_keras3(tf_keras.Sequential([layers.LSTM(3)]))

    class Mine(tf_keras.Model):
        def call(self, x):
            return x

    mine = Mine()
    mine.build((None, 3))
    with pytest.raises(ValueError, match="Sequential or functional"):
        to_keras3(mine)
