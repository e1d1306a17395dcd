"""`ModuliRegularizer` on the recurrent layers of Keras."""

import copy

import keras
import numpy as np
import pytest

from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer

LAYERS = {
    "SimpleRNN": lambda r: keras.layers.SimpleRNN(
        8, recurrent_regularizer=r(), name="r"
    ),
    "LSTM": lambda r: keras.layers.LSTM(8, recurrent_regularizer=r(), name="r"),
    "GRU": lambda r: keras.layers.GRU(8, recurrent_regularizer=r(), name="r"),
    "RNN": lambda r: keras.layers.RNN(
        keras.layers.GRUCell(8, recurrent_regularizer=r()), name="r"
    ),
    "stacked": lambda r: keras.layers.RNN(
        [
            keras.layers.LSTMCell(8, recurrent_regularizer=r()),
            keras.layers.SimpleRNNCell(5, recurrent_regularizer=r()),
        ],
        name="r",
    ),
    "Bidirectional": lambda r: keras.layers.Bidirectional(
        keras.layers.LSTM(8, recurrent_regularizer=r()), name="r"
    ),
}


def model_of(layer, make=ModuliRegularizer):
    model = keras.Sequential(
        [keras.Input((5, 3)), LAYERS[layer](make), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse", jit_compile=False)
    return model


def data():
    generator = np.random.default_rng(0)
    return (
        generator.standard_normal((16, 5, 3)).astype("float32"),
        generator.standard_normal((16, 1)).astype("float32"),
    )


def numpy_value(regularizer, kernel):
    """The formula, in plain loops and float64."""
    kernel = np.asarray(kernel, "float64")
    units = len(kernel)
    gates = kernel.shape[1] // units
    penalty = np.asarray(regularizer.penalty(units), "float64")
    total = sum(
        (
            penalty
            * np.abs(kernel[:, g * units : (g + 1) * units])
            ** regularizer.power
        ).sum()
        for g in range(gates)
    )
    return regularizer.factor * total / kernel.size


@pytest.mark.parametrize("gates", [1, 3, 4])
@pytest.mark.parametrize("power", [1, 2])
def test_value_is_the_formula(gates, power):
    regularizer = ModuliRegularizer("torus", factor=0.3, power=power, seed=1)
    kernel = np.random.default_rng(gates).standard_normal((24, gates * 24))
    np.testing.assert_allclose(
        float(regularizer(kernel.astype("float32"))),
        numpy_value(regularizer, kernel.astype("float32")),
        rtol=1e-6,
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_train_and_come_back(layer, tmp_path):
    model = model_of(layer)
    model.fit(*data(), verbose=0)
    losses = [float(loss) for loss in model.losses]
    assert losses and all(loss > 0 for loss in losses)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert [float(loss) for loss in loaded.losses] == losses
    cloned = keras.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    assert [float(loss) for loss in cloned.losses] == losses


def test_copies_give_the_same_penalty():
    regularizer = ModuliRegularizer("klein_bottle", factor=0.2)
    expected = np.asarray(regularizer.penalty(9))
    for other in (
        copy.deepcopy(regularizer),
        ModuliRegularizer.from_config(regularizer.get_config()),
        keras.regularizers.deserialize(
            keras.regularizers.serialize(regularizer)
        ),
    ):
        np.testing.assert_array_equal(np.asarray(other.penalty(9)), expected)
        assert other.get_config() == regularizer.get_config()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"space": "mug"}, "klein_bottle"),
        ({"inhibitor": "mug"}, "difference_of_gaussians"),
        ({"factor": -1.0}, "factor"),
        ({"factor": float("nan")}, "factor"),
        ({"power": 3}, "power"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ModuliRegularizer(**arguments)


@pytest.mark.parametrize("shape", [(8,), (8, 12), (3, 3, 4, 16)])
def test_bad_kernels(shape):
    with pytest.raises(ValueError, match="kernel"):
        ModuliRegularizer()(np.zeros(shape, "float32"))
