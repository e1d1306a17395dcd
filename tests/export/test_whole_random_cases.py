"""Whatever the model: an exported file is right, or the export raises."""

import tempfile
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from running import RESOLVERS
from running import runner_of

from keras_moduli.export import ExportError
from keras_moduli.export import export_tflite

L = keras.layers
CELLS = {
    "lstm": L.LSTM,
    "gru": L.GRU,
    "gru_reset_before": lambda units, **o: L.GRU(units, reset_after=False, **o),
    "simple_rnn": L.SimpleRNN,
}
# What the weights' precision allows, relative to the largest output.
TOLERANCES = {None: 1e-4, "float16": 1e-2, "int8": 0.1, "full_int8": 0.2}


def shortened(case):
    """Files of full integers unroll every step: not too many of them."""
    if case["quantization"] == "full_int8":
        return {**case, "steps": min(case["steps"], 40)}
    return case


cases = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(sorted(CELLS)),
        "units": st.integers(1, 70),
        "features": st.integers(1, 40),
        "steps": st.sampled_from([1, 2, 5, 40, 120]),
        "batch_size": st.integers(1, 3),
        "wrapped": st.sampled_from(["plain", "bidirectional", "stacked"]),
        "sequences": st.booleans(),
        "read_out": st.integers(0, 33),
        "block": st.sampled_from([(1, 1), (4, 1), (16, 1), (16, 16), (1, 64)]),
        "sparsity": st.sampled_from([0.0, 0.5, 0.9, 0.98, 1.0]),
        "layout": st.sampled_from(
            ["dense", "sparse", "tiled", "gathered", "auto"]
        ),
        "quantization": st.sampled_from([None, "float16", "int8", "full_int8"]),
        "optimize_for": st.sampled_from(["size", "latency"]),
        "seed": st.integers(0, 2**20),
    }
).map(shortened)


def make(case):
    """The model of a case, its kernels pruned in blocks."""
    keras.utils.set_random_seed(case["seed"])
    layer = CELLS[case["cell"]](
        case["units"], return_sequences=case["sequences"]
    )
    layers = [keras.Input((case["steps"], case["features"]), name="x")]
    if case["wrapped"] == "bidirectional":
        layer = L.Bidirectional(layer)
    elif case["wrapped"] == "stacked":
        layers.append(L.GRU(17, return_sequences=True))
    layers.append(layer)
    if case["read_out"]:
        layers.append(L.Dense(case["read_out"]))
    model = keras.Sequential(layers)
    rng = np.random.default_rng(case["seed"])
    for weight in model.trainable_weights:
        if len(weight.shape) == 2 and "bias" not in weight.path:
            mask = np.kron(
                rng.random(weight.shape) >= case["sparsity"],
                np.ones(case["block"]),
            )[: weight.shape[0], : weight.shape[1]]
            weight.assign(keras.ops.convert_to_numpy(weight) * mask)
        elif "bias" in weight.path:
            weight.assign(rng.normal(size=weight.shape) / 3)
    return model


def data(case):
    """Inputs of two sizes, of which one batch each is fed."""
    rng = np.random.default_rng(case["seed"] + 1)
    shape = (case["batch_size"], case["steps"], case["features"])
    return [
        (scale * rng.normal(size=shape)).astype("float32")
        for scale in (1.0, 4.0)
    ]


def right_or_raises(case):
    model = make(case)
    names = ("layout", "quantization", "batch_size", "optimize_for")
    arguments = {name: case[name] for name in names}
    if case["quantization"] == "full_int8":
        # Its ranges are right for what they were learnt from.
        arguments["inputs"] = np.concatenate(data(case))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.tflite"
        try:
            report = export_tflite(model, path, **arguments)
        except (ValueError, ExportError) as error:
            assert (
                case["layout"] not in ("dense", "auto")
                # Where 8 bits for every activation are too few.
                or case["quantization"] == "full_int8"
                and "does not give what" in str(error)
            ), error
            assert not list(Path(folder).iterdir())
            return
        if any(note.startswith("coarse") for note in report.notes):
            # Single numbers may be anywhere; most of them are near.
            assert report.median_difference < TOLERANCES[case["quantization"]]
            return
        for x in data(case):
            wanted = keras.ops.convert_to_numpy(model(x))
            largest = max(np.abs(wanted).max(), 0.1)
            for resolver in RESOLVERS:
                runner = runner_of(path, resolver)
                np.testing.assert_allclose(
                    runner(x=x)["output_0"],
                    wanted,
                    rtol=0,
                    atol=TOLERANCES[case["quantization"]] * largest,
                )


@hypothesis.settings(
    max_examples=4, deadline=None, derandomize=True, database=None
)
@hypothesis.given(cases)
def test_files_are_right_or_exports_raise(case):
    right_or_raises(case)


@pytest.mark.slow
@hypothesis.settings(
    max_examples=300, deadline=None, derandomize=True, database=None
)
@hypothesis.given(cases)
def test_three_hundred_files_are_right_or_exports_raise(case):
    right_or_raises(case)
