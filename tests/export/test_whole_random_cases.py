"""Whatever the model: an exported file is right, or the export raises."""

import itertools
import tempfile
from pathlib import Path

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
LAYOUTS = ("dense", "sparse", "tiled", "gathered", "auto")
# What is pruned together: blocks, or for all gates of a group of targets the
# same sources. Most layouts have a use for some forms only.
BLOCKS, TILES, SHARED = ((1, 1), (4, 1), (16, 1)), ((16, 16),), ((1, 8),)
FORMS = {"sparse": BLOCKS, "tiled": TILES, "gathered": SHARED}
# What else makes a case: each value in as many cases as any other.
CHOICES = {
    "wrapped": ("plain", "bidirectional", "stacked"),
    "form": BLOCKS + TILES + SHARED,
    "sparsity": (0.0, 0.5, 0.9, 0.98, 1.0),
    "steps": (1, 2, 5, 40, 120),
    "sequences": (False, True),
    "batch_size": (1, 2, 3),
    "optimize_for": ("size", "latency"),
    "units": range(1, 71),
    "features": range(1, 41),
    "read_out": range(34),
}


def drawn(seed):
    """A case for every cell, layout and quantization; the rest is drawn."""
    rng = np.random.default_rng(seed)
    kinds = list(itertools.product(CELLS, LAYOUTS, TOLERANCES))
    columns = {
        name: [values[i % len(values)] for i in rng.permutation(len(kinds))]
        for name, values in CHOICES.items()
    }
    for number, kind in enumerate(kinds):
        case = {name: column[number] for name, column in columns.items()}
        case.update(
            zip(("cell", "layout", "quantization"), kind, strict=True),
            seed=number,
        )
        if case["quantization"] == "full_int8":
            # Its files unroll every step: not too many of them.
            case["steps"] = min(case["steps"], 40)
        forms = FORMS.get(case["layout"], (case["form"],))
        case["form"] = forms[number % len(forms)]
        if case["form"] in SHARED:
            case["units"] += -case["units"] % 8
        yield case


# This seed is one with which every two choices meet.
CASES = list(drawn(seed=13019))


def alive(shape, case, rng):
    """Where a kernel has weights other than zero."""
    rows, columns = shape
    gates = 1
    if case["form"] in SHARED and columns % case["units"] == 0:
        gates = columns // case["units"]
    columns //= gates
    kept = rng.random((rows, columns)) >= case["sparsity"]
    mask = np.kron(kept, np.ones(case["form"]))[:rows, :columns]
    return np.tile(mask, gates)


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
            mask = alive(weight.shape, case, rng)
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


def named(case):
    return "-".join(str(case[k]) for k in ("cell", "layout", "quantization"))


# In the quick suite: one of each cell.
QUICK = (
    "lstm-auto-int8",
    "gru-gathered-None",
    "gru_reset_before-sparse-float16",
    "simple_rnn-tiled-None",
)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=named(case),
            marks=[] if named(case) in QUICK else pytest.mark.slow,
        )
        for case in CASES
    ],
)
def test_files_are_right_or_exports_raise(case):
    right_or_raises(case)


def test_every_two_choices_meet():
    many = ("units", "features", "read_out", "seed")
    # Forms are as the layouts have a use for them.
    names = CASES[0].keys() - {*many, "form"}
    for one, other in itertools.combinations(names, 2):
        met = {(case[one], case[other]) for case in CASES}
        ones, others = ({case[n] for case in CASES} for n in (one, other))
        missing = set(itertools.product(ones, others)) - met
        assert missing <= {("full_int8", 120), (120, "full_int8")}, missing
