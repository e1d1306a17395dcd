"""Files for microcontrollers, run on TFLite Micro's own interpreter."""

import re
import shutil
import subprocess

import keras
import numpy as np
import pytest
from tflite_micro.python.tflite_micro import runtime

import keras_moduli
from keras_moduli import export

STEPS = 100
RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, STEPS, 10)).astype("float32")
CELLS = [keras.layers.GRU, keras.layers.LSTM, keras.layers.SimpleRNN]


def spotter(cell=keras.layers.GRU, units=32):
    """Features of sound in, the probabilities of words out."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None, 10)),
            cell(units, return_sequences=True),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )


def streamed(path, sequence):
    """What TFLite Micro answers, with nothing of ours between.

    Inputs and outputs are told apart by their shapes, states by their order.
    """
    interpreter = runtime.Interpreter.from_file(str(path))
    _, data, states, outputs = export_places(path)
    values = {place: np.zeros(shape, "float32") for place, shape in states}
    answers = []
    for step in sequence:
        interpreter.set_input(step[None, None], data)
        for place, value in values.items():
            interpreter.set_input(value, place)
        interpreter.invoke()
        answers.append(interpreter.get_output(outputs["output_0"])[0, 0].copy())
        for index, (place, _) in enumerate(states):
            values[place] = interpreter.get_output(
                outputs[f"state_{index}"]
            ).copy()
    return np.stack(answers)


def export_places(path):
    """Where in the file's lists data and states stand, from its signature."""
    from ai_edge_litert.interpreter import Interpreter

    lite = Interpreter(str(path))
    runner = lite.get_signature_runner()
    order_in = [d["index"] for d in lite.get_input_details()]
    order_out = [d["index"] for d in lite.get_output_details()]
    details = runner.get_input_details()
    inputs = {n: order_in.index(d["index"]) for n, d in details.items()}
    outputs = {
        n: order_out.index(d["index"])
        for n, d in runner.get_output_details().items()
    }
    states = sorted(name for name in inputs if name.startswith("state_"))
    (data,) = [n for n in inputs if n not in states]
    shapes = [(inputs[n], tuple(details[n]["shape"])) for n in states]
    return lite, inputs[data], shapes, outputs


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "quantization, atol", [(None, 1e-5), ("full_int8", 0.1)]
)
def test_a_hundred_steps_are_kerass(tmp_path, cell, quantization, atol):
    model = spotter(cell)
    path = tmp_path / "model.tflite"
    report = keras_moduli.export_tflite(
        model, path, quantization, streaming=True, runtime="micro", inputs=X
    )
    expected = model.predict(X[:1], verbose=0)[0]
    np.testing.assert_allclose(streamed(path, X[0]), expected, atol=atol)
    assert 1000 < report.arena_bytes < 30_000
    assert export.inspect(path).micro_warnings == []


def test_sparse_layers_run_there(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 10))
    states = keras_moduli.layers.SparseGRU(
        128, fan_in=32, group_size=32, return_sequences=True
    )(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4)(states))
    path = tmp_path / "model.tflite"
    report = keras_moduli.export_tflite(
        model, path, layout="gathered", streaming=True, runtime="micro"
    )
    assert report.layout == "gathered"
    expected = model.predict(X[:1], verbose=0)[0]
    np.testing.assert_allclose(streamed(path, X[0]), expected, atol=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "streaming=True"),
        ({"streaming": "both"}, "streaming=True"),
        ({"streaming": True, "quantization": "int8"}, "full_int8"),
        ({"streaming": True, "quantization": "float16"}, "full_int8"),
        ({"streaming": True, "layout": "sparse"}, "dense, gathered, tiled"),
        ({"runtime": "tflm"}, "`runtime` must be"),
    ],
)
def test_what_it_computes_wrongly_is_refused(tmp_path, options, message):
    path = tmp_path / "model.tflite"
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        keras_moduli.export_tflite(
            spotter(), path, **{"runtime": "micro", **options}
        )
    assert not path.exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layout": "dense"}, "WHILE"),
        ({"streaming": True, "layout": "sparse"}, "sparse tensors"),
        (
            {"streaming": True, "quantization": "int8", "layout": "dense"},
            "int8 weights",
        ),
    ],
)
def test_inspect_tells_what_it_gets_wrong(tmp_path, options, message):
    model = spotter(units=64)
    kernel = model.layers[0].cell.recurrent_kernel
    kernel.assign(np.where(RNG.random(kernel.shape) < 0.05, kernel, 0))
    path = tmp_path / "model.tflite"
    keras_moduli.export_tflite(model, path, **options)
    inspection = export.inspect(path)
    assert any(message in text for text in inspection.micro_warnings)
    assert "on TFLite Micro: " in str(inspection)


def test_the_c_array_holds_the_file(tmp_path):
    path, header = tmp_path / "model.tflite", tmp_path / "model.h"
    content = bytes(range(256)) * 3
    path.write_bytes(content)
    export.write_c_array(path, header, name="spotter")
    text = header.read_text()
    found = bytes(int(b, 16) for b in re.findall(r"0x([0-9a-f]{2})", text))
    assert found == content
    assert f"spotter_length = {len(content)};" in text
    compiler = shutil.which("cc")
    if compiler:
        source = tmp_path / "main.c"
        source.write_text(
            '#include "model.h"\nint main(void) {\n'
            "  return !(sizeof(spotter) == spotter_length && "
            "spotter[255] == 255);\n}\n"
        )
        program = tmp_path / "main"
        subprocess.run([compiler, source, "-o", program], check=True)
        subprocess.run([program], check=True)


@pytest.mark.parametrize("target, name", [("m.txt", "m"), ("m.h", "1m")])
def test_a_c_array_that_cannot_be_is_refused(tmp_path, target, name):
    with pytest.raises(ValueError, match="Received"):
        export.write_c_array(tmp_path / "m", tmp_path / target, name)
