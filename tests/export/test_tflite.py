"""Exported files of common models, checked without the package's own code."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from running import RESOLVERS
from running import run
from running import runner_of

from keras_moduli.export import ExportError
from keras_moduli.export import export_saved_model
from keras_moduli.export import export_tflite

L = keras.layers


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(7)


def sequential(*layers, shape=(6, 5), **options):
    return keras.Sequential([keras.Input(shape, name="x", **options), *layers])


MODELS = {
    "simple_rnn": lambda: sequential(L.SimpleRNN(9), L.Dense(2)),
    "lstm": lambda: sequential(L.LSTM(9, return_sequences=True)),
    "gru": lambda: sequential(L.GRU(9), L.Dense(2, activation="softmax")),
    "gru_reset_before": lambda: sequential(L.GRU(9, reset_after=False)),
    "bidirectional": lambda: sequential(L.Bidirectional(L.LSTM(5))),
    "stacked_cells": lambda: sequential(
        L.RNN([L.LSTMCell(4), L.GRUCell(3), L.SimpleRNNCell(2)])
    ),
    "masking": lambda: sequential(L.Masking(), L.LSTM(7), L.Dense(2)),
    "nested": lambda: sequential(
        sequential(L.GRU(6, return_sequences=True)), L.LSTM(4)
    ),
    "backwards": lambda: sequential(L.SimpleRNN(6, go_backwards=True)),
}


SLOW = ("gru_reset_before", "stacked_cells", "backwards")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in MODELS
    ],
)
def test_tflite_gives_what_keras_gives(name, tmp_path):
    model = MODELS[name]()
    path = tmp_path / "model.tflite"
    report = export_tflite(model, path)
    x = np.random.default_rng(1).normal(size=(1, 6, 5)).astype("float32")
    wanted = model.predict(x, verbose=0)
    for resolver in RESOLVERS:
        got = run(path, resolver, x=x)["output_0"]
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert not [name for name in report.operators if "Flex" in name]
    assert report.bytes == path.stat().st_size


def test_open_length_takes_any_length(tmp_path):
    model = sequential(L.LSTM(8), L.Dense(3), shape=(None, 5))
    export_tflite(model, tmp_path / "m.tflite")
    for length in (1, 4, 31):
        x = np.random.default_rng(2).normal(size=(1, length, 5))
        x = x.astype("float32")
        np.testing.assert_allclose(
            run(tmp_path / "m.tflite", x=x)["output_0"],
            model.predict(x, verbose=0),
            atol=1e-5,
        )


def test_stateful_file_keeps_its_state_and_starts_at_zero(tmp_path):
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(2, 4, 3), name="x"),
            L.LSTM(6, stateful=True),
        ]
    )
    x = np.random.default_rng(3).normal(size=(3, 2, 4, 3)).astype("float32")
    model(x[0])  # the model is somewhere in the middle of a sequence
    before = [
        keras.ops.convert_to_numpy(state) for state in model.layers[0].states
    ]
    export_tflite(model, tmp_path / "m.tflite", batch_size=2)
    export_saved_model(model, tmp_path / "saved")
    for state, value in zip(model.layers[0].states, before, strict=True):
        np.testing.assert_array_equal(state, value)
    model.layers[0].reset_state()
    wanted = [np.array(model(batch)) for batch in x]
    runner = runner_of(tmp_path / "m.tflite")
    loaded = tf.saved_model.load(tmp_path / "saved")
    for batch, answer in zip(x, wanted, strict=True):
        np.testing.assert_allclose(
            runner(x=batch)["output_0"], answer, atol=1e-5
        )
        np.testing.assert_allclose(loaded.serve(batch), answer, atol=1e-5)


def test_whole_numbers_stay_inside_the_embedding(tmp_path):
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    number = keras.Input((2,), name="number")
    y = L.LSTM(6)(L.Embedding(11, 4, mask_zero=True)(tokens))
    y = L.Concatenate()([y, number])
    model = keras.Model(
        {"tokens": tokens, "number": number},
        {"class": L.Dense(3)(y), "value": L.Dense(1)(y)},
    )
    export_tflite(model, tmp_path / "m.tflite", sequence_length=5)
    x = {
        "tokens": np.array([[10, 3, 0, 0, 0]], "int32"),
        "number": np.array([[0.5, -2]], "float32"),
    }
    wanted = model.predict(x, verbose=0)
    got = run(tmp_path / "m.tflite", **x)
    for name in ("class", "value"):
        np.testing.assert_allclose(got[name], wanted[name], atol=1e-5)


def test_saved_model_serves_with_tensorflow_alone(tmp_path):
    model = MODELS["masking"]()
    model.compile("adam", "mse")
    x = np.random.default_rng(4).normal(size=(3, 6, 5)).astype("float32")
    model.fit(x, np.zeros((3, 2)), verbose=0)
    export_saved_model(model, tmp_path / "saved")
    wanted = model.predict(x, verbose=0)
    loaded = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.serve(x), wanted, atol=1e-6)
    answer = loaded.signatures["serving_default"](x=tf.constant(x))
    np.testing.assert_allclose(answer["output_0"], wanted, atol=1e-6)
    layer = L.TFSMLayer(tmp_path / "saved")
    np.testing.assert_allclose(layer(x), wanted, atol=1e-6)


def test_saved_model_leaves_out_what_inference_does_not_read(tmp_path):
    class WithPoints(keras.layers.Layer):
        def build(self, shape):
            self.points = self.add_weight(
                shape=(500, 2), name="moduli_embedding"
            )

        def call(self, x):
            return x

    model = sequential(WithPoints(), L.LSTM(4))
    model.compile("adam", "mse")
    export_saved_model(model, tmp_path / "saved")
    names = tf.train.list_variables(tmp_path / "saved/variables/variables")
    assert [500, 2] not in [list(shape) for _, shape in names]
    assert len(tf.saved_model.load(tmp_path / "saved").variables_used) == 3


def test_quantized_files_are_smaller(tmp_path):
    model = sequential(L.LSTM(64), L.Dense(8))
    sizes = [
        export_tflite(model, tmp_path / "m.tflite", quantization).bytes
        for quantization in ("int8", "float16", None)
    ]
    assert sizes[0] < 0.45 * sizes[2]
    assert sizes[1] < 0.65 * sizes[2]


def test_a_difference_beyond_the_tolerance_leaves_the_old_file(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_text("old")
    with pytest.raises(ExportError, match="does not give what"):
        export_tflite(sequential(L.LSTM(64)), path, "int8", tolerance=1e-9)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.tflite"]


def model_with(value):
    model = sequential(L.LSTM(4))
    model.layers[0].cell.recurrent_kernel.assign(np.full((4, 16), value))
    return model


def quantized(mode):
    model = sequential(L.LSTM(4), L.Dense(3))
    model.quantize(mode)
    return model


@pytest.mark.parametrize(
    "model, arguments, message",
    [
        (MODELS["lstm"], {"path": "m.onnx"}, "must end with '.tflite'"),
        (MODELS["lstm"], {"path": "no/m.tflite"}, "must exist"),
        (MODELS["lstm"], {"quantization": "int4"}, "one of"),
        (MODELS["lstm"], {"batch_size": 0}, "positive integer"),
        (MODELS["lstm"], {"tolerance": -1}, "positive finite"),
        (lambda: keras.Sequential([L.LSTM(3)]), {}, "not built"),
        (lambda: model_with(np.nan), {}, "finite"),
        (lambda: model_with(-np.inf), {}, "finite"),
        (lambda: quantized("int8"), {}, "before `quantize`"),
        (lambda: quantized("float8"), {}, "before `quantize`"),
        (MODELS["lstm"], {"layout": "packed"}, "one of"),
        (MODELS["lstm"], {"optimize_for": "beauty"}, "one of"),
    ],
)
def test_bad_input_is_refused(model, arguments, message, tmp_path):
    arguments = {"path": "m.tflite", **arguments}
    arguments["path"] = tmp_path / arguments["path"]
    with pytest.raises(ValueError, match=message):
        export_tflite(model(), **arguments)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options, message",
    [
        ({"sequence_length": 9}, "`sequence_length` must be 8"),
        ({"inputs": np.full((2, 8, 3), np.nan)}, "must be finite"),
        ({"inputs": "a path"}, "must be an array of float32"),
        ({"inputs": [["x"]]}, "`inputs`"),
        ({"inputs": np.full((2, 8, 3), 1j)}, "array of float32"),
        ({"inputs": np.full((2, 8, 3), "1")}, "must be an array of float32"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True, "both"])
def test_inputs_that_contradict_the_model_are_named(
    tmp_path, options, message, streaming
):
    model = sequential(L.GRU(4), shape=(8, 3))
    with pytest.raises(ValueError, match=f"(?s){message}.*Received"):
        export_tflite(
            model, tmp_path / "m.tflite", streaming=streaming, **options
        )
    assert not any(tmp_path.iterdir())


def test_a_length_that_is_fixed_can_be_said(tmp_path):
    model = sequential(L.GRU(4), shape=(8, 3))
    export_tflite(
        model, tmp_path / "m.tflite", layout="dense", sequence_length=8
    )


@pytest.mark.parametrize("quantization", [None, "full_int8"])
def test_examples_of_another_length_are_named(tmp_path, quantization):
    model = sequential(L.GRU(4), shape=(None, 3))
    with pytest.raises(ValueError, match="long as `sequence_length` says, 9"):
        export_tflite(
            model,
            tmp_path / "m.tflite",
            quantization,
            sequence_length=9,
            inputs=np.zeros((4, 8, 3), "float32"),
        )
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "tokens, message",
    [(1.5, "array of int32.*float64"), (11, r"11 is not in \[0, 11\)")],
)
@pytest.mark.parametrize("targets", [None, np.zeros((4, 2))])
def test_tokens_that_are_none_are_named(
    tmp_path, streaming, tokens, message, targets
):
    model = sequential(
        L.Embedding(11, 4), L.GRU(4), L.Dense(2), shape=(None,), dtype="int32"
    )
    with pytest.raises(ValueError, match=f"`inputs`.*{message}"):
        export_tflite(
            model,
            tmp_path / "m.tflite",
            streaming=streaming,
            inputs=np.full((4, 6), tokens),
            targets=targets,
            metrics=None if targets is None else ["mae"],
        )
    assert not any(tmp_path.iterdir())
