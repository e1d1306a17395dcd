"""How long the .tflite files of a job take."""

import math

import numpy as np

from keras_moduli.export import timing

_QUARTILES = {"median_ms": 50, "low_ms": 25, "high_ms": 75}


def latencies(files, inputs, rounds=200):
    """Runs several files in turn, one thread each, under default delegates.

    Args:
        files: A dict from name to the path of a `.tflite` file; all of them
            take the same inputs.
        inputs: Array of one invocation's input, or a dict from name to array.
        rounds: How often each file is run.

    Returns:
        A dict from name to `{"median_ms", "low_ms", "high_ms"}`: the median
        and the quartiles, in milliseconds.
    """
    times = timing.times(list(files.values()), inputs, rounds, math.inf)
    return {
        name: {
            key: float(np.percentile(taken, percent))
            for key, percent in _QUARTILES.items()
        }
        for name, taken in zip(files, times, strict=True)
    }
