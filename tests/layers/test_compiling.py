"""Converted models go on training where they were."""

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli import layers
from keras_moduli.models.kernels import kernels

RNG = np.random.default_rng(0)
X = RNG.standard_normal((8, 5, 3)).astype("float32")
Y = RNG.standard_normal((8, 32)).astype("float32")
KERNELS = "kernel", "recurrent_kernel"
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5),
}

INPUTS = {"dense inputs": {}, "kernel_fan_in": {"kernel_fan_in": 2}}


def trained(optimizer, **inputs):
    keras.utils.set_random_seed(0)
    arguments = {"fan_in": 12, "group_size": 8, "seed": 0}
    arguments |= inputs
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.SparseGRU(32, return_sequences=True, **arguments),
            layers.SparseLSTM(32, **arguments),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    step(model, 3)
    return model


def step(model, count=1):
    model.fit(X, Y, batch_size=8, epochs=count, shuffle=False, verbose=0)


def masks(sparse, plain):
    places = [(layer, n) for layer in sparse.layers for n in KERNELS]
    pairs = zip(kernels(plain), places, strict=True)
    return {path: layers.mask(*place) for path, place in pairs}


@pytest.mark.slow
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_next_steps_are_those_of_the_masked_plain_model(name, inputs):
    sparse = trained(OPTIMIZERS[name](), **INPUTS[inputs])
    plain = layers.to_plain(sparse)
    alive = masks(sparse, plain)
    keras_moduli.apply_masks(plain, alive)
    step(sparse)
    step(plain)
    np.testing.assert_allclose(plain(X), sparse(X), atol=2e-5)
    again = layers.to_sparse(plain, alive)
    assert int(again.optimizer.iterations) == 4
    assert again.count_params() == sparse.count_params()
    step(again)
    step(plain)
    np.testing.assert_allclose(again(X), plain(X), atol=2e-5)


def test_states_of_other_shapes_are_named():
    model = trained(keras.optimizers.Adafactor())
    with pytest.raises(ValueError, match="moments=False.*adafactor"):
        layers.to_plain(model)
    plain = layers.to_plain(model, moments=False)
    assert int(plain.optimizer.iterations) == 0
