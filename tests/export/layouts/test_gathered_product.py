"""Kernels held as what each group of targets reads."""

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from running import RESOLVERS
from running import run

from keras_moduli.export import ExportError
from keras_moduli.export import export_tflite
from keras_moduli.export import inspect
from keras_moduli.export.layouts.gathered_product import best_gathering
from keras_moduli.export.layouts.gathered_product import gathered_product

L = keras.layers


def shared(rows, gates, units, group, fan_in, seed=0):
    """A random kernel whose groups read `fan_in` sources each."""
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(rows, gates, units)).astype("float32")
    for start in range(0, units, group):
        dead = rng.permutation(rows)[fan_in:]
        kernel[dead, :, start : start + group] = 0
    return kernel.reshape(rows, gates * units)


def test_the_groups_are_found():
    found = best_gathering(shared(256, 4, 128, 32, 20), 4)
    assert found.group_size == 32
    assert found.sources.shape == (4, 20)
    assert found.zeros == 0


def test_a_kernel_without_groups_is_left_alone():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(64, 256)) * (rng.random((64, 256)) < 0.1)
    assert best_gathering(kernel, 4) is None
    assert best_gathering(np.ones((64, 7)), 1) is None


def test_groups_that_read_less_are_filled_with_zeros():
    kernel = shared(64, 4, 32, 16, 8)
    kernel.reshape(64, 4, 32)[:, :, :16] = 0
    found = best_gathering(kernel, 4)
    assert found.zeros == 0.5
    x = np.random.default_rng(1).normal(size=(3, 64)).astype("float32")
    np.testing.assert_allclose(
        gathered_product(found)(x), x @ kernel, rtol=1e-4, atol=1e-4
    )


@hypothesis.settings(max_examples=40, deadline=None, derandomize=True)
@hypothesis.given(
    rows=st.integers(8, 40),
    gates=st.sampled_from([1, 2, 3, 4]),
    group=st.sampled_from([8, 16, 24]),
    groups=st.integers(1, 3),
    share=st.floats(0.0, 0.5),
    batch=st.integers(1, 3),
    batched=st.booleans(),
)
def test_the_product_is_that_of_the_kernel(
    rows, gates, group, groups, share, batch, batched
):
    kernel = shared(rows, gates, group * groups, group, int(share * rows))
    found = best_gathering(kernel, gates)
    x = np.random.default_rng(1).normal(size=(batch, rows)).astype("float32")
    product = gathered_product(found, batched)
    np.testing.assert_allclose(product(x), x @ kernel, rtol=1e-4, atol=1e-4)


def pruned(layer, gates, group=16):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 40), name="x"), layer])
    for weight in model.weights:
        if "kernel" in weight.path:
            rows, columns = weight.shape
            kernel = shared(rows, gates, columns // gates, group, 5)
            weight.assign(kernel / 5)
    return model


MODELS = {
    "lstm": lambda: pruned(L.LSTM(64, return_sequences=True), 4),
    "gru": lambda: pruned(L.GRU(64), 3),
    "gru_reset_before": lambda: pruned(L.GRU(64, reset_after=False), 3),
    "simple_rnn": lambda: pruned(L.SimpleRNN(64), 1),
    "dense": lambda: pruned(L.Dense(64), 1),
    "bidirectional": lambda: pruned(L.Bidirectional(L.LSTM(64)), 4),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "quantization",
    [None, pytest.param("float16", marks=pytest.mark.slow), "int8"],
)
def test_files_are_right_and_small(name, quantization, tmp_path):
    model, path = MODELS[name](), tmp_path / "m.tflite"
    report = export_tflite(
        model, path, layout="gathered", quantization=quantization
    )
    assert any("sources each" in note for note in report.notes)
    # Of int8 weights it takes LiteRT longer with every run.
    assert ("BATCH_MATMUL" in report.operators) == (quantization != "int8")
    dense = export_tflite(
        model, tmp_path / "d.tflite", layout="dense", quantization=quantization
    )
    if (name, quantization) != ("dense", "int8"):  # whose groups stay float
        assert report.bytes < dense.bytes
    x = np.random.default_rng(5).normal(size=(1, 6, 40)).astype("float32")
    wanted = model.predict(x, verbose=0)
    atol = {None: 2e-5, "float16": 5e-3, "int8": 0.1}[quantization]
    for resolver in RESOLVERS:
        got = run(path, resolver, x=x)["output_0"]
        np.testing.assert_allclose(got, wanted, atol=atol)


@pytest.mark.slow
def test_one_product_for_each_group_in_full_integers(tmp_path):
    model, path = MODELS["lstm"](), tmp_path / "m.tflite"
    examples = np.random.default_rng(0).normal(size=(20, 6, 40))
    report = export_tflite(
        model,
        path,
        layout="gathered",
        quantization="full_int8",
        inputs=examples.astype("float32"),
        streaming=True,
    )
    assert "BATCH_MATMUL" not in report.operators
    assert report.operators["FULLY_CONNECTED"] >= 4


def test_streaming_keeps_the_form(tmp_path):
    report = export_tflite(
        MODELS["lstm"](), tmp_path / "m.tflite", streaming=True,
        layout="gathered", quantization="int8",
    )  # fmt: skip
    assert report.operators["GATHER"] >= 1
    assert inspect(tmp_path / "m.tflite")


def test_auto_tries_it(tmp_path):
    report = export_tflite(
        MODELS["lstm"](), tmp_path / "m.tflite", layout="auto"
    )
    assert "gathered" in [row["layout"] for row in report.candidates]


def test_a_dense_model_has_no_use_for_it(tmp_path):
    model = keras.Sequential([keras.Input((3, 4)), L.LSTM(16)])
    with pytest.raises((ValueError, ExportError), match="8 to 512"):
        export_tflite(model, tmp_path / "m.tflite", layout="gathered")
