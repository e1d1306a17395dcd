"""One file for whole sequences and for one step, with shared weights."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from running import RESOLVERS

from keras_moduli.export import ExportError
from keras_moduli.export import candidates
from keras_moduli.export import export_tflite
from keras_moduli.export import inspect

L = keras.layers


def model_of(length, block=None):
    """A model whose recurrent kernel is nonzero in few blocks of sources."""
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((length, 20), name="x"),
            L.LSTM(64, return_sequences=True),
            L.Dense(9),
        ]
    )
    if block:
        kernel = model.layers[0].cell.recurrent_kernel
        alive = np.random.default_rng(0).random(
            (64 // block[0], 256 // block[1])
        )
        kernel.assign(
            keras.ops.convert_to_numpy(kernel)
            * np.kron(alive < 0.1, np.ones(block))
        )
    return model


def check(model, path, length, atol):
    """Runs both signatures by hand against Keras."""
    x = np.random.default_rng(1).normal(size=(2, length, 20)).astype("float32")
    wanted = model.predict(x, verbose=0)
    for resolver in RESOLVERS:
        interpreter = Interpreter(
            str(path), experimental_op_resolver_type=resolver
        )
        whole = interpreter.get_signature_runner("serving_default")
        np.testing.assert_allclose(whole(x=x)["output_0"], wanted, atol=atol)
        step = interpreter.get_signature_runner("streaming")
        state = {f"state_{i}": np.zeros((2, 64), "float32") for i in range(2)}
        for t in range(length):
            answer = step(x=x[:, t : t + 1], **state)
            state = {name: answer[name] for name in state}
            np.testing.assert_allclose(
                answer["output_0"], wanted[:, t : t + 1], atol=atol
            )


@pytest.mark.parametrize(
    "layout, quantization, block, length, atol",
    [
        ("dense", None, None, 7, 1e-5),
        pytest.param(
            "sparse", "int8", (16, 1), None, 0.03, marks=pytest.mark.slow
        ),
        pytest.param(
            "sparse", None, (4, 1), None, 1e-5, marks=pytest.mark.slow
        ),
        pytest.param(
            "sparse", "float16", (1, 1), 7, 2e-3, marks=pytest.mark.slow
        ),
        pytest.param("tiled", None, (16, 16), 7, 1e-5, marks=pytest.mark.slow),
        pytest.param(
            "tiled", "int8", (16, 16), None, 0.03, marks=pytest.mark.slow
        ),
    ],
)
def test_both_signatures_give_what_keras_gives(
    layout, quantization, block, length, atol, tmp_path
):
    model = model_of(length, block)
    options = {"layout": layout, "batch_size": 2, "optimize_for": "size"}
    sizes = {
        streaming: export_tflite(
            model,
            tmp_path / "m.tflite",
            quantization,
            streaming=streaming,
            **options,
        ).bytes
        for streaming in (False, True, "both")
    }
    check(model, tmp_path / "m.tflite", length or 11, atol)
    # The second form adds its operators, not its weights.
    more = sizes["both"] - max(sizes[False], sizes[True])
    assert more < 20_000
    if layout == "dense":
        assert more < 0.2 * 4 * model.count_params()


@pytest.mark.slow
def test_auto_and_inspect(tmp_path):
    model = model_of(None, (16, 16))
    report = export_tflite(
        model, tmp_path / "m.tflite", batch_size=2, streaming="both"
    )
    assert {row["layout"] for row in report.candidates} >= {"dense", "tiled"}
    found = inspect(tmp_path / "m.tflite")
    assert found.signatures["serving_default"]["inputs"] == {
        "x": "float32 (2, ?, 20)"
    }
    assert found.signatures["streaming"] == {
        "inputs": {
            "x": "float32 (2, 1, 20)",
            "state_0": "float32 (2, 64)",
            "state_1": "float32 (2, 64)",
        },
        "outputs": {
            "output_0": "float32 (2, 1, 9)",
            "state_0": "float32 (2, 64)",
            "state_1": "float32 (2, 64)",
        },
    }
    assert "signature streaming" in str(found)


@pytest.mark.parametrize("wrong", ["serving_default", "streaming"])
def test_each_signature_is_verified(wrong, tmp_path, monkeypatch):
    """If the runtime gives other numbers for one of them, it is found out."""
    honest = candidates.answers

    def answers(runtime, path, name, run, batches):
        for answer in honest(runtime, path, name, run, batches):
            yield (
                [
                    {key: 1.1 * value for key, value in one.items()}
                    for one in answer
                ]
                if name == wrong
                else answer
            )

    monkeypatch.setattr(candidates, "answers", answers)
    with pytest.raises(ExportError, match="does not give what"):
        export_tflite(
            model_of(5), tmp_path / "m.tflite", layout="dense", streaming="both"
        )
    assert not any(tmp_path.iterdir())


def test_an_unknown_form_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`streaming` must be one of"):
        export_tflite(model_of(5), tmp_path / "m.tflite", streaming="all")
    with pytest.raises(ValueError, match="recurrent layers"):
        export_tflite(
            keras.Sequential([keras.Input((5, 3)), L.Dense(2)]),
            tmp_path / "m.tflite",
            streaming="both",
        )
