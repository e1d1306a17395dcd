"""Recurrent language models."""

from __future__ import annotations

from typing import Any

import keras

from keras_moduli.tasks.language.perplexity import BitsPerCharacter
from keras_moduli.tasks.language.perplexity import Perplexity
from keras_moduli.tasks.language.recipes import RECIPES

CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}
# Level: (what its metric is called in a table, the metric).
METRICS = {
    "character": ("bits per character", BitsPerCharacter),
    "word": ("perplexity", Perplexity),
}


def model(
    vocabulary_size: int,
    units: int = 256,
    cell: str = "lstm",
    steps: int = 1200,
    learning_rate: float | None = None,
    recurrent_regularizer: Any = None,
    *,
    level: str = "character",
    embedding: int = 64,
    layers: int = 1,
    recipe: str = "adam",
    batch_size: int | None = None,
    kernel_l1: float = 0.0,
) -> keras.Model:
    """A compiled embedding, recurrent layers and decoder.

    Args:
        vocabulary_size: How many codes there are.
        units: Recurrent units of each layer.
        cell: `"simple_rnn"`, `"lstm"` or `"gru"`.
        steps: Optimizer steps of the whole training, over which the recipe
            "adam" lets the learning rate fall to a tenth.
        learning_rate: At the first step; `None` for the recipe's own.
        recurrent_regularizer: For the recurrent kernels. Layers above the
            first get copies with seeds of their own, if it has a seed.
        level: `"character"` for the metric bits per character, `"word"` for
            perplexity.
        embedding: Size of the embedding.
        layers: How many recurrent layers.
        recipe: `"adam"` (clipped, cosine decay) or `"sgd"` (the paper's: rate
            20, clipped at 0.25, its initial weights); see `recipes`.
        batch_size: For stateful layers, which carry their state from batch to
            batch; `None` for layers that do not.
        kernel_l1: Factor of the mean absolute weight of every other kernel.

    Returns:
        A `keras.Model` from codes `(batch, time)` to logits `(batch, time,
        vocabulary_size)`.

    Example:

    >>> keras_moduli.tasks.language.model(50, units=16).output_shape
    (None, None, 50)
    """
    way = RECIPES[recipe]
    initial = way.initializers(units)
    codes = keras.Input(
        batch_shape=(batch_size, None), dtype="int32", name="codes"
    )
    # An embedding is cheaper than one-hot vectors, here and on a phone.
    x = keras.layers.Embedding(
        vocabulary_size,
        embedding,
        embeddings_regularizer=_mean_l1(kernel_l1, vocabulary_size * embedding),
        name="embedding",
        **initial["embedding"],
    )(codes)
    for index in range(layers):
        gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[cell]
        x = CELLS[cell](
            units,
            return_sequences=True,
            stateful=batch_size is not None,
            kernel_regularizer=_mean_l1(kernel_l1, x.shape[-1] * units * gates),
            recurrent_regularizer=_for_layer(recurrent_regularizer, index),
            name=cell if index == 0 else f"{cell}_{index + 1}",
            **initial["rnn"],
        )(x)
    logits = keras.layers.Dense(
        vocabulary_size,
        kernel_regularizer=_mean_l1(kernel_l1, units * vocabulary_size),
        name="decoder",
        **initial["decoder"],
    )(x)
    network = keras.Model(codes, logits, name="language")
    network.compile(
        optimizer=way.optimizer(learning_rate or way.learning_rate, steps),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            METRICS[level][1](),
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        ],
    )
    return network


def _mean_l1(factor, size):
    """L1 of the mean, not of the sum, or `None`."""
    return keras.regularizers.L1(factor / size) if factor else None


def _for_layer(regularizer, index):
    """Another regularizer for every layer: its points are that layer's."""
    config = regularizer.get_config() if regularizer and index else {}
    if config.get("seed") is None:
        return regularizer
    # An arbitrary stride, so that layers and runs never share a seed.
    config["seed"] += 1_000_003 * index
    return type(regularizer).from_config(config)
