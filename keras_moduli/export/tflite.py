"""`export_tflite`: a Keras model becomes a verified .tflite file."""

import os
import warnings
from typing import Any

import keras

from keras_moduli.export import candidates
from keras_moduli.export.arguments import check_batch_size
from keras_moduli.export.arguments import check_calibration
from keras_moduli.export.arguments import check_choice
from keras_moduli.export.arguments import check_model
from keras_moduli.export.arguments import check_positive_integer
from keras_moduli.export.arguments import check_precision
from keras_moduli.export.arguments import check_sequence_length
from keras_moduli.export.arguments import check_target
from keras_moduli.export.arguments import check_targets
from keras_moduli.export.arguments import check_tolerance
from keras_moduli.export.candidates import Task
from keras_moduli.export.description import description
from keras_moduli.export.errors import CoarseWarning
from keras_moduli.export.errors import ExportError
from keras_moduli.export.evaluation import evaluate_model
from keras_moduli.export.evaluation import evaluate_tflite
from keras_moduli.export.layouts.layouts import LAYOUTS
from keras_moduli.export.programs.legacy import LegacyProgram
from keras_moduli.export.programs.legacy import check_stripped
from keras_moduli.export.programs.legacy import is_legacy
from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.streaming import StreamingProgram
from keras_moduli.export.programs.streaming import WholeAndStreaming
from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.programs.tracing import in_float32
from keras_moduli.export.report import ExportReport
from keras_moduli.export.sampling import calibration_of
from keras_moduli.export.sampling import samples_of
from keras_moduli.export.timing import latencies
from keras_moduli.export.verification.comparison import TOLERANCES
from keras_moduli.export.verification.runtime import RUNTIMES
from keras_moduli.layers.conversion import without_sparse_layers
from keras_moduli.utils.files import atomic_path


def export_tflite(
    model: keras.Model,
    path: str | os.PathLike[str],
    quantization: str | None = None,
    layout: str = "auto",
    batch_size: int = 1,
    *,
    optimize_for: str = "size",
    streaming: bool = False,
    sequence_length: int | None = None,
    inputs: Any = None,
    targets: Any = None,
    metrics: Any = None,
    tolerance: float | None = None,
    runtime: str = "litert",
) -> ExportReport:
    """Writes a Keras model as a .tflite file for the stock LiteRT runtime.

    The file uses built-in operators only, and takes its name only after the
    LiteRT interpreter has run it, under its default delegates and with its
    built-in kernels, on several inputs, and has given what Keras gives. A
    model of mixed precision is compared, and runs, in float32.

    Args:
        model: A built `keras.Model` with finite weights, or a stripped model
            of tf_keras (no `"tiled"` layout, not stateful).
        path: The file to write; must end with `".tflite"`. What stands there
            is replaced once the new file is known to be right.
        quantization: `None` for float32, `"float16"`, `"int8"` (int8
            weights, activations quantized as they come; matrices of fewer
            than 1,024 weights stay float), or `"full_int8"` (8-bit integers
            wherever the runtime has them; what stays float is noted in the
            report. Ranges are learnt from `inputs`, recurrent layers
            unrolled; inputs and outputs are float32). Defaults to `None`.
        layout: How zeros are made use of. `"dense"`: not at all.
            `"sparse"`: only nonzeros are stored; float32 in blocks of 4
            sources, int8 in blocks of 16 and very sparse float32 are also
            faster, anything else is as fast as dense. `"tiled"`: kernels
            whose nonzeros lie in whole tiles become a few small dense
            products, fast at any quantization. `"auto"` writes all that
            apply and keeps the best. Defaults to `"auto"`.
        batch_size: The fixed batch size. Defaults to `1`.
        optimize_for: What `"auto"` keeps. `"size"`: the smallest file, and of
            those within 5 % of it the fastest. `"latency"`: the file that
            runs fastest here (one thread, default delegates), and of those
            within 10 % of it the smallest. Defaults to `"size"`.
        streaming: Whether the file computes one step of the sequence: inputs
            are the step `(batch, 1, ...)` and `state_0`, `state_1`, ...,
            which begin as zeros; outputs are the step's output and the new
            states, under the same names. Compared with the model over 100
            steps. `"both"` writes one file with two signatures that share
            the weights: `"serving_default"` for whole sequences and
            `"streaming"` for one step. Defaults to `False`.
        sequence_length: The length of dimensions that the model leaves open.
            `None` leaves them open in the file too (resize the input before
            use, as signature runners do). Defaults to `None`.
        inputs: Real examples to verify with, besides made ones, in the
            structure `model.predict` takes. Subclassed models need them, and
            `"full_int8"`, which learns its ranges from up to 100 batches of
            them and is compared on the first 16 alone: give what is typical.
            Made whole numbers are drawn from the range of the model's
            `Embedding` layers, or {0, 1}.
        targets: What the model should answer to `inputs`: the report then has
            its metrics on all of them, of the Keras model and of the file as
            LiteRT runs it.
        metrics: For `targets`, as `evaluate_tflite` takes them. Defaults to
            those that the model is compiled with.
        tolerance: The largest allowed difference, relative to the largest
            output of the model on the inputs compared. Defaults to 1e-4
            (float32), 1e-2 (float16), 1e-1 (int8) or 2e-1 (full_int8); files
            that are further off, but coarse and not wrong, are then written
            with an `export.CoarseWarning`.
        runtime: `"litert"`, or `"micro"` for microcontrollers: the file is
            then one that TFLite Micro computes rightly (streaming, float32 or
            `"full_int8"`), is run on its interpreter, which the extra `micro`
            installs, and the report has the bytes of tensor arena it needs.
            Defaults to `"litert"`.

    Returns:
        A `keras_moduli.export.report.ExportReport`. With `layout="auto"` its
        `candidates` lists size and latency of everything that was tried.

    Raises:
        TypeError, ValueError: If an argument cannot work, or the layout has
            no use for this model; nothing is written.
        ExportError: If the model cannot be converted, or the converted file
            does not give what the model gives. What stood at `path` stays.

    Example:

    ```python
    model = keras.Sequential(
        [keras.Input((32, 8)), keras.layers.LSTM(64), keras.layers.Dense(3)]
    )
    report = keras_moduli.export_tflite(model, "model.tflite", "int8")
    print(report.bytes, report.max_difference)
    ```
    """
    path = check_target(path, ".tflite")
    check_model(model, legacy=True)
    check_precision(model)
    check_targets(model, inputs, targets, metrics)
    original = model
    if not is_legacy(model):
        # The layouts know Keras's own layers, and find the zeros in them.
        model = without_sparse_layers(model)
    check_choice("quantization", quantization, tuple(TOLERANCES))
    check_choice("layout", layout, ("auto", *LAYOUTS))
    check_choice("optimize_for", optimize_for, tuple(candidates.CHOICES))
    given = check_tolerance(tolerance)
    tolerance = given or TOLERANCES[quantization]
    batch_size = check_positive_integer("batch_size", batch_size)
    if sequence_length is not None:
        check_positive_integer("sequence_length", sequence_length)
    check_choice("streaming", streaming, (False, True, "both"))
    check_choice("runtime", runtime, tuple(RUNTIMES))
    RUNTIMES[runtime].check(streaming, quantization)
    _check_layout(layout, runtime)
    program = _program(model, inputs, batch_size, streaming)
    check_batch_size(program, batch_size)
    check_sequence_length(program, sequence_length, inputs)
    if quantization == "full_int8":
        check_calibration(program, sequence_length, inputs)
    of_model, of_file = None, None
    if targets is not None:
        of_model = evaluate_model(
            original, inputs, targets, metrics, begins_anew=bool(streaming)
        )
    with in_float32(program.model), atomic_path(path) as temporary:
        task = Task(
            program=program,
            quantization=quantization,
            optimize_for=optimize_for,
            batch_size=batch_size,
            sequence_length=sequence_length,
            samples=samples_of(
                program, batch_size, sequence_length, inputs, quantization
            ),
            calibration=calibration_of(
                program, batch_size, inputs, quantization
            ),
            tolerance=tolerance,
            runtime=RUNTIMES[runtime],
            may_be_coarse=given is None,
            metadata=description(program, quantization),
        )
        make = _try_all if layout == "auto" else _only
        chosen, table = make(task, layout, temporary.parent)
        arena = task.runtime.arena_bytes(chosen.path)
        if targets is not None:
            of_file = evaluate_tflite(
                chosen.path, inputs, targets, original, metrics=metrics
            )
        os.replace(chosen.path, temporary)
    for note in chosen.warnings:
        warnings.warn(f"{path}: {note}", CoarseWarning, stacklevel=2)
    return ExportReport(
        path=str(path),
        format="tflite",
        layout=chosen.layout,
        quantization=quantization,
        bytes=chosen.bytes,
        gzip_bytes=chosen.gzip_bytes,
        operators=chosen.operators,
        sparsity=task.metadata["sparsity"],
        max_difference=chosen.max_difference,
        relative_difference=chosen.relative_difference,
        median_difference=chosen.median_difference,
        high_difference=chosen.high_difference,
        tolerance=tolerance,
        notes=chosen.notes + chosen.warnings,
        candidates=table,
        arena_bytes=arena,
        model_metrics=of_model,
        file_metrics=of_file,
    )


def _program(model, inputs, batch_size, streaming):
    if is_legacy(model):
        check_stripped(model)
        if streaming:
            raise ValueError(
                "`streaming` needs a Keras 3 model. "
                f"Received: model={model.name!r} of tf_keras"
            )
        return LegacyProgram(model, inputs)
    if streaming:
        make = WholeAndStreaming if streaming == "both" else StreamingProgram
        return make(model, batch_size)
    return Program(model, inputs)


def _only(task, layout, folder):
    """Writes the model in one layout."""
    made = candidates.write(task, layout, folder / f"{layout}.candidate")
    if made is None:
        raise ValueError(
            f"`layout` {layout!r} is of no use for this model: "
            f"{LAYOUTS[layout].useless}; 'dense' and 'auto' work. "
            f"Received: layout={layout!r}, quantization={task.quantization!r}"
        )
    return made, ()


def _check_layout(layout, runtime):
    possible = RUNTIMES[runtime].layouts
    if possible and layout not in ("auto", *possible):
        raise ValueError(
            f"`layout` must be 'auto' or one of {', '.join(possible)} for "
            f"`runtime` {runtime!r}. Received: layout={layout!r}"
        )


def _try_all(task, layout, folder):
    """Writes the model in every layout that applies, and chooses one."""
    del layout
    made, failed = [], []
    for name in task.runtime.layouts or LAYOUTS:
        try:
            one = candidates.write(task, name, folder / f"{name}.candidate")
        except ExportError as error:
            failed.append({"layout": name, "error": str(error)})
        else:
            made += [one] if one else []
    if not made:
        raise ExportError(failed[0]["error"])
    longest = max(
        task.samples[SIGNATURE].batches,
        key=lambda batch: sum(array.size for array in batch.values()),
    )
    times = latencies(
        [one.path for one in made], task.program.invocation(longest)
    )
    table = [
        {
            "layout": one.layout,
            "bytes": one.bytes,
            "gzip_bytes": one.gzip_bytes,
            "latency_ms": time,
            "max_difference": one.max_difference,
        }
        for one, time in zip(made, times, strict=True)
    ]
    best = candidates.CHOICES[task.optimize_for](table)
    return made[table.index(best)], (*table, *failed)
