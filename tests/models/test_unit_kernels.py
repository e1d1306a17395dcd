"""Layers whose units cannot be pruned as wholes say why, before training."""

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli import patterns
from keras_moduli.models.kernels import select
from keras_moduli.models.unit_kernels import unit_kernels

layers = keras.layers


def found(model, weights="recurrent"):
    return unit_kernels(model, select(model, weights))


def sequential(*stack):
    return keras.Sequential([keras.Input((5, 3)), *stack])


def read_twice():
    x = keras.Input((5, 3))
    rnn = layers.LSTM(4, name="rnn")
    return keras.Model(x, layers.Dense(1)(layers.Add()([rnn(x), rnn(x)])))


def with_states():
    x = keras.Input((5, 3))
    y, *states = layers.LSTM(4, return_state=True, name="rnn")(x)
    return keras.Model(x, layers.Dense(1)(y))


def frozen():
    model = sequential(layers.LSTM(4, name="rnn"), layers.Dense(1, name="out"))
    model.get_layer("out").trainable = False
    return model


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.rnn = layers.LSTM(4, name="rnn")

    def call(self, x):
        return self.rnn(x)


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 5, 3)))
    return model


REFUSED = {
    "output": (
        lambda: sequential(layers.LSTM(4, name="rnn")),
        "leads to an output of its model, in 'rnn'",
    ),
    "normalised": (
        lambda: sequential(
            layers.GRU(4, return_sequences=True, name="rnn"),
            layers.LayerNormalization(name="norm"),
            layers.Dense(1),
        ),
        "is read by 'norm'",
    ),
    "flattened": (
        lambda: sequential(
            layers.GRU(4, return_sequences=True, name="rnn"),
            layers.Flatten(name="flat"),
            layers.Dense(1),
        ),
        "is read by 'flat'",
    ),
    "softmax": (
        lambda: sequential(
            layers.SimpleRNN(4, activation="softmax", name="rnn"),
            layers.Dense(1),
        ),
        "ties units together",
    ),
    "states": (with_states, "returns its states"),
    "twice": (read_twice, "called more than once"),
    "frozen": (frozen, "needs 'out' to be trainable"),
    "cells": (
        lambda: sequential(
            layers.RNN(layers.LSTMCell(4), name="rnn"), layers.Dense(1)
        ),
        "must select recurrent kernels of these",
    ),
    "summed": (
        lambda: sequential(
            layers.Bidirectional(layers.GRU(4), merge_mode="sum", name="rnn"),
            layers.Dense(1),
        ),
        "a Bidirectional that concatenates",
    ),
    "subclassed": (subclassed, "Sequential and functional models only"),
}


@pytest.mark.parametrize("build,reason", REFUSED.values(), ids=REFUSED)
def test_an_error_says_why_and_names_the_layer(build, reason):
    with pytest.raises(ValueError, match=reason) as error:
        found(build())
    assert "rnn" in str(error.value) or "Subclassed" in str(error.value)


def test_the_error_comes_at_the_beginning_of_fit():
    model = sequential(layers.LSTM(4, name="rnn"))
    model.compile("sgd", "mse")
    pruning = keras_moduli.MagnitudePruning(
        final_sparsity=0.5, pattern=patterns.HiddenUnits()
    )
    before = [v.numpy() for v in model.weights]
    with pytest.raises(ValueError, match="'rnn/lstm_cell/recurrent_kernel'"):
        model.fit(np.zeros((8, 5, 3)), np.zeros((8, 4)), callbacks=[pruning])
    for variable, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_directions_go_together():
    model = sequential(
        layers.Bidirectional(layers.LSTM(4), name="rnn"), layers.Dense(1)
    )
    with pytest.raises(ValueError, match=r"as many units as 'backward_lstm"):
        found(model, "forward.*recurrent_kernel")


def test_only_recurrent_kernels_name_layers():
    model = sequential(layers.LSTM(4, name="rnn"), layers.Dense(1))
    with pytest.raises(ValueError, match="Received: 'rnn/lstm_cell/kernel'"):
        found(model, "kernels")


def test_readers_lie_behind_dropout_and_beside_each_other():
    x = keras.Input((5, 3))
    a = layers.Bidirectional(layers.GRU(4, name="gru"), name="a")(x)
    b = layers.Dense(2, name="b")(layers.Dropout(0.5)(a))
    c = layers.Dense(2, name="c")(a)
    kernels = found(keras.Model(x, [b, c]))
    for first, direction in ((0, "forward"), (4, "backward")):
        start = f"a/{direction}_gru/gru_cell/"
        own = [start + "kernel", start + "recurrent_kernel"]
        it = kernels[own[1]]
        assert it.units == 4
        assert it.own == own
        assert sorted(it.readers) == [("b/kernel", first), ("c/kernel", first)]
