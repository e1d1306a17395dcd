"""Files of 8-bit integers throughout, calibrated on examples."""

import signal

import keras
import numpy as np
import pytest
from running import RESOLVERS
from running import runner_of

from keras_moduli.export import ExportError
from keras_moduli.export import export_tflite
from keras_moduli.export import inspect
from keras_moduli.export.conversion.calibration import run_apart
from keras_moduli.export.flatbuffers import flatbuffer

L = keras.layers


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(6)


def sequential(*layers, shape=(12, 20)):
    return keras.Sequential([keras.Input(shape, name="x"), *layers])


def examples(count=40, shape=(12, 20)):
    rng = np.random.default_rng(3)
    return rng.normal(size=(count, *shape)).astype("float32")


def computed_in_float(path):
    return flatbuffer.computed_in_float(flatbuffer.read(path.read_bytes()))


def assert_near(model, path, x):
    """The file answers as the model does, and mostly much nearer."""
    wanted = model.predict(x, verbose=0)
    largest = np.abs(wanted).max()
    for resolver in RESOLVERS:
        runner = runner_of(path, resolver)
        got = np.concatenate([runner(x=one[None])["output_0"] for one in x])
        assert np.abs(got - wanted).max() < 0.2 * largest
        assert np.abs(got - wanted).mean() < 0.03 * largest


def masked_tiles(model):
    kernel = model.layers[0].cell.recurrent_kernel
    units = kernel.shape[0]
    mask = np.kron(np.eye(units // 16), np.ones((16, 16)))
    kernel.assign(
        keras.ops.convert_to_numpy(kernel)
        * np.tile(mask, kernel.shape[1] // units)
    )
    return model


MODELS = {
    "lstm": lambda: sequential(L.LSTM(48), L.Dense(5)),
    "gru": lambda: sequential(
        L.GRU(32, return_sequences=True), L.SimpleRNN(16)
    ),
    "bidirectional": lambda: sequential(L.Bidirectional(L.GRU(24))),
    "masking": lambda: sequential(L.Masking(), L.LSTM(24)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_whole_sequences(name, tmp_path):
    model, x = MODELS[name](), examples()
    path = tmp_path / "m.tflite"
    report = export_tflite(model, path, "full_int8", "dense", inputs=x)
    assert "WHILE" not in report.operators
    # The converter may leave a first step's split in floats, and nothing
    # that computes; the report says so.
    floats = computed_in_float(path)
    assert set(floats) <= {"SPLIT"}
    assert bool(floats) == ("still computed" in " ".join(report.notes))
    assert not model.layers[0].get_config().get("unroll")
    assert_near(model, path, x)


@pytest.mark.slow
def test_one_step_in_integers(tmp_path, cold_conversions):
    model = sequential(
        L.LSTM(32, return_sequences=True), L.Dense(5), shape=(None, 20)
    )
    x, path = examples(), tmp_path / "m.tflite"
    export_tflite(model, path, "full_int8", "dense", streaming=True, inputs=x)
    assert not computed_in_float(path)
    wanted = model.predict(x[:1], verbose=0)
    runner = runner_of(path)
    state = {f"state_{i}": np.zeros((1, 32), "float32") for i in range(2)}
    for t in range(12):
        answer = runner(x=x[:1, t : t + 1], **state)
        state = {name: answer[name] for name in state}
        error = np.abs(answer["output_0"] - wanted[:, t : t + 1]).max()
        assert error < 0.1 * np.abs(wanted).max()


@pytest.mark.slow
def test_every_layout_and_both_signatures(tmp_path):
    model = masked_tiles(sequential(L.LSTM(64), L.Dense(5)))
    report = export_tflite(
        model,
        tmp_path / "m.tflite",
        "full_int8",
        streaming="both",
        inputs=examples(),
    )
    tried = {row["layout"]: row for row in report.candidates}
    assert set(tried) == {"dense", "sparse", "tiled", "gathered"}
    for layout in ("dense", "tiled", "gathered"):
        assert "error" not in tried[layout]
    assert tried["tiled"]["bytes"] < tried["dense"]["bytes"] + 20_000


@pytest.mark.slow
def test_blocks_are_stored_and_multiplied_sparsely(tmp_path):
    model, x = sequential(L.LSTM(64), L.Dense(5)), examples()
    kernel = model.layers[0].cell.recurrent_kernel
    rng = np.random.default_rng(0)
    alive = np.repeat(rng.random((4, 256)) < 0.1, 16, axis=0)
    kernel.assign(kernel * alive)
    reports = {
        layout: export_tflite(
            model, tmp_path / f"{layout}.tflite", "full_int8", layout, inputs=x
        )
        for layout in ("dense", "sparse")
    }
    # Only the recurrent kernel is sparse: 16,384 weights, a tenth alive.
    saved = reports["dense"].bytes - reports["sparse"].bytes
    assert 12_000 < saved < 16_384
    weights = inspect(tmp_path / "sparse.tflite").weights
    assert "sparse, blocks of 16" in [each.stored for each in weights]
    assert_near(model, tmp_path / "sparse.tflite", x)


class Sum(L.Layer):
    """A running sum, as a loop that no recurrent layer has."""

    def call(self, x):
        return keras.ops.while_loop(
            lambda t, total: t < 12,
            lambda t, total: (t + 1, keras.ops.tanh(total + x[:, t])),
            (0, x[:, 0]),
        )[1]


def test_a_crash_of_the_converter_is_an_error(tmp_path, cold_conversions):
    model = sequential(Sum(), L.Dense(4))
    path = tmp_path / "m.tflite"
    path.write_text("old")
    with pytest.raises(
        ExportError, match=r"crashed.*\(SIG\w+\).*'int8'` works"
    ):
        export_tflite(model, path, "full_int8", "dense", inputs=examples())
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.tflite"]
    # What the message names does work.
    export_tflite(model, path, "int8", "dense", inputs=examples())


def test_any_signal_and_any_failure_is_an_error(tmp_path, cold_conversions):
    script = tmp_path / "script.py"
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL):
        script.write_text(f"import os; os.kill(os.getpid(), {int(number)})")
        with pytest.raises(ExportError, match=number.name):
            run_apart(script, tmp_path)
    script.write_text("raise SystemExit('no memory left')")
    with pytest.raises(ExportError, match="ended with 1: no memory left"):
        run_apart(script, tmp_path)
    script.write_text("import sys; open(sys.argv[2], 'w').write('done')")
    run_apart(script, tmp_path, str(tmp_path / "made"))
    assert (tmp_path / "made").read_text() == "done"


@pytest.mark.slow
def test_what_has_no_integer_kernel_is_noted(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.ops.cos(x))
    report = export_tflite(
        model,
        tmp_path / "m.tflite",
        "full_int8",
        inputs=examples(shape=(4,)),
    )
    assert report.notes == ("still computed in float32: COS",)


def test_what_it_needs_is_asked_for(tmp_path):
    path = tmp_path / "m.tflite"
    with pytest.raises(ValueError, match="needs `inputs`"):
        export_tflite(sequential(L.LSTM(4)), path, "full_int8")
    with pytest.raises(ValueError, match="give `sequence_length`"):
        export_tflite(
            sequential(L.LSTM(4), shape=(None, 20)),
            path,
            "full_int8",
            inputs=examples(),
        )
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("cell", [L.LSTM, L.GRU])
def test_steps_that_all_examples_mask(tmp_path, cell):
    """Nothing is learnt of the states there; they are not nothing later."""
    table = np.random.default_rng(0).normal(size=(20, 8))
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32", name="x"),
            L.Embedding(20, 8, lambda *_, **__: table, mask_zero=True),
            cell(16, go_backwards=True),
            L.Dense(3),
        ]
    )
    path = tmp_path / "m.tflite"
    words = np.random.default_rng(1).integers(1, 20, (32, 6)).astype("int32")
    padded = words * (np.arange(6) < 4)
    export_tflite(model, path, "full_int8", "dense", inputs=padded)
    assert_near(model, path, padded)
    wanted, runner = model.predict(words, verbose=0), runner_of(path)
    got = np.concatenate([runner(x=one[None])["output_0"] for one in words])
    assert np.abs(got - wanted).max() < 0.25 * np.abs(wanted).max()
