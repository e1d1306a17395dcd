"""What regularizers and constraints see of a gathered kernel."""

import keras
import numpy as np
from keras import ops

from keras_moduli.layers.layout import from_matrix
from keras_moduli.layers.layout import to_matrix


def on_connections(regularizer, gathering):
    """A regularizer of a plain kernel as one of a gathered kernel.

    Args:
        regularizer: A regularizer or `None`. Those of Keras take the weight
            as it is; a `ModuliRegularizer` has its penalties gathered.
        gathering: The `Gathering`.

    Returns:
        A regularizer of the weight, or `None`.

    Raises:
        ValueError: If the regularizer is a trainable one.
    """
    if not hasattr(regularizer, "penalty"):
        return regularizer
    if isinstance(regularizer, keras.Layer):
        raise ValueError(
            "A regularizer of a sparse layer's kernel cannot be a trainable "
            "ModuliRegularizer: the connections stay where they are. Use one "
            f"with trainable=False. Received: {regularizer!r}"
        )
    return ConnectionPenalty(regularizer, gathering)


class ConnectionPenalty(keras.regularizers.Regularizer):
    """A `ModuliRegularizer`'s value of a kernel that is zero elsewhere."""

    def __init__(self, regularizer, gathering):
        sources, gates = gathering.sources, gathering.gates
        groups, fan_in = sources.shape
        rows, units, size = gathering.rows, gathering.units, gathering.size
        told_apart = regularizer.gates
        if not told_apart and rows != units:
            raise ValueError(
                "`gates` of the regularizer must be given for a kernel of "
                f"{rows} sources and {units} targets, as for Keras's layers. "
                "Received: gates=None"
            )
        if told_apart and len(told_apart) != gates:
            raise ValueError(
                f"`gates` of the regularizer must be for {gates} gates. "
                f"Received: {len(told_apart)} gates"
            )
        targets = np.arange(units).reshape(groups, 1, size)
        penalties = [
            ops.convert_to_numpy(regularizer.penalty(rows, units, gate))[
                sources[:, :, None], targets
            ]
            for gate in range(gates if told_apart else 1)
        ]
        self._penalty = np.stack(penalties, axis=2)
        self._shape = groups, fan_in, gates, size
        self._strength = ops.abs if regularizer.power == 1 else ops.square
        # The mean is over all entries of the plain kernel.
        self._factor = regularizer.factor * fan_in / rows

    def __call__(self, x):
        x = ops.reshape(ops.cast(x, "float32"), self._shape)
        # PyTorch's own product would not take an array of NumPy.
        penalties = ops.multiply(self._strength(x), self._penalty)
        return self._factor * ops.mean(penalties)


class ByColumn(keras.constraints.Constraint):
    """A constraint of a plain kernel: axis 0 is a target's sources."""

    def __init__(self, constraint, gates):
        self._constraint = constraint
        self._gates = gates

    def __call__(self, w):
        matrix = self._constraint(to_matrix(w, self._gates))
        return from_matrix(matrix, w.shape[0], self._gates)
