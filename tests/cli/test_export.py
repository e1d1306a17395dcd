"""`keras-moduli export`."""

import sys

import keras
import numpy as np
import pytest

from keras_moduli import export
from keras_moduli.cli import parser


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a saved model, inputs and targets, to work in."""
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None, 4)),
            keras.layers.GRU(8, return_sequences=True),
            keras.layers.Dense(2),
        ]
    )
    model.save("model.keras")
    rng = np.random.default_rng(0)
    np.save("x.npy", rng.normal(size=(12, 20, 4)).astype("float32"))
    np.save("y.npy", rng.normal(size=(12, 20, 2)).astype("float32"))
    np.savez("named.npz", a=np.zeros((1, 20, 4)), b=np.zeros(1))
    (tmp_path / "words.npy").write_text("words")
    return tmp_path


def test_a_file_and_its_metrics(folder, capsys):
    status = parser.main(
        ["export", "model.keras", "model.tflite", "--layout", "dense"]
        + ["--inputs", "x.npy", "--targets", "y.npy", "--metrics", "mse,mae"]
    )
    assert status == 0
    printed = capsys.readouterr().out
    model = keras.saving.load_model("model.keras")
    error = model.predict(np.load("x.npy"), verbose=0) - np.load("y.npy")
    mae = f"{np.abs(error).mean():.4g}"
    assert f"mae: {mae} of the Keras model, {mae} of the file" in printed
    assert "mse: " in printed
    assert "WHILE" in export.inspect("model.tflite").operators


def test_micro_means_streaming_and_brings_a_header(folder, capsys):
    status = parser.main(
        ["export", "model.keras", "model.tflite", "--runtime", "micro"]
        + ["--quantization", "full_int8", "--inputs", "x.npy"]
        + ["--c-array", "model.h"]
    )
    assert status == 0
    assert "tensor arena: " in capsys.readouterr().out
    assert export.inspect("model.tflite").micro_warnings == []
    size = (folder / "model.tflite").stat().st_size
    assert f"model_length = {size};" in (folder / "model.h").read_text()


def test_without_the_extra_it_is_named(folder, capsys, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("tflite_micro")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    status = parser.main(
        ["export", "model.keras", "model.tflite", "--runtime", "micro"]
    )
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'keras-moduli[micro]'" in line
    assert not (folder / "model.tflite").exists()


@pytest.mark.parametrize(
    "options, status, message",
    [
        (["--inputs", "words.npy"], 2, "`numpy.save`"),
        (["--inputs", "named.npz"], 2, "`inputs` must have the structure"),
        (["--inputs", "none.npy"], 2, "none.npy"),
        (["--runtime", "micro", "--quantization", "int8"], 2, "full_int8"),
        (["--targets", "y.npy"], 2, "`inputs`"),
    ],
)
def test_errors_are_one_line(folder, capsys, options, status, message):
    found = parser.main(["export", "model.keras", "model.tflite", *options])
    assert found == status
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (folder / "model.tflite").exists()
