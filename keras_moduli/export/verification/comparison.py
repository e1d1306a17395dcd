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
    usual = _usual_sizes(references)
    for answer, reference in zip(answers, references, strict=True):
        for name, wanted in reference.items():
            difference = _difference(answer[name], wanted)
            scale = max(_largest(wanted), usual[name], _SMALLEST_SCALE)
            absolute = max(absolute, difference)
            relative = max(relative, difference / scale)
    return absolute, relative


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


def _usual_sizes(references):
    """The median over the batches of each output's largest value."""
    return {
        name: float(
            np.median([_largest(reference[name]) for reference in references])
        )
        for name in references[0]
    }


def _largest(array):
    array = np.asarray(array, "float64")
    return float(np.max(np.abs(array[np.isfinite(array)]), initial=0))


def _difference(answer, wanted):
    """The largest difference; infinite if one of the two is not a number."""
    if answer.shape != wanted.shape:
        return float("inf")
    answer, wanted = (
        np.asarray(answer, "float64"),
        np.asarray(wanted, "float64"),
    )
    finite = np.isfinite(wanted)
    if not np.array_equal(answer[~finite], wanted[~finite], equal_nan=True):
        return float("inf")
    # A NaN compares as small with everything: call it infinitely far.
    difference = np.abs(answer[finite] - wanted[finite])
    return float(
        np.max(np.nan_to_num(difference, nan=np.inf, posinf=np.inf), initial=0)
    )


# Outputs that are always smaller than this are taken for zero.
_SMALLEST_SCALE = 1e-3
