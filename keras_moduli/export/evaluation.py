"""The metrics of an exported file, on real data."""

import os
import re
from typing import Any

import keras
import numpy as np

from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.streaming import StreamingProgram
from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.verification.runtime import interpreters


def evaluate_tflite(
    path: str | os.PathLike[str], x: Any, y: Any, model: keras.Model
) -> dict[str, float]:
    """Computes a compiled model's metrics on the answers of a `.tflite` file.

    What `model.evaluate(x, y)` says of the model, this says of the file: as
    LiteRT runs it, under its default delegates.

    Args:
        path: A `.tflite` file of the model, streaming or not.
        x: Inputs: a NumPy array, or a structure of them as the model takes.
        y: Targets, likewise.
        model: The compiled `keras.Model` that the file was made of, or one of
            the same inputs, outputs and metrics.

    Returns:
        A dict from the metric's name to its value.

    Raises:
        ValueError: If the model has no metrics, or the file takes other
            inputs.

    Example:

    ```python
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(x, y)
    keras_moduli.export_tflite(model, "model.tflite", "int8")
    keras_moduli.evaluate_tflite("model.tflite", x, y, model)
    ```
    """
    if not getattr(model, "compiled", False):
        raise ValueError(
            "`model` must be compiled, with the metrics that are wanted. "
            f"Received: model={getattr(model, 'name', model)!r}, not compiled"
        )
    program, runner, size = _runner(path, model)
    feeds = program.feeds(x)
    model.reset_metrics()
    found: dict[str, Any] = {}
    for start in range(0, len(next(iter(feeds.values()))), size):
        part = slice(start, start + size)
        answer = _answer(program, runner, feeds, part, size)
        targets = _part(y, part)
        found = model.compute_metrics(x, targets, answer)
    found = {name: float(v) for name, v in found.items() if name != "loss"}
    if not found:
        raise ValueError(
            "`model` must be compiled with `metrics`. "
            f"Received: model={model.name!r}, compiled without"
        )
    return found


def _runner(path, model):
    """The program that a file was made of, what runs it, the batch size."""
    interpreter = interpreters(path)["default delegates"]()
    if SIGNATURE not in interpreter.get_signature_list():
        raise ValueError(
            "`path` must be a file that `export_tflite` wrote. "
            f"Received: path='{path}'"
        )
    runner = interpreter.get_signature_runner(SIGNATURE)
    details = runner.get_input_details()
    data = [name for name in details if not re.fullmatch(r"state_\d+", name)]
    program = Program(model)
    size = int(details[data[0]]["shape"][0])
    if len(details) > len(data):
        program = StreamingProgram(model, size)
    names = list(program.sample_specs)
    if len(names) == len(data) == 1:
        # The only input is meant, whatever a clone of the model calls it.
        return program, _renaming(runner, names[0], data[0]), size
    if set(names) != set(data):
        raise ValueError(
            f"`path` must take the model's inputs, {names}. "
            f"Received: a file that takes {data}"
        )
    return program, runner, size


def _renaming(runner, name, into):
    def run(**feed):
        return runner(**{into if n == name else n: v for n, v in feed.items()})

    return run


def _part(arrays, part):
    return keras.tree.map_structure(lambda array: array[part], arrays)


def _answer(program, runner, feeds, part, size):
    """The file's answer to a part of the data, in the model's structure."""
    batch = _part(feeds, part)
    count = len(next(iter(batch.values())))
    # The last examples fill a batch by being repeated.
    places = np.arange(size) % count
    batch = {name: array[places] for name, array in batch.items()}
    answer = program.answer(runner, batch)
    return program.unnamed({name: v[:count] for name, v in answer.items()})
