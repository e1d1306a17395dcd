"""Size and speed of every form of exported file, in one run.

    python benchmarks/export.py            # the full table, about 5 minutes
    python benchmarks/export.py --quick    # small LSTMs, one for each pattern
    python benchmarks/export.py --only shared  # groups that share sources
    python benchmarks/export.py --only shared --features 16 --outputs 0
                                               # nearly the layer alone

All forms of one model are timed in turn, run by run, with one thread and the
default delegates, so that whatever else the machine does disturbs them alike.
Ratios are against the dense float32 file of the same model. The dense twin is
a smaller dense model with about as many weights as are left of the pruned one.
"""

import argparse
import contextlib
import dataclasses
import io
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from pruned_models import LAYERS
from pruned_models import dense_twin
from pruned_models import pruned_model

from keras_moduli.export import export_saved_model
from keras_moduli.export import export_tflite
from keras_moduli.export.timing import latencies
from keras_moduli.patterns import Blocks
from keras_moduli.patterns import SharedSources
from keras_moduli.patterns import Tiles
from keras_moduli.patterns import Unstructured

SHARED = SharedSources(128)

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
        for group, multiple in ((128, 0.5), (128, 1), (128, 2), (256, 2))
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


@dataclasses.dataclass(frozen=True)
class Size:
    """What all models have in common, and how many there are."""

    base: int = 512  # units
    rounds: int = 300
    layers: tuple = tuple(LAYERS)
    cases: tuple = tuple(CASES)
    lengths: tuple = (20, 100, 1000)
    steps: int = 20
    features: int = 64
    outputs: int = 64


FULL = Size()
QUICK = Size(
    base=256,
    rounds=30,
    layers=("LSTM",),
    # One of each pattern, the last.
    cases=tuple({type(case[2]): case for case in CASES}.values()),
    lengths=(20, 100),
)


def tflite_rows(size, kind, case):
    """The table's lines for one model in all forms of file."""
    name, multiple, pattern, sparsity, weights, forms = case
    units = int(size.base * multiple)
    model = pruned_model(size, kind, units, pattern, sparsity, weights)
    twin = dense_twin(size, kind, model)
    twin_units = twin.get_layer("rnn").units
    files = [(model, form, _words(form)) for form in DENSE + forms]
    files.append((twin, DENSE[-1], f"dense twin, {kind}({twin_units}), int8"))
    x = np.random.default_rng(0).normal(size=(1, size.steps, size.features))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.tflite" for i in range(len(files))]
        reports = [
            export_tflite(one, path, *form, optimize_for="latency")
            for (one, form, _), path in zip(files, paths, strict=True)
        ]
        times = latencies(
            paths, {"x": x.astype("float32")}, rounds=size.rounds, seconds=60
        )
    zeros = np.mean(model.get_layer("rnn").cell.recurrent_kernel == 0)
    return [
        f"| {kind}({units}) | {zeros:.1%} {name} | {form} "
        f"| {report.bytes / 1e6:.3f} "
        f"| {reports[0].bytes / report.bytes:.1f} | {time:.3f} "
        f"| {times[0] / time:.1f} | {report.relative_difference:.1e} |"
        for (*_, form), report, time in zip(files, reports, times, strict=True)
    ]


def _words(form):
    """What a table calls a form of file."""
    quantization, layout = form
    return f"{layout}, {quantization or 'float32'}"


def streaming_rows(size):
    """The table's lines for one step at a time, an LSTM in all forms."""
    units = 2 * size.base
    model = pruned_model(size, "LSTM", units, SHARED, 0.9, "recurrent")
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
        times = latencies(paths, inputs, rounds=size.rounds, seconds=60)
    return [
        f"| LSTM({units}) | {_words(form)} "
        f"| {1e3 * time:.1f} | {times[0] / time:.1f} | {times[1] / time:.1f} |"
        for form, time in zip(forms, times, strict=True)
    ]


def length_rows(size):
    """The table's lines for outputs of all steps, beside TensorFlow's file."""
    units = size.base // 4
    for steps in size.lengths:
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((steps, 16), batch_size=1, name="x"),
                keras.layers.LSTM(units, return_sequences=True),
            ]
        )
        x = np.random.default_rng(0).normal(size=(1, steps, 16))
        with tempfile.TemporaryDirectory() as folder:
            stock, ours = (Path(folder) / f"{i}.tflite" for i in range(2))
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_ops = [
                tf.lite.OpsSet.TFLITE_BUILTINS
            ]
            with contextlib.redirect_stdout(io.StringIO()):
                stock.write_bytes(converter.convert())
            export_tflite(model, ours, "int8", "dense")
            times = latencies(
                [stock, ours],
                x.astype("float32"),
                rounds=size.rounds,
                seconds=60,
            )
            bytes_ = [path.stat().st_size for path in (stock, ours)]
        stock, ours = (1e3 * time / steps for time in times)
        yield (
            f"| LSTM({units}), {steps} steps | {bytes_[0]:,} | {stock:.1f} "
            f"| {bytes_[1]:,} | {ours:.1f} | {stock / ours:.1f} |"
        )


def folder_rows(size):
    """The table's lines for SavedModel folders."""
    rows = []
    for sparsity in (0.9, 0.98):
        units = 2 * size.base
        model = pruned_model(
            size, "LSTM", units, Unstructured(), sparsity, "kernels"
        )
        with tempfile.TemporaryDirectory() as folder:
            dense, compact = (
                export_saved_model(model, Path(folder) / layout, layout)
                for layout in ("dense", "compact")
            )
        rows.append(
            f"| LSTM({units}) | {sparsity:.0%} unstructured "
            f"| {dense.bytes / 1e6:.2f} | {compact.bytes / 1e6:.2f} "
            f"| {dense.bytes / compact.bytes:.1f} |"
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--layers", nargs="+", choices=LAYERS)
    parser.add_argument("--only", default="", help="a word of the zeros' name")
    parser.add_argument("--features", type=int, default=FULL.features)
    parser.add_argument(
        "--outputs", type=int, default=FULL.outputs, help="0: no read-out"
    )
    arguments = parser.parse_args()
    size = dataclasses.replace(
        QUICK if arguments.quick else FULL,
        features=arguments.features,
        outputs=arguments.outputs,
    )
    print(
        "| model | zeros | file | MB | times smaller | ms | times faster "
        "| relative difference |\n|---|---|---|---|---|---|---|---|"
    )
    cases = [case for case in size.cases if arguments.only in case[0]]
    for kind in arguments.layers or size.layers:
        for case in cases:
            for row in tflite_rows(size, kind, case):
                print(row, flush=True)
    print(
        "\n| one step, 90 % in groups of 128 | file | us "
        "| times faster than float32 | than int8 |\n|---|---|---|---|---|"
    )
    for row in streaming_rows(size):
        print(row, flush=True)
    print(
        "\n| all outputs, int8 | TensorFlow's file, bytes | us a step "
        "| ours, bytes | us a step | times faster |\n|---|---|---|---|---|---|"
    )
    for row in length_rows(size):
        print(row, flush=True)
    print(
        "\n| model | zeros | dense folder, MB | compact folder, MB "
        "| times smaller |\n|---|---|---|---|---|"
    )
    for row in folder_rows(size):
        print(row, flush=True)


if __name__ == "__main__":
    main()
