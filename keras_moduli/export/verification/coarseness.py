"""Whether a quantized file that is far from its model is wrong, or coarse.

A recurrent net can make much of little: where its dynamics are unstable, a
rounding grows with every step, and a file that is as good as its model on any
data differs much from it in single numbers. A runtime or a conversion that is
wrong is so everywhere: for some output, at an early step, or for many of the
examples; or all of a sudden.
"""

import numpy as np

from keras_moduli.export.verification.comparison import scaled_differences

EARLY = 8  # steps in which roundings have not grown yet
_EXAMPLES = 75  # percent of the examples that must be near their answers
_GROWTH = 1000  # more than roundings grow from one step to the next


def typical_difference(answers, references):
    """How far the answers are where nothing had time to grow.

    Args:
        answers: A list of dicts from output name to array, one per batch of
            inputs such as the model was made for.
        references: The model's answers, likewise.

    Returns:
        The largest of three kinds of medians of the relative difference: of
        every number that an output holds, of every early step, and of the
        examples, but for a quarter of them.
    """
    largest = 0.0
    for name in references[0]:
        arrays = _early(scaled_differences(answers, references, name))
        examples = np.concatenate([np.median(a, axis=(1, 2)) for a in arrays])
        rows = [a.reshape(-1, a.shape[2]) for a in arrays]
        numbers = np.median(np.concatenate(rows), axis=0)
        steps = [
            np.median(
                [np.median(a[:, step]) for a in arrays if step < a.shape[1]]
            )
            for step in range(max(a.shape[1] for a in arrays))
        ]
        largest = max(
            largest,
            np.percentile(examples, _EXAMPLES),
            np.max(numbers),
            np.max(steps),
        )
    return float(largest)


def sudden_difference(answers, references, small):
    """How far the answers are at once, where roundings would have grown.

    Args:
        answers, references: As for `typical_difference`.
        small: A relative difference that is none.

    Returns:
        The relative difference at the first step where it is no longer small,
        and was much smaller at all steps before; 0.0 if there is none.
    """
    for name in references[0]:
        for each in scaled_differences(answers, references, name):
            if each.ndim < 3:
                continue  # without a time axis
            steps = each.reshape(*each.shape[:2], -1).max(axis=(0, 2))
            before = np.maximum.accumulate(steps)[:-1]
            far = (steps[1:] > small) & (steps[1:] > _GROWTH * before)
            if far.any():
                return float(steps[1:][far][0])
    return 0.0


def distribution(answers, references):
    """The median and the 99th percentile of all relative differences."""
    every = np.concatenate(
        [
            difference.reshape(-1)
            for name in references[0]
            for difference in scaled_differences(answers, references, name)
        ]
    )
    return tuple(float(p) for p in np.percentile(every, [50, 99]))


def _early(differences):
    """The early steps of an output, arrays `(examples, steps, numbers)`."""
    arrays = []
    for difference in map(np.atleast_2d, differences):
        steps = difference.shape[1] if difference.ndim > 2 else 1
        array = difference.reshape(len(difference), steps, -1)
        arrays.append(array[:, :EARLY])
    if len({array.shape[2] for array in arrays}) == 1:
        return arrays
    # An open length that is no time axis: its numbers have no places.
    return [array.reshape(-1, 1, 1) for array in arrays]
