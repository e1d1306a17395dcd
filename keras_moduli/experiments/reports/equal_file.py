"""The dense model whose exported file is as large as another one."""

import dataclasses
import math
import tempfile
import warnings
from pathlib import Path

from keras_moduli.export import CoarseWarning
from keras_moduli.export import export_tflite
from keras_moduli.utils.files import size_of

_MOST_EXPORTS = 8


def units_of_file(task, size, quantization, first=64):
    """The recurrent units of the dense model that fills a file.

    Args:
        task: A task; its number of units does not count.
        size: Bytes of the file.
        quantization: As in `export_tflite`.
        first: The number of units to try first.

    Returns:
        The units with which a dense, exported model comes nearest to the size,
        and the bytes of its file.

    Raises:
        ValueError: If even one unit makes a larger file.
    """
    sizes = {}
    units = first
    while units not in sizes and len(sizes) < _MOST_EXPORTS:
        sizes[units] = _bytes(task, units, quantization)
        units = _next(sizes, size)
    best = min(sizes, key=lambda units: abs(sizes[units] - size))
    if best == 1 and sizes[best] > size:
        raise ValueError(
            "`size` must be that of a dense model of one unit at least, "
            f"{sizes[best]:,} bytes. Received: size={size}"
        )
    return best, sizes[best]


def _next(sizes, size):
    """The units on the line through the two nearest in size."""
    near = sorted(sizes, key=lambda units: abs(sizes[units] - size))[:2]
    if len(near) == 1:
        # Weights grow at most with the square of the units.
        return max(1, round(near[0] * math.sqrt(size / sizes[near[0]])))
    one, other = near
    slope = (sizes[one] - sizes[other]) / (one - other)
    return max(1, round(one + (size - sizes[one]) / slope))


def _bytes(task, units, quantization):
    """The size of the dense file of so many units; weights do not count."""
    model = dataclasses.replace(task, units=units).model(1, None)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Nobody keeps this file, or need know that it is coarse.
        warnings.simplefilter("ignore", CoarseWarning)
        path = Path(folder) / "dense.tflite"
        export_tflite(
            model, path, quantization, sequence_length=task.sequence_length
        )
        return size_of(path)
