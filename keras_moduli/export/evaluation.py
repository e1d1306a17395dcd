"""The metrics of an exported file, on real data."""

import os
import re
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np

from keras_moduli.export.programs.examples import inputs_explained
from keras_moduli.export.programs.program import Program
from keras_moduli.export.programs.streaming import StreamingProgram
from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.verification.runtime import interpreters
from keras_moduli.layers.conversion import without_sparse_layers


def evaluate_tflite(
    path: str | os.PathLike[str],
    x: Any,
    y: Any,
    model: keras.Model,
    *,
    metrics: Any = None,
) -> dict[str, float]:
    """Computes a model's metrics on the answers of a `.tflite` file.

    What `model.evaluate(x, y)` says of the model, this says of the file: as
    LiteRT runs it, under its default delegates.

    Args:
        path: A `.tflite` file of the model, streaming or not.
        x: Inputs: a NumPy array, or a structure of them as the model takes.
        y: Targets, likewise.
        model: The `keras.Model` that the file was made of, or one of the same
            inputs, outputs and metrics.
        metrics: What `model.compile` takes as `metrics`: names, metrics,
            losses or functions. `None` for those that the model is compiled
            with. Defaults to `None`.

    Returns:
        A dict from the metric's name to its value.

    Raises:
        ValueError: If there are no metrics, the file takes other inputs, or
            `y` has another length than `x`.

    Example:

    ```python
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(x, y)
    keras_moduli.export_tflite(model, "model.tflite", "int8")
    keras_moduli.evaluate_tflite("model.tflite", x, y, model)
    ```
    """
    judge = _judge(model, metrics)
    program, runner, size = _runner(path, without_sparse_layers(model), x)

    def answer(batch):
        return program.unnamed(program.answer(runner, batch))

    return _judged(judge, program, x, y, answer, size)


def evaluate_model(
    model: keras.Model,
    x: Any,
    y: Any,
    metrics: Any = None,
    begins_anew: bool = False,
) -> dict[str, float]:
    """What `evaluate_tflite` says of a file, said of its Keras model.

    Args:
        model, x, y, metrics: As for `evaluate_tflite`.
        begins_anew: Whether stateful layers are at zero for every batch, as
            streaming files have it, and do not go on from the one before.
    """
    judge = _judge(model, metrics)
    program = Program(model, x)

    def answer(batch):
        with program.fresh_state() if begins_anew else nullcontext():
            return model.predict_on_batch(program.pack(batch))

    size = program.fixed_batch_size or _BATCH
    with program.fresh_state(), inputs_explained(model):
        return _judged(judge, program, x, y, answer, size)


_BATCH = 32


def _judge(model, metrics):
    """A compiled model whose metrics are wanted; its weights are not used."""
    if metrics is not None:
        # Not the model itself, which keeps what it is compiled with.
        judge = keras.Model()
        judge.compile(metrics=keras.tree.map_structure(_of_examples, metrics))
        return judge
    if not getattr(model, "compiled", False):
        raise ValueError(
            "`model` must be compiled, with the metrics that are wanted; or "
            "give `metrics`. "
            f"Received: model={getattr(model, 'name', model)!r}, not compiled"
        )
    return model


def _of_examples(metric):
    """A loss as a mean over examples, whatever the batches; others as is."""
    if isinstance(metric, keras.losses.Loss):
        return keras.metrics.MeanMetricWrapper(metric.call, name=metric.name)
    return metric


def _judged(judge, program, x, y, answer, size):
    """The metrics of what `answer` gives for batches of one size."""
    feeds = program.feeds(x)
    count = len(next(iter(feeds.values())))
    _check_lengths(y, count)
    judge.reset_metrics()
    found = {}
    # Files take one example at a time; metrics take longer than that, each.
    judged = size * -(-_BATCH // size)
    for begin in range(0, count, judged):
        part = slice(begin, begin + judged)
        answers = _answers(_part(feeds, part), answer, size)
        found = judge.compute_metrics(x, _part(y, part), answers)
    found = {name: float(v) for name, v in found.items() if name != "loss"}
    if not found:
        raise ValueError(
            "`model` must be compiled with `metrics`, or give them here. "
            f"Received: model={program.model.name!r}, compiled without"
        )
    return found


def _answers(feeds, answer, size):
    """What `answer` gives for all examples of some inputs."""
    count = len(next(iter(feeds.values())))
    answers = []
    for start in range(0, count, size):
        batch = _part(feeds, slice(start, start + size))
        held = len(next(iter(batch.values())))
        # The last examples fill a batch by being repeated.
        filled = _part(batch, np.arange(size) % held)
        answers.append(_part(answer(filled), slice(held)))
    return keras.tree.map_structure(
        lambda *arrays: np.concatenate(arrays), *answers
    )


def _check_lengths(y, count):
    lengths = {
        len(leaf) if np.ndim(leaf) else None for leaf in keras.tree.flatten(y)
    }
    if not count or lengths != {count}:
        raise ValueError(
            "inputs and targets must be arrays of as many examples. Received: "
            f"{count} inputs, targets of length {sorted(lengths, key=str)}"
        )


def _runner(path, model, x):
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
    program = Program(model, x)
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
