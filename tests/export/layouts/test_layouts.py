"""Sparse and tiled files: right on the stock runtime, and small."""

import keras
import numpy as np
import pytest
from running import RESOLVERS
from running import run
from running import runner_of

from keras_moduli import ModuliRegularizer
from keras_moduli.export import ExportError
from keras_moduli.export import export_tflite
from keras_moduli.export.flatbuffers import flatbuffer

L = keras.layers


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(3)


def sequential(*layers, shape=(6, 40)):
    return keras.Sequential([keras.Input(shape, name="x"), *layers])


def recurrent_kernels(model):
    return [w for w in model.weights if w.path.endswith("recurrent_kernel")]


def prune(model, mask_of):
    """Multiplies every recurrent kernel with `mask_of(units)`."""
    for weight in recurrent_kernels(model):
        kernel = keras.ops.convert_to_numpy(weight)
        units = len(kernel)
        blocks = kernel.reshape(units, -1, units)
        blocks = blocks * mask_of(units)[:, None, :]
        weight.assign(blocks.reshape(kernel.shape))
    return model


def tiles(tile, keep=1, shuffled=False):
    """Masks in which each column of tiles keeps `keep` tiles."""

    def mask_of(units):
        rng = np.random.default_rng(0)
        count = -(-units // tile)
        alive = np.zeros((count, count))
        for column in range(count):
            alive[rng.permutation(count)[:keep], column] = 1
        mask = np.repeat(np.repeat(alive, tile, 0), tile, 1)[:units, :units]
        order = rng.permutation(units) if shuffled else np.arange(units)
        return mask[order][:, order]

    return mask_of


def blocks(size, sparsity, seed=0):
    """Masks of blocks of `size` consecutive sources."""

    def mask_of(units):
        rng = np.random.default_rng(seed)
        alive = rng.random((-(-units // size), units)) >= sparsity
        return np.repeat(alive, size, 0)[:units]

    return mask_of


def check(model, path, shape=(1, 6, 40), atol=2e-5):
    x = np.random.default_rng(5).normal(size=shape).astype("float32")
    wanted = keras.tree.flatten(model.predict(x, verbose=0))
    for resolver in RESOLVERS:
        got = run(path, resolver, x=x)
        for index, value in enumerate(wanted):
            np.testing.assert_allclose(got[f"output_{index}"], value, atol=atol)


MODELS = {
    "lstm": lambda: sequential(L.LSTM(64), L.Dense(3)),
    "lstm_whose_units_fill_no_tile": lambda: sequential(L.LSTM(70)),
    "lstm_without_bias": lambda: sequential(L.LSTM(64, use_bias=False)),
    "gru": lambda: sequential(L.GRU(64, return_sequences=True)),
    "gru_reset_before": lambda: sequential(L.GRU(64, reset_after=False)),
    "simple_rnn": lambda: sequential(L.SimpleRNN(64), L.Dense(2)),
    "bidirectional": lambda: sequential(L.Bidirectional(L.GRU(48))),
    "backwards": lambda: sequential(
        L.LSTM(64, go_backwards=True, return_sequences=True)
    ),
    "stacked_cells": lambda: sequential(
        L.RNN([L.LSTMCell(64), L.SimpleRNNCell(48)])
    ),
    "masking": lambda: sequential(L.Masking(), L.LSTM(64), L.Dense(2)),
    "unrolled": lambda: sequential(L.SimpleRNN(64, unroll=True), shape=(3, 40)),
    "nested": lambda: sequential(
        sequential(L.LSTM(64, return_sequences=True)), L.GRU(48)
    ),
    "states": lambda: (
        lambda x: keras.Model(x, L.RNN(L.LSTMCell(64), return_state=True)(x))
    )(keras.Input((6, 40), name="x")),
}


SLOW = ("simple_rnn", "lstm_without_bias", "backwards", "nested", "states")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in MODELS
    ],
)
def test_tiled_files_give_what_keras_gives(name, tmp_path):
    # Shuffled units: the export has to find the tiles again. Where cells are
    # stacked it cannot, because their units keep their numbers.
    shuffled = name != "stacked_cells"
    model = prune(MODELS[name](), tiles(16, shuffled=shuffled))
    before = [keras.ops.convert_to_numpy(w) for w in model.weights]
    report = export_tflite(
        model, tmp_path / "m.tflite", layout="tiled", optimize_for="size"
    )
    check(model, tmp_path / "m.tflite", (1, *model.input_shape[1:]))
    assert ("renumbered" in " ".join(report.notes)) == shuffled
    assert report.bytes < 4 * model.count_params()
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


# On some of the inputs that the export makes up int8 is further off.
@pytest.mark.filterwarnings("ignore::keras_moduli.export.CoarseWarning")
@pytest.mark.parametrize(
    "quantization, atol", [("int8", 0.03), ("float16", 2e-3)]
)
def test_tiled_and_quantized(quantization, atol, tmp_path):
    model = prune(MODELS["lstm"](), tiles(16))
    export_tflite(model, tmp_path / "m.tflite", quantization, "tiled")
    check(model, tmp_path / "m.tflite", atol=atol)


def test_tiles_of_a_stateful_layer_keep_the_order_of_its_state(tmp_path):
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(1, 2, 9), name="x"),
            L.LSTM(64, stateful=True),
        ]
    )
    prune(model, tiles(16, shuffled=True))
    export_tflite(
        model, tmp_path / "m.tflite", layout="tiled", optimize_for="size"
    )
    x = np.random.default_rng(3).normal(size=(4, 1, 2, 9)).astype("float32")
    model.layers[0].reset_state()
    runner = runner_of(tmp_path / "m.tflite")
    for batch in x:
        np.testing.assert_allclose(
            runner(x=batch)["output_0"], model(batch), atol=1e-5
        )


def test_input_kernels_and_dense_layers_are_tiled_too(tmp_path):
    model = sequential(L.LSTM(64), L.Dense(96), shape=(5, 64))
    for weight in (model.layers[0].cell.kernel, model.layers[1].kernel):
        kernel = keras.ops.convert_to_numpy(weight).copy()
        kernel[: len(kernel) // 2] = 0
        kernel[:, 32:64] = 0
        weight.assign(kernel)
    report = export_tflite(
        model, tmp_path / "m.tflite", layout="tiled", optimize_for="size"
    )
    assert len(report.notes) == 2
    check(model, tmp_path / "m.tflite", (1, 5, 64))


def test_a_kernel_of_zeros_only(tmp_path):
    model = prune(MODELS["lstm"](), lambda units: np.zeros((units, units)))
    export_tflite(model, tmp_path / "m.tflite", layout="tiled")
    check(model, tmp_path / "m.tflite")


def test_units_near_on_the_space_share_tiles(tmp_path):
    regularizer = ModuliRegularizer("torus", "diffusion", seed=1)
    layer = L.SimpleRNN(128, recurrent_regularizer=regularizer)
    model = sequential(layer, shape=(4, 8))
    penalty = keras.ops.convert_to_numpy(regularizer.penalty(128))
    near = penalty <= np.quantile(penalty, 0.05)
    prune(model, lambda units: near)
    report = export_tflite(
        model, tmp_path / "m.tflite", layout="tiled", optimize_for="size"
    )
    assert "renumbered" in report.notes[0]
    check(model, tmp_path / "m.tflite", (1, 4, 8))


# Units and features that do and do not fill blocks of 4 and 16.
@pytest.mark.parametrize(
    "units, features",
    [(70, 37), pytest.param(64, 40, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    "block, quantization, atol",
    [
        (1, None, 2e-5),
        (4, None, 2e-5),
        (1, "float16", 2e-3),
        pytest.param(4, "float16", 2e-3, marks=pytest.mark.slow),
        (16, "int8", 0.03),
    ],
)
def test_sparse_files_give_what_keras_gives(
    units, features, block, quantization, atol, tmp_path
):
    layer = L.LSTM(units, return_sequences=True)
    model = sequential(layer, L.Dense(20), shape=(6, features))
    prune(model, blocks(block, 0.9))
    path = tmp_path / "m.tflite"
    report = export_tflite(model, path, quantization, "sparse")
    check(model, path, (1, 6, features), atol)
    width = {None: 4, "float16": 2, "int8": 1}[quantization]
    assert report.bytes < width * model.count_params() + 8000
    form = {"int8": "blocks of 16", "float16": "elements"}.get(
        quantization, "blocks of 4" if block == 4 else "elements"
    )
    assert any(form in note for note in report.notes)


def test_sparse_int8_computes_exactly_what_dense_int8_computes(tmp_path):
    model = prune(sequential(L.SimpleRNN(96)), blocks(16, 0.8))
    export_tflite(model, tmp_path / "s.tflite", "int8", "sparse")
    export_tflite(model, tmp_path / "d.tflite", "int8", "dense")
    x = np.random.default_rng(1).normal(size=(1, 6, 40)).astype("float32")
    dense = run(tmp_path / "d.tflite", RESOLVERS[1], x=x)["output_0"]
    for resolver in RESOLVERS:
        sparse = run(tmp_path / "s.tflite", resolver, x=x)["output_0"]
        np.testing.assert_allclose(sparse, dense, atol=1e-5)


def test_int8_kernels_with_too_many_sources_stay_dense(tmp_path):
    model = keras.Sequential([keras.Input((4112,), name="x"), L.Dense(16)])
    kernel = keras.ops.convert_to_numpy(model.layers[0].kernel).copy()
    kernel[64:] = 0
    model.layers[0].kernel.assign(kernel)
    with pytest.raises(ValueError, match="of no use for this model"):
        export_tflite(model, tmp_path / "m.tflite", "int8", "sparse")
    export_tflite(model, tmp_path / "m.tflite", None, "sparse")
    check(model, tmp_path / "m.tflite", (1, 4112))


@pytest.mark.parametrize(
    "quantization, unpacked, atol",
    # Delegates lose sparse halves that are gathered from.
    [(None, 2, 1e-5), ("float16", 1, 1e-3)],
)
def test_a_pruned_embedding(tmp_path, quantization, unpacked, atol):
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    states = L.LSTM(16)(L.Embedding(60, 32, "normal")(tokens))
    model = keras.Model(tokens, states)
    rng = np.random.default_rng(0)
    for weight in model.layers[1].embeddings, model.layers[2].cell.kernel:
        weight.assign(weight * (rng.random(weight.shape) < 0.3))
    path = tmp_path / "m.tflite"
    report = export_tflite(model, path, quantization, layout="sparse")
    assert report.operators["DENSIFY"] == unpacked
    x = rng.integers(0, 60, (1, 5)).astype("int32")
    np.testing.assert_allclose(
        run(path, tokens=x)["output_0"],
        model.predict(x, verbose=0),
        atol=atol,
    )


def test_auto_keeps_the_best_by_its_rule(tmp_path):
    model = prune(sequential(L.LSTM(128)), tiles(32))
    for optimize_for, key in (("size", "bytes"), ("latency", "latency_ms")):
        report = export_tflite(
            model, tmp_path / "m.tflite", optimize_for=optimize_for
        )
        rows = {row["layout"]: row for row in report.candidates}
        assert list(rows) == ["dense", "sparse", "tiled", "gathered"]
        least = min(row[key] for row in rows.values())
        assert rows[report.layout][key] <= 1.1 * least
        assert rows[report.layout]["bytes"] == report.bytes
        assert (tmp_path / "m.tflite").stat().st_size == report.bytes
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def test_auto_of_a_dense_model_tries_dense_only(tmp_path):
    report = export_tflite(sequential(L.GRU(24)), tmp_path / "m.tflite")
    assert report.layout == "dense"
    assert [row["layout"] for row in report.candidates] == ["dense"]


@pytest.mark.parametrize("kind", [L.SimpleRNN, L.LSTM, L.GRU])
def test_inputs_are_multiplied_before_the_loop(kind, tmp_path):
    model = sequential(kind(64))
    export_tflite(model, tmp_path / "m.tflite", layout="dense")
    content = flatbuffer.read((tmp_path / "m.tflite").read_bytes())
    products = [
        [
            flatbuffer.name_of(content, operator)
            for operator in graph.operators
        ].count("FULLY_CONNECTED")
        for graph in content.subgraphs
    ]
    assert sorted(products) == [0, 1, 1]  # condition, body, what is around
    check(model, tmp_path / "m.tflite")


@pytest.mark.parametrize("layout", ["sparse", "tiled"])
def test_a_layout_without_use_is_refused(layout, tmp_path):
    with pytest.raises(ValueError, match="'dense' and 'auto' work"):
        export_tflite(
            sequential(L.LSTM(24)), tmp_path / "m.tflite", layout=layout
        )
    assert not any(tmp_path.iterdir())


def test_a_layout_that_fails_is_left_out_by_auto(tmp_path, monkeypatch):
    from keras_moduli.export.layouts import layouts

    def broken(kernel, cover, batched):
        return lambda x: keras.ops.matmul(x, 1.01 * kernel)

    monkeypatch.setattr(layouts, "tiled_product", broken)
    model = prune(sequential(L.LSTM(64)), tiles(16))
    report = export_tflite(model, tmp_path / "m.tflite")
    assert report.layout != "tiled"
    assert "does not give what" in report.candidates[-1]["error"]
    with pytest.raises(ExportError, match="does not give what"):
        export_tflite(model, tmp_path / "m.tflite", layout="tiled")
    check(model, tmp_path / "m.tflite")


@pytest.mark.parametrize(
    "quantization", ["int8", pytest.param(None, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("layout", ["sparse", "tiled"])
def test_the_length_may_stay_open(layout, quantization, tmp_path):
    layer = L.LSTM(70, return_sequences=True)
    model = sequential(layer, L.Dense(48), shape=(None, 40))
    mask = {"sparse": blocks(16, 0.9), "tiled": tiles(16, shuffled=True)}
    prune(model, mask[layout])
    export_tflite(model, tmp_path / "m.tflite", quantization, layout, 2)
    atol = 0.03 if quantization else 2e-5
    for length in (1, 13):
        check(model, tmp_path / "m.tflite", (2, length, 40), atol)
