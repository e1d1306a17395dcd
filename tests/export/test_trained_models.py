"""Trained models, of which exports refuse none and give what Keras gives."""

import functools
import warnings

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli.tasks.language import dataset

STEPS = 60
CELLS = [keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN]
TEXT = "the cat sat on the mat, and the dog did not. she said no; he left. "
SYMBOLS = sorted(set(TEXT))


def codes():
    """A text without end of sentences in any order."""
    rng = np.random.default_rng(0)
    parts = TEXT.split(" ")
    words = " ".join(parts[i] for i in rng.integers(len(parts), size=4000))
    return np.array([SYMBOLS.index(c) for c in words], "int32")


@functools.cache
def trained(cell, units, pruned):
    """A model, and texts that it was not trained on."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(len(SYMBOLS), 16),
            cell(units, return_sequences=True),
            keras.layers.Dense(len(SYMBOLS)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    text = codes()
    pruning = keras_moduli.MagnitudePruning(
        final_sparsity=0.8, block_size=(4, 1)
    )
    history = model.fit(
        dataset(text[:-2000], 16, 16),
        steps_per_epoch=STEPS,
        callbacks=[pruning] if pruned else [],
        shuffle=False,  # as batches come
        verbose=0,
    )
    assert history.history["loss"][-1] < 0.9 * np.log(len(SYMBOLS))
    held_out = text[-2000:][: 24 * 17].reshape(24, 17)
    return model, held_out[:, :-1], held_out[:, 1:]


# Which quantization, how many units, whether it streams.
FILES = [
    (None, 16, False),
    (None, 48, True),
    (None, 128, False),
    ("float16", 16, True),
    ("float16", 48, False),
    ("float16", 128, True),
    ("int8", 16, False),
    ("int8", 48, True),
    ("int8", 128, False),
    ("full_int8", 16, False),
    ("full_int8", 48, True),
    ("full_int8", 128, True),
]
# Every other one is of a dense model, the rest are of pruned ones; with the
# next cell it is the other way round.
CASES = [
    (cell, pruned, *file)
    for number, cell in enumerate(CELLS)
    for pruned in (False, True)
    for file in FILES[(number + pruned) % 2 :: 2]
]


@pytest.mark.slow
@pytest.mark.parametrize("cell, pruned, quantization, units, streaming", CASES)
def test_no_trained_model_is_refused(
    tmp_path, cell, pruned, quantization, units, streaming
):
    model, x, y = trained(cell, units, pruned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coarse ones may be
        report = keras_moduli.export_tflite(
            model,
            tmp_path / "model.tflite",
            quantization,
            layout="sparse" if pruned and not quantization else "dense",
            streaming=streaming,
            sequence_length=16,
            inputs=x,
            targets=y,
        )
    # A twentieth of the characters is more than roundings turn.
    true = model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"]
    assert report.file_metrics["accuracy"] == pytest.approx(true, abs=0.05)
    if pruned:
        (share,) = [v for k, v in report.sparsity.items() if "recurrent" in k]
        assert share == pytest.approx(0.8, abs=0.01)
