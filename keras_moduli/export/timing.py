"""How long files take, measured side by side."""

import time

import numpy as np

from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.verification.runtime import interpreters


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
