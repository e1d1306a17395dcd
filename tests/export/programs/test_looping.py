"""Loops over time: each file gives what Keras gives, however long they are."""

import keras
import numpy as np
import pytest
from running import RESOLVERS
from running import run

from keras_moduli.export import export_tflite
from keras_moduli.export import inspect
from keras_moduli.export.programs.looping import _piece

L = keras.layers
LAYERS = {
    "lstm": lambda **given: L.LSTM(8, **given),
    "gru": lambda **given: L.GRU(8, **given),
    "simple_rnn": lambda **given: L.SimpleRNN(8, **given),
    "backwards": lambda **given: L.LSTM(8, go_backwards=True, **given),
    "bidirectional": lambda **given: L.Bidirectional(L.GRU(8, **given)),
}


@pytest.mark.parametrize("count", [33, 37, 64, 100, 101, 997, 1000, 4096])
def test_pieces_leave_little_over(count):
    length = _piece(count)
    assert 0.5 * count**0.5 < length < 1.7 * count**0.5
    assert count % length < 0.2 * length


@pytest.mark.slow
@pytest.mark.parametrize("steps", [37, 100])
@pytest.mark.parametrize("all_outputs", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_files_give_what_keras_gives(kind, all_outputs, steps, tmp_path):
    layer = LAYERS[kind](return_sequences=all_outputs)
    model = keras.Sequential([keras.Input((steps, 3), name="x"), layer])
    x = np.random.default_rng(0).normal(size=(1, steps, 3)).astype("float32")
    export_tflite(model, tmp_path / "m.tflite")
    for resolver in RESOLVERS:
        (found,) = run(tmp_path / "m.tflite", resolver, x=x).values()
        np.testing.assert_allclose(
            found, model.predict(x, verbose=0), atol=1e-5
        )


@pytest.mark.slow
def test_states_and_stacked_layers(tmp_path):
    x = keras.Input((50, 3), name="x")
    first = L.LSTM(8, return_sequences=True, go_backwards=True)(x)
    outputs, *states = L.LSTM(4, return_sequences=True, return_state=True)(
        first
    )
    last = L.GRU(4)(outputs, initial_state=states[0])
    model = keras.Model(x, [outputs, *states, last])
    given = np.random.default_rng(0).normal(size=(1, 50, 3)).astype("float32")
    export_tflite(model, tmp_path / "m.tflite")
    found = run(tmp_path / "m.tflite", x=given)
    wanted = model.predict(given, verbose=0)
    for one, two in zip(
        sorted(found.values(), key=lambda a: (a.shape, a.ravel()[0])),
        sorted(wanted, key=lambda a: (a.shape, a.ravel()[0])),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.slow
def test_no_step_depends_on_how_many_there_are(tmp_path):
    """What made files slow: arrays of sizes that are known only at run time."""
    names = {}
    for steps in (20, 400):
        model = keras.Sequential(
            [keras.Input((steps, 3)), L.LSTM(8, return_sequences=True)]
        )
        export_tflite(model, tmp_path / "m.tflite")
        names[steps] = set(inspect(tmp_path / "m.tflite").operators)
        assert not names[steps] & {"SLICE", "CONCATENATION"}
    assert names[400] - names[20] <= {"FILL"}  # zeros that are not stored


@pytest.mark.slow
@pytest.mark.parametrize("all_outputs", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_masks_leave_steps_out(kind, all_outputs, tmp_path):
    given = {
        "return_sequences": all_outputs,
        "zero_output_for_mask": all_outputs == (kind in ("lstm", "backwards")),
    }
    x = keras.Input((37, 3), name="x")
    y = L.Masking()(x)
    # A state that is not zero before a first step that is left out.
    states = [L.Dense(8)(L.Flatten()(x)) for _ in range(_states(kind))]
    model = keras.Model(x, LAYERS[kind](**given)(y, initial_state=states))
    x = np.random.default_rng(0).normal(size=(1, 37, 3)).astype("float32")
    x[:, [0, 1, 7, 8, 35, 36]] = 0
    export_tflite(model, tmp_path / "m.tflite")
    assert "SLICE" not in inspect(tmp_path / "m.tflite").operators
    for resolver in RESOLVERS:
        (found,) = run(tmp_path / "m.tflite", resolver, x=x).values()
        np.testing.assert_allclose(
            found, model.predict(x, verbose=0), atol=1e-5
        )


def _states(kind):
    return 1 if kind in ("gru", "simple_rnn") else 2


def test_reports_tell_of_outputs_that_are_copied(tmp_path):
    """Of an open length a file has Keras's loop."""
    path = tmp_path / "m.tflite"
    outputs = L.GRU(4, return_sequences=True)
    model = keras.Sequential([keras.Input((None, 3)), outputs])
    (note,) = export_tflite(model, path).notes
    assert "at every step" in note
    assert note in inspect(path).warnings
    fixed = export_tflite(model, path, sequence_length=9)
    assert not fixed.notes and not inspect(path).warnings
    last = keras.Sequential([keras.Input((None, 3)), L.GRU(4)])
    assert not export_tflite(last, path).notes
