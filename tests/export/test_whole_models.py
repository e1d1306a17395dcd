"""Models as they come out of training: precision, constraints, odd names."""

import resource
import subprocess

import keras
import numpy as np
import pytest
from command import python
from running import run

from keras_moduli.export import ExportError
from keras_moduli.export import export_saved_model
from keras_moduli.export import export_tflite

L = keras.layers


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(11)


@pytest.fixture
def mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.slow
def test_mixed_precision_exports_its_float32_weights(mixed_precision, tmp_path):
    inner = keras.Sequential([L.LSTM(7, return_sequences=True), L.Dense(4)])
    model = keras.Sequential(
        [keras.Input((5, 3), name="x"), inner, L.Bidirectional(L.GRU(4))]
    )
    export_tflite(model, tmp_path / "m.tflite")
    export_saved_model(model, tmp_path / "saved")
    assert {layer.compute_dtype for layer in model.layers} == {"float16"}
    x = np.random.default_rng(0).normal(size=(1, 5, 3)).astype("float32")
    got = run(tmp_path / "m.tflite", x=x)["output_0"]
    assert got.dtype == "float32"
    np.testing.assert_allclose(got, model.predict(x, verbose=0), atol=2e-3)


def test_half_precision_weights_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((3,)), L.Dense(2, dtype="float16")])
    with pytest.raises(ValueError, match="keep its weights in float32"):
        export_tflite(model, tmp_path / "m.tflite")


class KeepSmall(keras.constraints.Constraint):
    def __call__(self, w):
        return keras.ops.clip(w, -0.1, 0.1)


def character_model():
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="tokens"),
            L.Embedding(30, 8),
            L.LSTM(
                12,
                return_sequences=True,
                recurrent_regularizer="l2",
                recurrent_constraint=KeepSmall(),
            ),
            L.Dense(30),
        ]
    )
    model.compile(
        "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    tokens = np.random.default_rng(1).integers(0, 30, (8, 9))
    model.fit(tokens[:, :-1], tokens[:, 1:], verbose=0)
    return model, tokens


def test_a_trained_character_model(tmp_path):
    model, tokens = character_model()
    export_tflite(
        model, tmp_path / "m.tflite", sequence_length=8, inputs=tokens[:, 1:]
    )
    one = tokens[:1, 1:].astype("int32")
    np.testing.assert_allclose(
        run(tmp_path / "m.tflite", tokens=one)["output_0"],
        model.predict(one, verbose=0),
        atol=1e-5,
    )


@pytest.mark.slow
def test_the_saved_model_needs_tensorflow_only(tmp_path):
    model, tokens = character_model()
    export_saved_model(model, tmp_path / "saved")
    np.save(tmp_path / "tokens.npy", tokens.astype("int32"))
    program = (
        "import sys\n"
        "sys.modules['keras_moduli'] = sys.modules['keras'] = None\n"
        "import numpy as np, tensorflow as tf\n"
        "loaded = tf.saved_model.load('saved')\n"
        "np.save('answer.npy', loaded.serve(np.load('tokens.npy')))\n"
    )
    subprocess.run(python(program), cwd=tmp_path, check=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "answer.npy"),
        model.predict(tokens, verbose=0),
        atol=1e-5,
    )


def test_inputs_whose_names_clash_or_hold_odd_characters(tmp_path):
    a = keras.Input((4, 2), name="my.input")
    b = keras.Input((4, 2), name="my input")
    model = keras.Model([a, b], L.Subtract()([L.LSTM(3)(a), L.LSTM(3)(b)]))
    export_tflite(model, tmp_path / "m.tflite")
    x = np.random.default_rng(2).normal(size=(2, 1, 4, 2)).astype("float32")
    np.testing.assert_allclose(
        run(tmp_path / "m.tflite", my_input=x[0], my_input_=x[1])["output_0"],
        model.predict(list(x), verbose=0),
        atol=1e-5,
    )


def test_a_model_without_weights(tmp_path):
    model = keras.Sequential([keras.Input((4,)), L.ReLU()])
    assert export_tflite(model, tmp_path / "m.tflite").sparsity == {}


def test_answers_that_are_not_numbers_must_agree_too(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, keras.ops.sqrt(x))
    report = export_tflite(model, tmp_path / "m.tflite")
    assert report.max_difference < 1e-5


def test_operations_without_a_built_in_are_named(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, keras.ops.erfinv(x))
    with pytest.raises(ExportError, match="TensorFlow's Erfinv"):
        export_tflite(model, tmp_path / "m.tflite")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("model", [None, "model.keras", L.Dense(3)])
@pytest.mark.parametrize("export", [export_tflite, export_saved_model])
def test_what_is_no_model_is_refused(export, model, tmp_path):
    with pytest.raises(TypeError, match="must be a `keras.Model`"):
        export(model, tmp_path / "m.tflite" if export is export_tflite else "m")


@pytest.mark.parametrize(
    "name, message", [("folder.tflite", "not be a folder"), (3, "a string")]
)
def test_a_target_that_cannot_be(name, message, tmp_path):
    (tmp_path / "folder.tflite").mkdir()
    path = tmp_path / name if isinstance(name, str) else name
    with pytest.raises((TypeError, ValueError), match=message):
        export_tflite(keras.Sequential([keras.Input((2,)), L.ReLU()]), path)


@pytest.fixture
def full_disk():
    """The system refuses to write files of more than 50,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("export", [export_tflite, export_saved_model])
def test_a_full_disk_leaves_what_was_there(export, full_disk, tmp_path):
    model = keras.Sequential([keras.Input((3, 90)), L.LSTM(90)])
    path = tmp_path / "m.tflite"
    if export is export_saved_model:
        path = tmp_path / "folder"
        path.mkdir()
        (path / "old").write_text("old")
    else:
        path.write_text("old")
    full_disk()
    with pytest.raises((OSError, ExportError), match="File too large"):
        export(model, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    old = path / "old" if path.is_dir() else path
    assert old.read_text() == "old"
