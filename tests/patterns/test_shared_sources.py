"""Groups of targets that share their sources."""

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli import patterns


@pytest.mark.parametrize(
    "layer,gates",
    [
        (keras.layers.LSTM(32), 4),
        (keras.layers.GRU(32), 3),
        (keras.layers.GRU(32, reset_after=False), 3),
        (keras.layers.SimpleRNN(32), 1),
    ],
    ids=["lstm", "gru", "gru_reset_before", "simple_rnn"],
)
def test_every_group_reads_as_many(layer, gates):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5, 32)), layer])
    model.compile("sgd", "mse")
    fan_ins = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for weight in model.weights:
                if "kernel" in weight.path:
                    kernel = keras.ops.convert_to_numpy(weight)
                    alive = kernel.reshape(-1, gates, 4, 8) != 0
                    whole = alive.all((1, 3))
                    assert (whole == alive.any((1, 3))).all()
                    fan_ins.append(set(whole.sum(0)))

    pruning = keras_moduli.MagnitudePruning(
        final_sparsity=0.75,
        weights="kernels",
        begin=0.2,
        end=0.8,
        pattern=patterns.SharedSources(8),
    )
    x = np.random.default_rng(0).normal(size=(40, 5, 32))
    model.fit(x, x[:, 0], batch_size=8, epochs=2, verbose=0,
              callbacks=[pruning, Watch()])  # fmt: skip
    assert all(len(found) == 1 for found in fan_ins)
    assert fan_ins[-1] == {8}
    assert pruning.sparsity == pytest.approx(0.75)


def test_a_size_that_does_not_fit_says_which_do():
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(32)])
    model.compile("sgd", "mse")
    pruning = keras_moduli.MagnitudePruning(
        final_sparsity=0.5, pattern=patterns.SharedSources(12)
    )
    with pytest.raises(ValueError, match=r"8, 16\] divide.*group_size=12"):
        model.fit(np.zeros((8, 5, 3)), np.zeros((8, 32)), callbacks=[pruning])


@pytest.mark.parametrize("size", [0, -1, 2.5, "8"])
def test_sizes_are_positive_integers(size):
    with pytest.raises((ValueError, TypeError), match="group_size"):
        patterns.SharedSources(size)
