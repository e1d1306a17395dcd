"""Dense nets of exactly the size asked for, found by pruning larger ones."""

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli import patterns

layers = keras.layers
X = np.random.default_rng(0).normal(size=(24, 5, 3)).astype("float32")


def stack(*recurrent):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((5, 3)), *recurrent, layers.Dense(2, name="out")]
    )


def deep():
    return stack(
        layers.LSTM(9, return_sequences=True, name="a"),
        layers.Dropout(0.1),
        layers.GRU(7, return_sequences=True, name="b"),
        layers.TimeDistributed(layers.Dense(4, activation="relu")),
        layers.SimpleRNN(6, name="c"),
    )


def both():
    return stack(
        layers.Bidirectional(layers.LSTM(8, return_sequences=True), name="a"),
        layers.Bidirectional(layers.GRU(6), name="b"),
    )


def branched():
    keras.utils.set_random_seed(0)
    x = keras.Input((5, 3))
    a = layers.LSTM(8, return_sequences=True, name="a")(x)
    b = layers.GRU(6, name="b")(a)
    c = layers.SimpleRNN(4, name="c")(layers.Dense(3, name="mid")(a))
    y = layers.Add()([layers.Dense(2)(b), layers.Dense(2)(c)])
    return keras.Model(x, y)


def nested():
    inner = keras.Sequential(
        [keras.Input((5, 3)), layers.GRU(8), layers.Dense(4)], name="inner"
    )
    return keras.Sequential([keras.Input((5, 3)), inner, layers.Dense(2)])


BUILDERS = {
    "simple_rnn": lambda: stack(layers.SimpleRNN(10, activation="relu")),
    "lstm": lambda: stack(layers.LSTM(10)),
    "gru": lambda: stack(layers.GRU(10)),
    "gru_reset_before": lambda: stack(layers.GRU(10, reset_after=False)),
    "deep": deep,
    "both": both,
    "branched": branched,
    "nested": nested,
}
LARGE = "deep", "both", "branched"


def prune(model, sparsity=0.6, epochs=2, **arguments):
    pruning = keras_moduli.MagnitudePruning(
        final_sparsity=sparsity,
        pattern=patterns.HiddenUnits(),
        begin=0.0,
        end=0.7,
        **arguments,
    )
    # A compiled step takes longer to make than these few take to run.
    model.compile("sgd", "mse", run_eagerly=True)
    y = X.mean(1)[:, :2]
    model.fit(X, y, batch_size=4, epochs=epochs, verbose=0, callbacks=[pruning])
    return pruning


def units(model):
    """The units of all recurrent layers, both directions, nested ones too."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += units(layer)
        for part in (
            getattr(layer, "forward_layer", layer),
            getattr(layer, "backward_layer", None),
        ):
            if isinstance(part, layers.RNN):
                found.append(part.units)
    return found


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(
            build,
            id=name,
            marks=pytest.mark.slow if name in LARGE else [],
        )
        for name, build in BUILDERS.items()
    ],
)
def test_the_small_net_has_as_many_units_as_asked_and_computes_the_same(build):
    model = build()
    before = units(model)
    pruning = prune(model)
    small = keras_moduli.shrink(model)
    assert units(small) == [round(n * 0.4) for n in before]
    assert pruning.sparsity == pytest.approx(0.6, abs=0.1)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), small.predict(X, verbose=0), atol=1e-6
    )
    # It is dense, as large as one that was built so.
    assert set(keras_moduli.sparsity(small).values()) == {0.0}


def test_layers_can_have_schedules_of_their_own():
    model = deep()
    groups = [
        keras_moduli.PruningGroup(
            weights=f"{name}/.*recurrent_kernel",
            final_sparsity=sparsity,
            pattern=patterns.HiddenUnits(),
        )
        for name, sparsity in {"b": 0.5, "a": 2 / 3}.items()
    ]
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(
        X, X[:, 0, :2], batch_size=4, epochs=2, verbose=0,
        callbacks=[keras_moduli.MagnitudePruning(groups=groups)],
    )  # fmt: skip
    # Python rounds 3.5 to the even number.
    assert units(keras_moduli.shrink(model)) == [3, 4, 6]


@pytest.mark.slow
def test_masks_outlive_a_file_and_a_training_that_is_taken_up(tmp_path):
    model = deep()
    prune(model, 0.5)
    masks = keras_moduli.masks_of(model)
    keras_moduli.save_masks(tmp_path / "masks.npz", model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    pruning = keras_moduli.MagnitudePruning(
        {
            "class_name": "ConstantSparsity",
            "config": dict(
                target_sparsity=0.5, begin_step=0, end_step=-1, frequency=1
            ),
        },
        pattern=patterns.HiddenUnits(),
    )
    loaded.fit(X, X[:, 0, :2], verbose=0, callbacks=[pruning])
    for again in (
        keras_moduli.masks_of(loaded),
        keras_moduli.load_masks(tmp_path / "masks.npz"),
    ):
        assert set(again) == set(masks)
        for path, mask in masks.items():
            np.testing.assert_array_equal(again[path], mask)
    assert pruning.sparsity == pytest.approx(0.5, abs=0.1)
    assert units(keras_moduli.shrink(loaded)) == [4, 4, 3]


def test_as_large_as_a_net_that_was_built_so():
    model = stack(layers.LSTM(12, name="a"))
    pruning = prune(model, 1 - 5 / 12)
    assert pruning.sparsity == pytest.approx(1 - 5 / 12)
    small, built = keras_moduli.shrink(model), stack(layers.LSTM(5, name="a"))
    assert [v.shape for v in small.weights] == [v.shape for v in built.weights]


@pytest.mark.slow
def test_a_training_that_is_broken_off_ends_as_one_that_is_not(tmp_path):
    def fit(model, first, last):
        pruning = keras_moduli.MagnitudePruning(
            {
                "class_name": "PolynomialDecay",
                "config": dict(
                    initial_sparsity=0.0, final_sparsity=0.6, power=1,
                    begin_step=0, end_step=10, frequency=2,
                ),
            },
            pattern=patterns.HiddenUnits(),
            allow_partial=True,
        )  # fmt: skip
        model.fit(
            X, X[:, 0, :2], batch_size=4, initial_epoch=first, epochs=last,
            shuffle=False, verbose=0, callbacks=[pruning],
        )  # fmt: skip
        return pruning

    whole, broken = (
        stack(layers.LSTM(9, return_sequences=True), layers.GRU(8))
        for _ in range(2)
    )
    broken.set_weights(whole.get_weights())
    for model in (whole, broken):
        model.compile("sgd", "mse", run_eagerly=True)
    fit(whole, 0, 2)
    assert 0 < fit(broken, 0, 1).sparsity < 0.5  # on its way
    broken.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    again.compile(again.optimizer, "mse", run_eagerly=True)
    fit(again, 1, 2)
    for one, other in zip(whole.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert units(keras_moduli.shrink(again)) == [4, 3]
