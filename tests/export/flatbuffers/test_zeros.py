"""Loops begin with zeros that no file stores."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import keras_moduli
from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.flatbuffers import zeros

STEPS, UNITS = 40, 32


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What the converter gave, before and after."""
    seen = []

    def fill(content):
        seen.extend([content, real(content)])
        return seen[-1]

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((STEPS, 8)),
            keras.layers.GRU(UNITS, return_sequences=True),
            keras.layers.SimpleRNN(UNITS),
        ]
    )
    real, path = zeros.fill, tmp_path_factory.mktemp("file") / "m.tflite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zeros, "fill", fill)
        keras_moduli.export_tflite(model, path, layout="dense")
    return seen


def zero_values(content):
    """How many values the constants have that are nothing but zeros."""
    model = flatbuffer.read(content)
    arrays = [
        flatbuffer.constant(model, tensor)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.sparsity is None
    ]
    return sum(a.size for a in arrays if a is not None and not a.any())


def test_no_array_of_zeros_is_left(stored):
    before, after = stored
    # The first layer's outputs; small states and biases may stay.
    assert zero_values(before) >= STEPS * UNITS
    assert zero_values(after) < 256
    assert len(before) - len(after) > 0.9 * 4 * STEPS * UNITS


def test_the_file_gives_the_same_to_a_bit(stored):
    x = np.random.default_rng(0).normal(size=(1, STEPS, 8)).astype("float32")
    answers = []
    for content in stored:
        interpreter = Interpreter(model_content=content)
        run = interpreter.get_signature_runner()
        (name,) = run.get_input_details()
        answers += run(**{name: x}).values()
    np.testing.assert_array_equal(*answers)


def test_a_file_without_loops_stays_as_it_is(stored):
    _, after = stored
    assert zeros.fill(after) == after
