"""`inspect` and its warnings, on our files and on the converter's own."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_moduli import ModuliRegularizer
from keras_moduli.export import export_tflite
from keras_moduli.export import inspect
from keras_moduli.export.flatbuffers import flatbuffer

L = keras.layers


def model_of(layer, sparsity, block, shape, seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(shape, name="x"), layer])
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        if len(weight.shape) == 2:
            rows, columns = weight.shape
            alive = rng.random((-(-rows // block), columns)) >= sparsity
            mask = np.repeat(alive, block, 0)[:rows]
            weight.assign(keras.ops.convert_to_numpy(weight) * mask)
    return model


def converted(model, *optimizations, half=False, select=False):
    """A file as TensorFlow's own converter writes it."""
    function = tf.function(lambda x: model(x)).get_concrete_function(
        tf.TensorSpec((1, *model.input_shape[1:]))
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = list(optimizations)
    if half:
        converter.target_spec.supported_types = [tf.float16]
    if select:
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
    return converter.convert()


SPARSE = tf.lite.Optimize.EXPERIMENTAL_SPARSITY
DEFAULT = tf.lite.Optimize.DEFAULT
FOREIGN = {
    # How each comes about, and what we say.
    "lost rows": (
        lambda: converted(model_of(L.Dense(64), 0.9, 4, (62,)), SPARSE),
        "the last 2 are ignored",
    ),
    "version": (
        lambda: converted(
            model_of(L.Dense(64), 0.9, 16, (64,)), DEFAULT, SPARSE
        ),
        "XNNPACK reads them as dense",
    ),
    "int8 densify": (
        lambda: converted(
            model_of(L.Dense(64), 0.9, 1, (64,)), DEFAULT, SPARSE
        ),
        "refuse to prepare",
    ),
    "half": (
        lambda: converted(
            model_of(L.Dense(64), 0.9, 4, (64,)), DEFAULT, SPARSE, half=True
        ),
        "not a number",
    ),
    "counters": (
        lambda: converted(
            model_of(L.Dense(16), 0.9, 16, (4112,)), DEFAULT, SPARSE
        ),
        "overflow",
    ),
    "densify": (
        lambda: converted(model_of(L.Dense(64), 0.9, 1, (64,)), SPARSE),
        "as large in memory",
    ),
    "flex": (
        lambda: converted(
            keras.Sequential(
                [keras.Input((8,)), L.Lambda(tf.math.cumulative_logsumexp)]
            ),
            select=True,
        ),
        "Select-TF-ops",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_the_converter_are_warned_of(name, tmp_path):
    make, message = FOREIGN[name]
    (tmp_path / "m.tflite").write_bytes(make())
    found = inspect(tmp_path / "m.tflite")
    assert any(message in warning for warning in found.warnings)
    assert "WARNING" in str(found)


def test_a_file_of_ours(tmp_path):
    regularizer = ModuliRegularizer("klein_bottle", seed=1)
    layer = L.LSTM(64, recurrent_regularizer=regularizer, name="rnn")
    model = model_of(layer, 0.9, 16, (6, 32))
    path = tmp_path / "m.tflite"
    report = export_tflite(model, path, "int8", "sparse")
    found = inspect(path)
    assert found.warnings == []
    assert found.bytes == path.stat().st_size
    assert found.operators == report.operators
    assert found.signatures == {
        "serving_default": {
            "inputs": {"x": "float32 (1, 6, 32)"},
            "outputs": {"output_0": "float32 (1, 64)"},
        }
    }
    weights = [w for w in found.weights if w.shape == (256, 64)]
    assert weights[0].stored == "sparse, blocks of 16"
    kernel = keras.ops.convert_to_numpy(model.layers[0].cell.recurrent_kernel)
    # Small weights round to zero in int8.
    assert weights[0].sparsity >= np.mean(kernel == 0)
    assert found.metadata["layout"] == "sparse"
    assert "KleinBottle" in str(found.metadata["spaces"])
    assert json.loads(json.dumps(found.to_dict()))["path"] == str(path)
    assert "no warnings" in str(found)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numbers_as_large_as_their_type(tmp_path):
    path = tmp_path / "m.tflite"
    export_tflite(model_of(L.Dense(64), 0.98, 4, (64,)), path, layout="sparse")
    file = flatbuffer.read(path.read_bytes())
    (tensor,) = [t for t in file.subgraphs[0].tensors if t.sparsity]
    indices = tensor.sparsity.dimMetadata[1].arrayIndices
    indices.values = np.array(indices.values)
    indices.values[0] = np.iinfo(indices.values.dtype).max
    path.write_bytes(flatbuffer.write(file))
    assert any("are ignored" in warning for warning in inspect(path).warnings)


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "can be read"),
        (b"", "does not begin like one"),
        (b"\x1c\0\0\0TFL3" + b"\xff" * 40, "damaged"),
    ],
)
def test_what_is_no_file_is_refused(content, message, tmp_path):
    if content is not None:
        (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        inspect(tmp_path / "m.tflite")
    with pytest.raises(TypeError, match="must be a string"):
        inspect(3)
