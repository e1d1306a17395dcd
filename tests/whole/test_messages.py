"""The mistakes that users are most likely to make, and what they are told.

Every message names the argument, says what is allowed and what was received;
where there is a way out, it says that too.
"""

import keras
import numpy as np
import pytest
import tensorflow_model_optimization as tfmot

import keras_moduli
from keras_moduli.cli.parser import main


def lstm(**arguments):
    model = keras.Sequential(
        [
            keras.Input((6, 4)),
            keras.layers.LSTM(16, name="lstm", **arguments),
            keras.layers.Dense(2, name="dense"),
        ]
    )
    model.compile("adam", "mse")
    return model


def fit(**arguments):
    pruning = keras_moduli.MagnitudePruning(**arguments)
    x, y = np.zeros((64, 6, 4)), np.zeros((64, 2))
    lstm().fit(x, y, verbose=0, callbacks=[pruning])


def too_long():
    return tfmot.sparsity.keras.PolynomialDecay(0.0, 0.9, 0, end_step=2000)


def regularizer(*args, **kwargs):
    return lambda: keras_moduli.ModuliRegularizer(*args, **kwargs)


def pruning(**arguments):
    return lambda: fit(**arguments)


def export(model="m", path="m.tflite", **arguments):
    return lambda: keras_moduli.export_tflite(
        lstm() if model == "m" else model, path, **arguments
    )


# What is done, the error, and what its message has to hold.
MISTAKES = {
    "a space misspelt": (
        regularizer("tours"),
        ValueError,
        ["`space`", "torus, klein_bottle", "Received: space='tours'"],
    ),
    "a class in place of a space": (
        regularizer(keras_moduli.spaces.Torus),
        TypeError,
        ["`space`", "a ModuliSpace", "Received: space=<class"],
    ),
    "the paper's name of an inhibitor": (
        regularizer("torus", "dog"),
        ValueError,
        ["`inhibitor`", "difference_of_gaussians", "inhibitor='dog'"],
    ),
    "a factor in quotes": (
        regularizer(factor="0.1"),
        ValueError,
        ["`factor`", "number of at least 0", "Received: factor='0.1'"],
    ),
    "an unknown control": (
        regularizer(control="shuffled"),
        ValueError,
        ["`control`", "'permuted'", "Received: control='shuffled'"],
    ),
    "points of another space": (
        regularizer("torus", points=np.zeros((16, 3))),
        ValueError,
        ["`points`", "(units, 2)", "Received: points of shape (16, 3)"],
    ),
    "the regularizer on an input kernel": (
        lambda: (
            (
                lstm(kernel_regularizer=keras_moduli.ModuliRegularizer(gates=3))
            ).losses
        ),
        ValueError,
        ["`gates`", "multiple", "Received: a kernel of shape (4, 64)"],
    ),
    "percent in place of a fraction": (
        pruning(final_sparsity=90),
        ValueError,
        ["`final_sparsity`", "0.9 for 90 %", "Received: final_sparsity=90"],
    ),
    "a sparsity in place of a schedule": (
        pruning(schedule=0.9),
        TypeError,
        ["`schedule`", "PolynomialDecay(", "Received: schedule=0.9"],
    ),
    "neither schedule nor sparsity": (
        pruning(),
        ValueError,
        ["`schedule` or `final_sparsity`", "Received: schedule=None"],
    ),
    "a schedule longer than the fit": (
        lambda: fit(schedule=too_long()),
        ValueError,
        ["at step 2000", "ends at step 2", "allow_partial=True"],
    ),
    "weights that the model does not have": (
        pruning(final_sparsity=0.9, weights="gru"),
        ValueError,
        ["`weights`", "lstm/lstm_cell/recurrent_kernel", "weights='gru'"],
    ),
    "a broken regular expression": (
        pruning(final_sparsity=0.9, weights="(lstm"),
        ValueError,
        ["`weights`", "unterminated", "Received: weights='(lstm'"],
    ),
    "a block that does not fit": (
        pruning(final_sparsity=0.9, block_size=(5, 1)),
        ValueError,
        ["`block_size`", "16 sources", "[1, 2, 4, 8]", "block_size=(5, 1)"],
    ),
    "a number for a block": (
        pruning(final_sparsity=0.9, block_size=4),
        ValueError,
        ["`block_size`", "such as (4, 1)", "Received: block_size=4"],
    ),
    "a number for gates": (
        pruning(final_sparsity=0.9, gates=2),
        ValueError,
        ["`gates`", "such as (2,)", "Received: gates=2"],
    ),
    "one group without a list": (
        pruning(groups=keras_moduli.PruningGroup(final_sparsity=0.9)),
        TypeError,
        ["`groups`", "list of keras_moduli.PruningGroup", "Received: groups="],
    ),
    "a model that is not built": (
        lambda: keras_moduli.sparsity(keras.Sequential([keras.layers.LSTM(3)])),
        ValueError,
        ["`model`", "give it an `Input`", "not built"],
    ),
    "a path in place of a model": (
        lambda: keras_moduli.masks_of("model.keras"),
        TypeError,
        ["`model`", "keras.Model", "Received: model='model.keras'"],
    ),
    "masks that are not there": (
        lambda: keras_moduli.load_masks("no.npz"),
        FileNotFoundError,
        ["No such file", "no.npz"],
    ),
    "another file than masks": (
        lambda: keras_moduli.load_masks("other.npz"),
        ValueError,
        ["`path`", "save_masks", "Received: path='other.npz'"],
    ),
    "a quantization that there is not": (
        export(quantization="int4"),
        ValueError,
        ["`quantization`", "'int8'", "Received: quantization='int4'"],
    ),
    "a file name without .tflite": (
        export(path="model.lite"),
        ValueError,
        ["`path`", "'.tflite'", "Received: path='model.lite'"],
    ),
    "a folder that is not there": (
        export(path="no/m.tflite"),
        ValueError,
        ["`path`", "must exist", "Received: path='no/m.tflite'"],
    ),
    "tiles of a model without any": (
        export(layout="tiled"),
        ValueError,
        ["`layout`", "'dense' and 'auto' work", "Received: layout='tiled'"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_of(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.npz").write_text("no masks")
    act, kind, parts = MISTAKES[mistake]
    with pytest.raises(kind) as caught:
        act()
    message = str(caught.value)
    assert [part for part in parts if part not in message] == [], message
    assert [p.name for p in tmp_path.iterdir()] == ["other.npz"]


def test_a_tf_keras_model_is_told_from_one_of_keras_3():
    import tf_keras

    legacy = tf_keras.Sequential([tf_keras.Input((6, 4))])
    with pytest.raises(TypeError, match="Keras 3.*prune_low_magnitude.*keras"):
        keras_moduli.MagnitudePruning(final_sparsity=0.5).set_model(legacy)
    with pytest.raises(TypeError, match="`to_prune`.*tf_keras.*MagnitudePrun"):
        keras_moduli.keras2.prune_recurrent(lstm())


# The command line: arguments, and what the one line on stderr has to hold.
COMMANDS = {
    "train walking --out o": ["`task`", "'language'", "task='walking'"],
    "train adding": ["--out"],
    "train adding --out o --space tours": ["`space`", "torus", "'tours'"],
    "train adding --out o --steps many": ["--steps", "int", "'many'"],
    "train adding --out o --sparsity 90": ["`sparsity`", "[0, 1)", "90"],
    "train adding --out o --cell lstm": ["'adding'", "'units'", "'lstm'"],
    "train language --out o --text none": ["`text`", "No such file", "none"],
    "train adding --out o --preset big": ["`preset`", "'small'", "'big'"],
    "train adding --out o --epochs 9 --steps 3": ["`epochs`", "`steps`"],
    "train adding --out o --resume": [
        "settings.json' is missing",
        "Received: ",
    ],
    "sweep adding --out o --factor 1,x": ["--factor", "float", "'1,x'"],
    "sweep adding --out o --jobs 0": ["`jobs`", "positive", "jobs=0"],
    "table o": ["settings.json' is missing", "Received: "],
    "inspect o.tflite": ["`path`", "No such file", "'o.tflite'"],
}


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_line(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(line.split())
    except SystemExit as stop:  # argparse's own way
        status = stop.code
    output, message = capsys.readouterr()
    assert status == 2
    assert output == ""
    assert message.count("\n") == 1 and "error: " in message
    assert [part for part in COMMANDS[line] if part not in message] == []
    assert not list(tmp_path.iterdir())
