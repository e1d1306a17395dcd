"""`inspect` and its warnings, on our files and on the converter's own."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_moduli import ModuliRegularizer
from keras_moduli import layers
from keras_moduli.export import export_tflite
from keras_moduli.export import inspect
from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.flatbuffers import sparse_tensors
from keras_moduli.export.programs import lowering

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
    "batched": (
        lambda: converted(
            model_of(L.EinsumDense("bgi,gio->bgo", (8, 32)), 0.0, 1, (8, 64)),
            DEFAULT,
        ),
        "longer with every run",
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


def test_sparse_halves_that_are_gathered_from(tmp_path, monkeypatch):
    """Which the layout leaves out, unless it is made to write them."""
    table = L.Embedding(64, 32)
    model = keras.Sequential([keras.Input((4,), dtype="int32"), table])
    alive = np.random.default_rng(0).random((64, 32)) < 0.1
    table.embeddings.assign(table.embeddings * alive)
    path = tmp_path / "m.tflite"
    export_tflite(model, path, "float16", "dense")
    monkeypatch.setattr(sparse_tensors, "_is_half_table", lambda place: False)
    content, _ = sparse_tensors.encode(path.read_bytes(), "size")
    assert not inspect(path).warnings
    path.write_bytes(content)
    assert any("gathered from" in text for text in inspect(path).warnings)


def test_shapes_that_are_computed_before_a_loop(tmp_path, monkeypatch):
    """As exports once had them, where the length is open."""
    model = model_of(L.GRU(8), 0.0, 1, (None, 5))
    path = tmp_path / "m.tflite"
    export_tflite(model, path)
    assert inspect(path).warnings == []
    monkeypatch.setattr(
        lowering, "_leading", lambda inputs: keras.ops.shape(inputs)[:-1]
    )
    # Right or not: that is chance.
    export_tflite(model, path, tolerance=1e9)
    (warning,) = inspect(path).warnings
    assert "every call but the first" in warning


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


def gathered_model(cls):
    keras.utils.set_random_seed(0)
    arguments = {"fan_in": 12, "group_size": 16, "kernel_fan_in": 10}
    arguments |= {"connections": "random", "seed": 1}
    layer = cls(144, return_sequences=True, **arguments)
    return keras.Sequential([keras.Input((3, 40), name="x"), layer])


def gathered_in(model, path, quantization):
    x = np.random.default_rng(0).normal(size=(8, 3, 40)).astype("float32")
    x = x if quantization == "full_int8" else None
    export_tflite(model, path, quantization, "gathered", inputs=x)
    return inspect(path)


FULL = pytest.param("full_int8", marks=pytest.mark.slow)
FORMS = {
    None: ("float32", "BATCH_MATMUL", 4),
    "float16": ("float16", "BATCH_MATMUL", 2),
    "int8": ("int8", "FULLY_CONNECTED", 1),
    "full_int8": ("int8", "FULLY_CONNECTED", 1),
}


ALL_FORMS = [None, "float16", "int8", FULL]


@pytest.mark.parametrize("quantization", ALL_FORMS)
@pytest.mark.parametrize(
    ("cls", "gates"),
    [(layers.SparseLSTM, 4), (layers.SparseSimpleRNN, 1)],
    ids=["LSTM", "SimpleRNN"],
)
def test_gathered_kernels_are_named(cls, gates, quantization, tmp_path):
    model = gathered_model(cls)
    found = gathered_in(model, tmp_path / "m.tflite", quantization)
    kind, operator, size = FORMS[quantization]
    if quantization == "int8":
        kind, size = "float32", 4  # the converter's choice for small matrices
    inputs, recurrent = sorted(found.gathered, key=lambda one: one.fan_in)
    assert (inputs.fan_in, recurrent.fan_in) == (10, 12)
    for one in found.gathered:
        assert (one.groups, one.group_size, one.gates) == (9, 16, gates)
        assert (one.type, one.operator) == (kind, operator)
        assert one.bytes == 144 * gates * one.fan_in * size
        assert one.sparsity < 0.02  # small weights round to zero in int8
    text = f"9 groups of 16 units x {gates} gates that read 12 sources each"
    assert text in str(found)
    assert json.loads(json.dumps(found.to_dict()))["gathered"][0]["groups"] == 9


@pytest.mark.parametrize("quantization", [None, FULL])
def test_zeros_that_fill_gathered_kernels_are_counted(quantization, tmp_path):
    model = layers.to_plain(gathered_model(layers.SparseGRU))
    kernel = model.layers[0].cell.recurrent_kernel
    values = kernel.numpy().reshape(144, 3, 9, 16)
    for group in range(3):  # which read 6 of their 12 then
        few = np.flatnonzero(values[:, 0, group].any(axis=1))[:6]
        values[few, :, group] = 0.0
    kernel.assign(values.reshape(144, -1))
    found = gathered_in(model, tmp_path / "m.tflite", quantization)
    (recurrent,) = [one for one in found.gathered if one.fan_in == 12]
    assert recurrent.sparsity == pytest.approx(1 / 6, abs=0.02)


@pytest.mark.parametrize("quantization", [None, "full_int8"])
def test_gathered_dense_layers_are_named(quantization, tmp_path):
    model = model_of(L.Dense(64), 0.0, 1, (40,))
    kernel = model.layers[0].kernel
    values = kernel.numpy().reshape(40, 2, 32)
    values[:28, 0] = values[12:, 1] = 0.0
    kernel.assign(values.reshape(40, 64))
    path = tmp_path / "m.tflite"
    x = np.random.default_rng(0).normal(size=(8, 40)).astype("float32")
    x = None if quantization is None else x
    export_tflite(model, path, quantization, "gathered", inputs=x)
    (found,) = inspect(path).gathered
    assert (found.groups, found.group_size, found.gates) == (2, 32, 1)
    assert (found.fan_in, found.operator) == (12, FORMS[quantization][1])


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_other_layouts_gather_nothing(layout, tmp_path):
    model = model_of(L.LSTM(64), 0.9, 16, (6, 32))
    export_tflite(model, tmp_path / "m.tflite", "int8", layout)
    assert inspect(tmp_path / "m.tflite").gathered == []


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
