"""Metrics of files, against those that Keras gives the model."""

import keras
import numpy as np
import pytest

import keras_moduli

RNG = np.random.default_rng(0)
X = RNG.normal(size=(37, 9, 5)).astype("float32")
Y = (X.mean((1, 2)) > 0).astype("int32")


def classifier():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None, 5)),
            keras.layers.LSTM(16),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["accuracy", "sparse_categorical_crossentropy"],
    )
    model.fit(X, Y, verbose=0)
    return model


def evaluated(model, x, y):
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    return {name: v for name, v in found.items() if name != "loss"}


@pytest.fixture(scope="module")
def model():
    return classifier()


# A last batch that is full, one that is not, and one example at a time.
@pytest.mark.parametrize("batch_size", [1, 8, 37])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_float_file_has_the_models_metrics(
    model, tmp_path, batch_size, streaming
):
    path = tmp_path / "model.tflite"
    keras_moduli.export_tflite(
        model,
        path,
        layout="dense",
        batch_size=batch_size,
        streaming=streaming,
    )
    ours = keras_moduli.evaluate_tflite(path, X, Y, model)
    assert ours == pytest.approx(evaluated(model, X, Y), rel=1e-5)


def test_a_wrong_file_has_other_metrics(model, tmp_path):
    path = tmp_path / "model.tflite"
    other = keras.models.clone_model(model)  # other weights, other names
    keras_moduli.export_tflite(other, path, layout="dense")
    ours = keras_moduli.evaluate_tflite(path, X, Y, model)
    expected = evaluated(model, X, Y)["sparse_categorical_crossentropy"]
    assert abs(ours["sparse_categorical_crossentropy"] - expected) > 1e-3


def test_several_inputs_and_outputs(tmp_path):
    keras.utils.set_random_seed(0)
    one, two = keras.Input((4, 3), name="b"), keras.Input((6,), name="a")
    state = keras.layers.Dense(8)(two)
    steps = keras.layers.GRU(8, return_sequences=True)(one, initial_state=state)
    outputs = {
        "steps": keras.layers.Dense(2, name="steps")(steps),
        "last": keras.layers.Dense(1, name="last")(state),
    }
    model = keras.Model({"b": one, "a": two}, outputs)
    model.compile("adam", "mse", metrics={"steps": ["mae"], "last": ["mse"]})
    x = {"b": RNG.normal(size=(5, 4, 3)), "a": RNG.normal(size=(5, 6))}
    y = {"steps": RNG.normal(size=(5, 4, 2)), "last": RNG.normal(size=(5, 1))}
    path = tmp_path / "model.tflite"
    keras_moduli.export_tflite(model, path, layout="dense", batch_size=2)
    ours = keras_moduli.evaluate_tflite(path, x, y, model)
    whole = evaluated(model, x, y)
    assert {"steps_mae", "last_mse"} <= set(ours)
    for name, value in ours.items():
        assert value == pytest.approx(whole[name], rel=1e-5)


def test_errors_say_what_is_wrong(model, tmp_path):
    path = tmp_path / "model.tflite"
    keras_moduli.export_tflite(model, path, layout="dense")
    other = keras.Sequential([keras.Input((None, 5)), *model.layers])
    with pytest.raises(ValueError, match="must be compiled.*Received"):
        keras_moduli.evaluate_tflite(path, X, Y, other)
    other.compile("adam", "mse")
    with pytest.raises(ValueError, match="`metrics`.*Received"):
        keras_moduli.evaluate_tflite(path, X, Y, other)
    inputs = [keras.Input((None, 5), name=name) for name in ("one", "two")]
    both = keras.layers.concatenate(inputs)
    two = keras.Model(inputs, keras.layers.LSTM(2)(both))
    two.compile("adam", "mse", metrics=["mae"])
    with pytest.raises(ValueError, match="must take.*'one', 'two'.*Received"):
        keras_moduli.evaluate_tflite(path, [X, X], Y, two)
