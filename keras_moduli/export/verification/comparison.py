"""How far the answers of an exported file are from the model's."""

import numpy as np

from keras_moduli.export.errors import ExportError


def largest_difference(answers, references):
    """Compares answers with what the model gave.

    Args:
        answers: A list of dicts from output name to array, one per batch.
        references: The model's answers, likewise.

    Returns:
        A pair: the largest absolute difference, and the largest relative
        one. The latter is relative to the largest value that the output has
        in the same batch, or in the usual batch if that is more: a batch of
        zeros may well give nearly nothing.
    """
    absolute, relative = 0.0, 0.0
    for name in references[0]:
        for answer, reference, scale in _compared(answers, references, name):
            difference = float(
                np.max(_difference(answer, reference), initial=0)
            )
            absolute = max(absolute, difference)
            relative = max(relative, difference / scale)
    return absolute, relative


def scaled_differences(answers, references, name):
    """The relative differences of one output, an array for each batch."""
    return [
        _difference(answer, reference) / scale
        for answer, reference, scale in _compared(answers, references, name)
    ]


def _compared(answers, references, name):
    """Answer, reference and scale of one output, for each batch."""
    wanted = [reference[name] for reference in references]
    usual = float(np.median([_largest(array) for array in wanted]))
    for answer, array in zip(answers, wanted, strict=True):
        scale = max(_largest(array), usual, _SMALLEST_SCALE)
        yield answer[name], array, scale


def check_difference(absolute, relative, tolerance):
    """Raises an `ExportError` if the difference is not tolerable."""
    if not relative <= tolerance:
        raise ExportError(
            "what was written does not give what the Keras model gives: they "
            f"differ by {absolute:.3g}, which is {relative:.3g} of the "
            f"largest output, and {tolerance:.3g} is allowed. Nothing was "
            "left at the target. Give `tolerance=` if such a difference is "
            "acceptable."
        )


def _largest(array):
    array = np.asarray(array, "float64")
    return float(np.max(np.abs(array[np.isfinite(array)]), initial=0))


def _difference(answer, wanted):
    """The differences; infinite where one of the two is not a number."""
    if answer.shape != wanted.shape:
        return np.full(wanted.shape, np.inf)
    answer, wanted = (
        np.asarray(answer, "float64"),
        np.asarray(wanted, "float64"),
    )
    finite = np.isfinite(wanted)
    if not np.array_equal(answer[~finite], wanted[~finite], equal_nan=True):
        return np.full(wanted.shape, np.inf)
    difference = np.zeros(wanted.shape)
    # A NaN compares as small with everything: call it infinitely far.
    difference[finite] = np.nan_to_num(
        np.abs(answer[finite] - wanted[finite]), nan=np.inf, posinf=np.inf
    )
    return difference


# How far a file may be from its model: rounding for float32, the precision of
# the weights for the others.
TOLERANCES = {None: 1e-4, "float16": 1e-2, "int8": 1e-1, "full_int8": 2e-1}

# Outputs that are always smaller than this are taken for zero.
_SMALLEST_SCALE = 1e-3
