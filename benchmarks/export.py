"""Size and speed of every form of exported file, in one run.

    python benchmarks/export.py            # the full table, about 10 minutes
    python benchmarks/export.py --quick    # small models, about 2 minutes
    python benchmarks/export.py --only shared  # groups that share sources

All forms of one model are timed in turn, run by run, with one thread and the
default delegates, so that whatever else the machine does disturbs them alike.
Ratios are against the dense float32 file of the same model.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_moduli.export import export_saved_model
from keras_moduli.export import export_tflite
from keras_moduli.export.timing import latencies
from keras_moduli.models.kernels import select
from keras_moduli.patterns import Blocks
from keras_moduli.patterns import SharedSources
from keras_moduli.patterns import Tiles
from keras_moduli.patterns import Unstructured
from keras_moduli.pruning.ranking import highest_along
from keras_moduli.pruning.ranking import kept_count
from keras_moduli.pruning.ranking import lowest

FEATURES, STEPS, OUTPUTS = 64, 20, 64

LAYERS = {
    "LSTM": keras.layers.LSTM,
    "GRU": keras.layers.GRU,
    "SimpleRNN": keras.layers.SimpleRNN,
}

# Name, units relative to 512, pattern, sparsity, pruned weights, and the
# forms of file: (quantization, layout). The first is what ratios refer to.
DENSE = [(None, "dense"), ("int8", "dense")]
CASES = [
    ("(16,1) blocks", 1, Blocks((16, 1)), 0.9, "rnn", [("int8", "sparse")]),
    ("(4,1) blocks", 1, Blocks((4, 1)), 0.9, "rnn", [(None, "sparse")]),
    (
        "tiles of 64",
        2,
        Tiles(64, balanced=True),
        0.875,
        "recurrent",
        [(None, "tiled"), ("float16", "tiled"), ("int8", "tiled")],
    ),
    *(
        (
            f"shared sources, groups of {group}",
            multiple,
            SharedSources(group),
            0.9,
            "recurrent",
            [(None, "gathered"), ("int8", "gathered")],
        )
        for multiple, group in ((0.5, 64), (1, 64), (2, 128))
    ),
    (
        "unstructured",
        1,
        Unstructured(),
        0.9,
        "rnn",
        [(None, "sparse"), ("float16", "sparse")],
    ),
    ("unstructured", 1, Unstructured(), 0.98, "rnn", [(None, "sparse")]),
]


def pruned_model(kind, units, pattern, sparsity, weights):
    """A model with random weights, pruned by magnitude in a pattern."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((STEPS, FEATURES), name="x"),
            LAYERS[kind](units, name="rnn"),
            keras.layers.Dense(OUTPUTS, name="out"),
        ]
    )
    for variable in select(model, weights).values():
        kernel = keras.ops.convert_to_numpy(variable)
        # A layer's gates stand side by side; the read-out has one.
        shape = (len(kernel), -(-kernel.shape[1] // units), -1)
        variable.assign(
            magnitude_pruned(kernel.reshape(shape), pattern, sparsity).reshape(
                kernel.shape
            )
        )
    return model


def magnitude_pruned(kernel, pattern, sparsity):
    """A kernel `(rows, gates, columns)` with its smallest units zeroed."""
    scores = pattern.pool(np.abs(kernel), np.mean)
    axis = pattern.compete_axis
    if axis is None:
        dead = scores.size - kept_count(scores.size, sparsity)
        alive = ~lowest(scores, dead)
    else:
        kept = kept_count(scores.shape[axis], sparsity)
        alive = highest_along(scores, kept, axis)
    return kernel * pattern.expand(alive, kernel.shape)


def tflite_rows(kind, case, base, rounds):
    """The table's lines for one model in all forms of file."""
    name, multiple, pattern, sparsity, weights, forms = case
    units = int(base * multiple)
    model = pruned_model(kind, units, pattern, sparsity, weights)
    forms = DENSE + forms
    x = np.random.default_rng(0).normal(size=(1, STEPS, FEATURES))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.tflite" for i in range(len(forms))]
        reports = [
            export_tflite(model, path, *form, optimize_for="latency")
            for form, path in zip(forms, paths, strict=True)
        ]
        times = latencies(
            paths, {"x": x.astype("float32")}, rounds=rounds, seconds=60
        )
    zeros = np.mean(model.get_layer("rnn").cell.recurrent_kernel == 0)
    return [
        f"| {kind}({units}) | {zeros:.1%} {name} | {layout}, "
        f"{quantization or 'float32'} | {report.bytes / 1e6:.3f} "
        f"| {reports[0].bytes / report.bytes:.1f} | {time:.3f} "
        f"| {times[0] / time:.1f} | {report.relative_difference:.1e} |"
        for (quantization, layout), report, time in zip(
            forms, reports, times, strict=True
        )
    ]


def streaming_rows(base, rounds):
    """The table's lines for one step at a time, an LSTM in all forms."""
    units, group = 2 * base, 128
    model = pruned_model("LSTM", units, SharedSources(group), 0.9, "recurrent")
    forms = [*DENSE, (None, "gathered"), ("int8", "gathered")]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.tflite" for i in range(len(forms))]
        for form, path in zip(forms, paths, strict=True):
            export_tflite(model, path, *form, streaming=True)
        runner = Interpreter(str(paths[0])).get_signature_runner()
        inputs = {
            name: np.zeros(one["shape"], one["dtype"])
            for name, one in runner.get_input_details().items()
        }
        times = latencies(paths, inputs, rounds=rounds, seconds=60)
    return [
        f"| LSTM({units}) | {layout}, {quantization or 'float32'} "
        f"| {1e3 * time:.1f} | {times[0] / time:.1f} | {times[1] / time:.1f} |"
        for (quantization, layout), time in zip(forms, times, strict=True)
    ]


def folder_rows(base):
    """The table's lines for SavedModel folders."""
    rows = []
    for sparsity in (0.9, 0.98):
        model = pruned_model(
            "LSTM", 2 * base, Unstructured(), sparsity, "kernels"
        )
        with tempfile.TemporaryDirectory() as folder:
            dense, compact = (
                export_saved_model(model, Path(folder) / layout, layout)
                for layout in ("dense", "compact")
            )
        rows.append(
            f"| LSTM({2 * base}) | {sparsity:.0%} unstructured "
            f"| {dense.bytes / 1e6:.2f} | {compact.bytes / 1e6:.2f} "
            f"| {dense.bytes / compact.bytes:.1f} |"
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--layers", nargs="+", default=list(LAYERS))
    parser.add_argument("--only", default="", help="a word of the zeros' name")
    arguments = parser.parse_args()
    base, rounds = (128, 50) if arguments.quick else (512, 300)
    print(
        "| model | zeros | file | MB | times smaller | ms | times faster "
        "| relative difference |\n|---|---|---|---|---|---|---|---|"
    )
    for kind in arguments.layers:
        for case in (case for case in CASES if arguments.only in case[0]):
            for row in tflite_rows(kind, case, base, rounds):
                print(row, flush=True)
    print(
        "\n| one step, 90 % in groups of 128 | file | us "
        "| times faster than float32 | than int8 |\n|---|---|---|---|---|"
    )
    for row in streaming_rows(base, rounds):
        print(row, flush=True)
    print(
        "\n| model | zeros | dense folder, MB | compact folder, MB "
        "| times smaller |\n|---|---|---|---|---|"
    )
    for row in folder_rows(base):
        print(row, flush=True)


if __name__ == "__main__":
    main()
