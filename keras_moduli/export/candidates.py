"""One model written in one layout, checked and measured."""

import dataclasses
import gzip
from typing import Any

import keras
import numpy as np

from keras_moduli.export.errors import ExportError
from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.flatbuffers import traps
from keras_moduli.export.flatbuffers import zeros
from keras_moduli.export.layouts.layouts import LAYOUTS
from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.streaming import StreamingProgram
from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.verification.coarseness import distribution
from keras_moduli.export.verification.coarseness import sudden_difference
from keras_moduli.export.verification.coarseness import typical_difference
from keras_moduli.export.verification.comparison import TOLERANCES
from keras_moduli.export.verification.comparison import check_difference
from keras_moduli.export.verification.comparison import largest_difference
from keras_moduli.export.verification.rounding import check_rounded
from keras_moduli.export.verification.runtime import answers
from keras_moduli.models.layers import all_layers


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be written, however it is laid out.

    Attributes:
        program: The `Program`.
        quantization: `None`, `"float16"`, `"int8"` or `"full_int8"`.
        optimize_for: `"size"` or `"latency"`.
        batch_size: The fixed batch size.
        sequence_length: The length of open dimensions, or `None`.
        samples: A dict from signature to its `Sample`.
        calibration: What `Program.converted` takes, or `None`.
        tolerance: What is allowed.
        runtime: What runs the file; see `RUNTIMES`.
        may_be_coarse: Whether a file that is right may be further off.
        metadata: A dict to store in the file.
    """

    program: Program
    quantization: str | None
    optimize_for: str
    batch_size: int
    sequence_length: int | None
    samples: dict
    calibration: dict | None
    tolerance: float
    runtime: Any
    may_be_coarse: bool
    metadata: dict


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A file that was written and gave the right answers.

    Attributes:
        layout: The layout's name.
        path: Where the file is now.
        bytes: Its size.
        gzip_bytes: Its size when gzipped.
        operators: A dict from operator to how often it occurs.
        max_difference: The largest absolute difference from the model.
        relative_difference: The largest relative one.
        median_difference: The median of the relative ones, without extreme
            inputs.
        high_difference: Their 99th percentile.
        notes: What the layout did, and what to know.
        warnings: What to be warned of.
    """

    layout: str
    path: object
    bytes: int
    gzip_bytes: int
    operators: dict
    max_difference: float
    relative_difference: float
    median_difference: float
    high_difference: float
    notes: tuple
    warnings: tuple


def write(task, layout, path):
    """Writes a model in one layout to `path`, and checks the file.

    Returns:
        A `Candidate`, or `None` if the layout has no use for the model.

    Raises:
        ExportError: If it cannot be converted, or the file is wrong.
    """
    form = LAYOUTS[layout]
    content, notes = _converted(task, form, task.quantization)
    if content is None:
        return None
    content = flatbuffer.with_metadata(
        content, {**task.metadata, "layout": layout}
    )
    path.write_bytes(content)
    answered = _answered(task, task.samples, path)
    absolute, relative = _largest(answered)
    is_coarse = not relative <= task.tolerance
    if is_coarse:
        difference = absolute, relative
        _check_only_coarse(task, form, path, content, answered, difference)
    spread = [distribution(*pair) for pair in _typical_pairs(answered)]
    median, high = map(max, zip(*spread, strict=True))
    coarse = (
        "coarse: it differs from the model by as much as "
        f"{relative:.2g} of the largest output (median {median:.2g}, 99 % "
        f"below {high:.2g}), but is not wrong. Ask "
        "`keras_moduli.evaluate_tflite` how good it is on real data.",
    ) * is_coarse
    model = flatbuffer.read(content)
    return Candidate(
        layout=layout,
        path=path,
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        operators=flatbuffer.operator_names(model),
        max_difference=absolute,
        relative_difference=relative,
        median_difference=median,
        high_difference=high,
        notes=notes
        + tuple(traps.copied_outputs(model))
        + _floats(task, model)
        + _unrolled(task, len(content)),
        warnings=coarse,
    )


def _converted(task, form, quantization):
    """The content of a file and the layout's notes, or `None` and none."""
    program = task.program
    plan = form.plan(program.model, quantization, task.optimize_for)
    if plan is None:
        return None, ()
    content = program.converted(
        plan.rewrites,
        task.batch_size,
        task.sequence_length,
        quantization,
        task.calibration if quantization == "full_int8" else None,
    )
    content, notes = form.finish(content, task.optimize_for)
    if content is not None:
        content = task.runtime.finish(zeros.fill(content))
    return content, plan.notes + notes


def _answered(task, samples, path):
    """What a file answers in every way to run it, with its `Sample`."""
    return [
        (answer, sample)
        for name, sample in samples.items()
        for answer in answers(
            task.runtime, path, name, sample.run, sample.batches
        )
    ]


def _largest(answered):
    """The largest absolute and the largest relative difference."""
    found = [largest_difference(a, sample.references) for a, sample in answered]
    return tuple(map(max, zip(*found, strict=True)))


def _typical_pairs(answered):
    """Answers and references for the inputs that are not extreme."""
    return [
        (answer[: sample.typical], sample.references[: sample.typical])
        for answer, sample in answered
    ]


def _check_only_coarse(task, form, path, written, answered, difference):
    """Raises an `ExportError` if a file that is far off is wrong.

    It is coarse if it is near its model wherever roundings have not grown, its
    numbers are the model's weights, rounded, and the same file without
    quantization is near the model too, or leaves it as roundings grow.
    """
    absolute, relative = difference
    if not task.may_be_coarse or not np.isfinite(relative):
        check_difference(absolute, relative, task.tolerance)
    _check_settled(task, path, relative, task.tolerance)
    if task.quantization is not None:
        content, _ = _converted(task, form, None)
        if content is None:
            check_difference(absolute, relative, task.tolerance)
        check_rounded(written, content)
        path = path.with_suffix(".float32")
        path.write_bytes(content)
        answered = _answered(task, task.samples, path)
        _check_settled(task, path, _largest(answered)[1], TOLERANCES[None])
    for pair in _typical_pairs(answered):
        sudden = sudden_difference(*pair, TOLERANCES[None])
        if sudden:
            raise ExportError(
                f"{_WRONG}: without quantization they are nearly the same up "
                f"to some step, and differ by {sudden:.3g} of the largest "
                "output at the next. Nothing was left at the target."
            )


def _check_settled(task, path, relative, tolerance):
    """Raises an `ExportError` if a file is far off without any growth."""
    settled = {name: one.settled() for name, one in task.samples.items()}
    typical = max(
        typical_difference(*pair)
        for pair in _typical_pairs(_answered(task, settled, path))
    )
    if not typical <= tolerance:
        raise ExportError(
            f"{_WRONG}: they differ by {relative:.3g} of the largest output, "
            f"and by {typical:.3g} where roundings have not had time to grow, "
            "for some number, step or a quarter of the examples; "
            f"{tolerance:.3g} is allowed. Nothing was left at the target."
        )


_WRONG = (
    "what was written does not give what the Keras model gives, and is wrong, "
    "not only coarse"
)


def _unrolled(task, size):
    """Says that a file holds every step of a sequence apart."""
    whole = task.samples.get(SIGNATURE)
    recurrent = any(
        isinstance(layer, keras.layers.RNN)
        for layer in all_layers(task.program.model)
    )
    if task.quantization != "full_int8" or not recurrent or not whole:
        return ()
    if isinstance(whole.program, StreamingProgram):
        return ()
    return (
        f"every step of the sequence is stored apart, {size:,} bytes in all, "
        "because integer kernels have no loops: `streaming=True` gives a file "
        "of one step",
    )


def _floats(task, model):
    names = flatbuffer.computed_in_float(model)
    if task.quantization != "full_int8" or not names:
        return ()
    return (f"still computed in float32: {', '.join(names)}",)


def _best(first, slack, second):
    """Least in `first`; of those within `slack` of it, least in `second`."""

    def choose(table):
        limit = slack * min(row[first] for row in table)
        near = [row for row in table if row[first] <= limit]
        return min(near, key=lambda row: row[second])

    return choose


# How one of several candidates is chosen, by `optimize_for`.
CHOICES = {
    "size": _best("bytes", 1.05, "latency_ms"),
    "latency": _best("latency_ms", 1.1, "bytes"),
}
