"""How long files take, measured side by side."""

import time

import numpy as np

from keras_moduli.export.programs.tracing import SIGNATURE
from keras_moduli.export.verification.runtime import interpreters


def latencies(paths, batch, rounds=30, seconds=2.0):
    """The median time of one run in milliseconds, for each of several files.

    Takes what `times` takes.
    """
    taken = times(paths, batch, rounds, seconds)
    return [float(np.median(each)) for each in taken]


def times(paths, batch, rounds=30, seconds=2.0):
    """Times files in turn: one thread, default delegates.

    The files alternate, so that whatever else the machine does disturbs all
    of them alike. Each runs twice in its turn, and only the second is timed:
    a file that is in use finds its weights in the processor's cache, where
    the one before, perhaps the larger, does not leave them.

    Args:
        paths: A list of `.tflite` files with the same inputs.
        batch: A dict from input name to array, or the array of the only one.
        rounds: How many runs of each file are timed, after one to warm up.
        seconds: No more rounds begin after this long.

    Returns:
        A list of lists: how many milliseconds each run of each file took.
    """
    invocations = [_invocation(path, batch) for path in paths]
    taken = [[] for _ in paths]
    end = time.perf_counter() + seconds
    for count in range(rounds + 1):
        for invoke, every in zip(invocations, taken, strict=True):
            invoke()
            start = time.perf_counter()
            invoke()
            every.append(1e3 * (time.perf_counter() - start))
        if count >= 3 and time.perf_counter() > end:
            break
    return [every[1:] for every in taken]


def _invocation(path, batch):
    """The `invoke` of an interpreter whose inputs are set."""
    interpreter = interpreters(path)["default delegates"]()
    names = list(interpreter.get_signature_list())
    # What `invoke` runs is the first one, which has this name if it is ours.
    runner = interpreter.get_signature_runner(
        SIGNATURE if SIGNATURE in names else names[0]
    )
    details = runner.get_input_details()
    if not isinstance(batch, dict):
        batch = dict.fromkeys(details, batch)
    batch = {
        name: np.asarray(array, details[name]["dtype"])
        for name, array in batch.items()
    }
    runner(**batch)
    del runner  # it holds references into the interpreter's memory
    for name, array in batch.items():
        interpreter.set_tensor(details[name]["index"], array)
    return interpreter.invoke
