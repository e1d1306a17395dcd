"""Files for microcontrollers, run on TFLite Micro's own interpreter."""

import itertools
import re
import shutil
import subprocess

import keras
import numpy as np
import pytest
from play import answer
from runtimes import micro

import keras_moduli
from keras_moduli import export
from keras_moduli.export import ExportError

layers = keras.layers
STEPS = 100
RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, STEPS, 10)).astype("float32")
CELLS = {c.__name__: c for c in (layers.GRU, layers.LSTM, layers.SimpleRNN)}
ATOL = {None: 1e-5, "full_int8": 0.1}


def spotter(cell=layers.GRU, units=32, activation="tanh"):
    """Features of sound in, the probabilities of words out."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None, 10), name="x"),
            cell(units, activation=activation, return_sequences=True),
            layers.Dense(4, activation="softmax"),
        ]
    )


def check_steps(model, path, atol):
    """A hundred steps of a file on TFLite Micro, beside Keras's answers."""
    found = answer(*micro(path), X[:1])
    expected = model.predict(X[:1], verbose=0)
    np.testing.assert_allclose(found, expected, atol=atol)


# In the quick suite: each cell, and each quantization, once.
QUICK = ("LSTM", None), ("GRU", "full_int8"), ("SimpleRNN", None)


@pytest.mark.parametrize(
    "cell, quantization",
    [
        pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
        for case in itertools.product(CELLS, ATOL)
    ],
)
def test_a_hundred_steps_are_kerass(tmp_path, cell, quantization):
    model = spotter(CELLS[cell])
    path = tmp_path / "model.tflite"
    report = keras_moduli.export_tflite(
        model, path, quantization, streaming=True, runtime="micro", inputs=X
    )
    check_steps(model, path, ATOL[quantization])
    assert 1000 < report.arena_bytes < 30_000
    assert export.inspect(path).micro_warnings == []


def test_what_is_selected_runs_there(tmp_path):
    model = spotter(activation="selu")
    path = tmp_path / "model.tflite"
    keras_moduli.export_tflite(model, path, streaming=True, runtime="micro")
    assert "SELECT_V2" in export.inspect(path).operators
    check_steps(model, path, 1e-5)


@pytest.mark.parametrize(
    "activation, quantization, operator",
    [("gelu", None, "GELU"), ("exponential", "full_int8", "EXP")],
)
def test_what_it_lacks_is_named(tmp_path, activation, quantization, operator):
    with pytest.raises(ExportError, match=f"no {operator} for.* would work"):
        keras_moduli.export_tflite(
            spotter(activation=activation),
            tmp_path / "model.tflite",
            quantization,
            streaming=True,
            runtime="micro",
            inputs=0.1 * X,
        )
    assert not list(tmp_path.iterdir())


def test_sparse_layers_run_there(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 10), name="x")
    states = keras_moduli.layers.SparseGRU(
        128, fan_in=32, group_size=32, return_sequences=True
    )(inputs)
    model = keras.Model(inputs, layers.Dense(4)(states))
    path = tmp_path / "model.tflite"
    report = keras_moduli.export_tflite(
        model, path, layout="gathered", streaming=True, runtime="micro"
    )
    assert report.layout == "gathered"
    check_steps(model, path, 1e-5)


@pytest.mark.parametrize("renumbered", [False, True])
def test_tiles_run_there(tmp_path, renumbered):
    model = spotter(units=64)
    kernel = model.layers[0].cell.recurrent_kernel
    order = RNG.permutation(64) if renumbered else np.arange(64)
    alive = np.kron(np.eye(4)[[1, 3, 0, 2]], np.ones((16, 16)))
    kernel.assign(kernel * np.tile(alive[order][:, order], 3))
    path = tmp_path / "model.tflite"
    report = keras_moduli.export_tflite(
        model, path, layout="tiled", streaming=True, runtime="micro"
    )
    assert renumbered == ("units renumbered" in report.notes[0])
    check_steps(model, path, 1e-5)


@pytest.fixture(scope="module")
def reader():
    """Symbols in, what comes next out."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="x"),
            layers.Embedding(
                24, 16, keras.initializers.RandomNormal(stddev=1.0, seed=0)
            ),
            layers.GRU(32, return_sequences=True),
            layers.Dense(24),
        ]
    )


@pytest.mark.parametrize(
    "quantization, atol", [(None, 1e-5), ("full_int8", 0.1)]
)
def test_symbols_are_read_there(tmp_path, reader, quantization, atol):
    text = RNG.integers(0, 24, (16, STEPS)).astype("int32")
    path = tmp_path / "model.tflite"
    keras_moduli.export_tflite(
        reader, path, quantization, streaming=True, runtime="micro", inputs=text
    )
    assert export.inspect(path).micro_warnings == []
    # Keras counts negative ones from the end.
    symbols = np.where(RNG.random((1, STEPS)) < 0.5, text[:1], text[:1] - 24)
    found = answer(*micro(path), symbols.astype("int32"))
    expected = reader.predict(text[:1], verbose=0)
    np.testing.assert_allclose(found, expected, atol=atol)
    assert expected.std() > 2 * atol


def test_a_select_of_integers_does_not_run_there(tmp_path, reader):
    path = tmp_path / "model.tflite"
    keras_moduli.export_tflite(reader, path, layout="dense", streaming=True)
    (warning,) = export.inspect(path).micro_warnings
    assert "SELECT" in warning and "runtime='micro'" in warning
    with pytest.raises(RuntimeError, match="allocate"):
        micro(path)


def test_a_gather_by_large_integers_does_not_run_there(tmp_path):
    inputs = keras.Input((3,))
    places = np.array([2, 0, 1], "int64")
    model = keras.Model(inputs, keras.ops.take(inputs, places, axis=-1))
    path = tmp_path / "model.tflite"
    keras_moduli.export_tflite(model, path, layout="dense")
    (warning,) = export.inspect(path).micro_warnings
    assert "GATHER by int64" in warning
    with pytest.raises(RuntimeError, match="allocate"):
        micro(path)


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
