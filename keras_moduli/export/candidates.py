"""One model written in one layout, checked and measured."""

import dataclasses
import gzip
import time

import numpy as np

from keras_moduli.export.flatbuffers import flatbuffer
from keras_moduli.export.layouts.layouts import LAYOUTS
from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.verification.comparison import check_difference
from keras_moduli.export.verification.comparison import largest_difference
from keras_moduli.export.verification.runtime import answers
from keras_moduli.export.verification.runtime import interpreters


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one signature of the file is compared on.

    Attributes:
        program: The signature's `Program`.
        batches: Inputs, a list of dicts.
        references: The model's answers to them.
    """

    program: Program
    batches: list
    references: list


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
        notes: What the layout did, and what to know.
    """

    layout: str
    path: object
    bytes: int
    gzip_bytes: int
    operators: dict
    max_difference: float
    relative_difference: float
    notes: tuple


def write(task, layout, path):
    """Writes a model in one layout to `path`, and checks the file.

    Returns:
        A `Candidate`, or `None` if the layout has no use for the model.

    Raises:
        ExportError: If it cannot be converted, or the file is wrong.
    """
    form, program = LAYOUTS[layout], task.program
    plan = form.plan(program.model, task.quantization, task.optimize_for)
    if plan is None:
        return None
    content = program.converted(
        plan.rewrites,
        task.batch_size,
        task.sequence_length,
        task.quantization,
        task.calibration,
    )
    content, notes = form.finish(content, task.optimize_for)
    if content is None:
        return None
    content = flatbuffer.with_metadata(
        content, {**task.metadata, "layout": layout}
    )
    path.write_bytes(content)
    differences = [
        largest_difference(answer, sample.references)
        for name, sample in task.samples.items()
        for answer in answers(path, name, sample.program, sample.batches)
    ]
    absolute, relative = map(max, zip(*differences, strict=True))
    check_difference(absolute, relative, task.tolerance)
    model = flatbuffer.read(content)
    return Candidate(
        layout=layout,
        path=path,
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        operators=flatbuffer.operator_names(model),
        max_difference=absolute,
        relative_difference=relative,
        notes=plan.notes + notes + _floats(task, model),
    )


def _floats(task, model):
    names = flatbuffer.computed_in_float(model)
    if task.quantization != "full_int8" or not names:
        return ()
    return (f"still computed in float32: {', '.join(names)}",)


def latencies(paths, batch, rounds=30, seconds=2.0):
    """Times files in turn: one thread, default delegates.

    The files alternate, so that whatever else the machine does disturbs all
    of them alike.

    Args:
        paths: A list of `.tflite` files with the same inputs.
        batch: A dict from input name to array.
        rounds: How often each file is run, after one run to warm up.
        seconds: No more rounds begin after this long.

    Returns:
        A list: the median time of one run in milliseconds, for each file.
    """
    invocations = [_invocation(path, batch) for path in paths]
    times = [[] for _ in paths]
    end = time.perf_counter() + seconds
    for count in range(rounds + 1):
        for invoke, taken in zip(invocations, times, strict=True):
            start = time.perf_counter()
            invoke()
            taken.append(time.perf_counter() - start)
        if count >= 3 and time.perf_counter() > end:
            break
    return [float(np.median(taken[1:])) * 1e3 for taken in times]


def _invocation(path, batch):
    """The `invoke` of an interpreter whose inputs are set."""
    interpreter = interpreters(path)["default delegates"]()
    names = list(interpreter.get_signature_list())
    # What `invoke` runs is the first one, which has this name if it is ours.
    runner = interpreter.get_signature_runner(
        SIGNATURE if SIGNATURE in names else names[0]
    )
    runner(**batch)
    details = runner.get_input_details()
    del runner  # it holds references into the interpreter's memory
    for name, array in batch.items():
        interpreter.set_tensor(details[name]["index"], array)
    return interpreter.invoke
