"""How long .tflite files take, measured side by side."""

import time

import numpy as np

from keras_moduli.export.verification.runtime import interpreters


def latencies(files, inputs, rounds=200):
    """Runs several files in turn, one thread each, under default delegates.

    The files alternate, so that whatever else the machine does disturbs all
    of them alike.

    Args:
        files: A dict from name to the path of a `.tflite` file; all of them
            take the same inputs.
        inputs: Array of one invocation's input, or a dict from name to array.
        rounds: How often each file is run, after a tenth as many to warm up.

    Returns:
        A dict from name to `{"median_ms", "low_ms", "high_ms"}`: the median
        and the quartiles, in milliseconds.
    """
    runners = {name: _runner(file, inputs) for name, file in files.items()}
    times = {name: [] for name in files}
    for _ in range(rounds // 10 + rounds):
        for name, invoke in runners.items():
            start = time.perf_counter()
            invoke()
            times[name].append(time.perf_counter() - start)
    return {
        name: _summary(values[rounds // 10 :]) for name, values in times.items()
    }


def _runner(file, inputs):
    """The `invoke` of an interpreter that has its inputs."""
    interpreter = interpreters(file)["default delegates"]()
    details = interpreter.get_signature_runner().get_input_details()
    if not isinstance(inputs, dict):
        inputs = {name: inputs for name in details}  # the only one
    for name, array in inputs.items():
        index = details[name]["index"]
        interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()
    for name, array in inputs.items():
        detail = details[name]
        interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))
    return interpreter.invoke


def _summary(seconds):
    low, median, high = np.percentile(seconds, [25, 50, 75]) * 1e3
    return {"median_ms": median, "low_ms": low, "high_ms": high}
