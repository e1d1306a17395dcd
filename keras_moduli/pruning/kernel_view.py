"""A kernel seen as (sources, gates, targets), to be read and masked."""

import numpy as np
from keras import ops

from keras_moduli.pruning.mask_constraint import mask_of
from keras_moduli.pruning.mask_constraint import set_mask
from keras_moduli.utils.backend import peek


class KernelView:
    """A weight seen as `(rows, chosen gates, columns)`.

    Weights of more than two axes (convolutions) count as matrices, with all
    axes but the last as sources.

    Args:
        path: The weight's path in its model.
        variable: The `keras.Variable`.
        count: How many gates stand side by side in its columns.
        gates: Tuple of the gates chosen, `None` for all.
    """

    def __init__(self, path, variable, count, gates):
        self.path = path
        self.variable = variable
        *sources, columns = variable.shape
        self.full_shape = (int(np.prod(sources)), count, columns // count)
        self.gates = tuple(range(count)) if gates is None else gates
        if max(self.gates) >= count:
            raise ValueError(
                f"`gates` must be below {count}, the number of gates of "
                f"'{path}'. Received: gates={gates}"
            )
        self.shape = (self.full_shape[0], len(self.gates), self.full_shape[2])

    @property
    def size(self):
        return int(np.prod(self.shape))

    @property
    def variables(self):
        """All that is masked."""
        return [self.variable]

    @property
    def claims(self):
        """What this view alone may mask: `(path, gate, rows or columns)`."""
        return {
            (self.path, gate, axis)
            for gate in self.gates
            for axis in ("rows", "columns")
        }

    def read(self):
        """The weights, as float32 where they are of lower precision."""
        return self._chosen(self._values())

    def magnitudes(self):
        """Their absolute values, in an array that may be written to."""
        return self._chosen(np.abs(self._values()))

    def _values(self):
        values = peek(self.variable)
        if values.dtype != np.float64:
            values = values.astype(np.float32, copy=False)
        return values

    def mask(self):
        """Where the weights live by the mask attached."""
        return self._chosen(peek(self.variable.constraint.mask))

    def write(self, alive):
        """Sets the mask, and zeroes the weights that it prunes."""
        if len(self.gates) == self.full_shape[1]:
            mask = alive
        else:
            mask = mask_of(self.variable).reshape(self.full_shape)
            mask = np.array(mask)
            mask[:, list(self.gates), :] = alive
        set_mask(self.variable, mask.reshape(self.variable.shape))

    def penalty(self):
        """The moduli penalty, for broadcasting over the weights."""
        regularizer = self.variable.regularizer
        rows, _, columns = self.full_shape
        if not hasattr(regularizer, "penalty") or rows != columns:
            raise ValueError(
                "`by_penalty=True` needs recurrent weights with a "
                f"ModuliRegularizer. Received: '{self.path}' of shape "
                f"{tuple(self.variable.shape)} with "
                f"regularizer={regularizer!r}"
            )
        # Gates share one matrix, unless the regularizer tells them apart.
        gates = self.gates if regularizer.gates else [0]
        return np.stack(
            [
                ops.convert_to_numpy(regularizer.penalty(rows, gate=gate))
                for gate in gates
            ],
            axis=1,
        )

    def _chosen(self, array):
        array = array.reshape(self.full_shape)
        if len(self.gates) == self.full_shape[1]:
            return array
        return array[:, list(self.gates), :]
