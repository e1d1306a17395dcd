"""All weights of a recurrent layer's units, to be read and masked as one."""

import dataclasses

import numpy as np

from keras_moduli.models.unit_kernels import unit_kernels
from keras_moduli.pruning.kernel_view import KernelView


def unit_views(model, chosen, view):
    """The units of recurrent layers.

    Args:
        model: A built Sequential or functional `keras.Model`.
        chosen: The layers' recurrent kernels, a dict from path to variable.
        view: From a kernel's path to its `KernelView`.

    Returns:
        A list of `UnitView`s.
    """
    return [
        UnitView(path, _sides(path, found, view))
        for path, found in unit_kernels(model, chosen).items()
    ]


def _sides(path, found, view):
    return [
        *(Columns(view(own)) for own in found.own),
        Rows(view(path), 0, found.units, own=True),
        *(Rows(view(p), first, found.units) for p, first in found.readers),
    ]


class UnitView:
    """The units of a recurrent layer, seen as `(weights, 1, units)`.

    Where a kernel stands between two layers, a weight lives if both its units
    do. Either layer's view keeps what the other one says.

    Args:
        path: Path of the layer's recurrent kernel in its model.
        sides: List of `Columns` and `Rows`: where units have their weights.
    """

    def __init__(self, path, sides):
        self.path = path
        self._sides = sides
        self.shape = self._joined(lambda k: np.zeros(k.shape, bool)).shape

    @property
    def size(self):
        return int(np.prod(self.shape))

    @property
    def variables(self):
        return [side.kernel.variable for side in self._sides]

    @property
    def claims(self):
        """What this view alone may mask: see `KernelView.claims`."""
        return {
            (side.kernel.path, gate, side.axis)
            for side in self._sides
            for gate in side.kernel.gates
        }

    def read(self):
        """The weights, as float32 where they are of lower precision."""
        return self._joined(KernelView.read)

    def magnitudes(self):
        """Their absolute values, in an array that may be written to."""
        return self._joined(KernelView.magnitudes)

    def mask(self):
        """Where the weights live by the masks attached."""
        return self._joined(KernelView.mask)

    def write(self, alive):
        """Sets the masks, and zeroes the weights that they prune."""
        for side in self._sides:
            side.write(alive.any((0, 1)))

    def _joined(self, read):
        parts = [side.weights(read(side.kernel)) for side in self._sides]
        return np.concatenate(parts)[:, None, :]


@dataclasses.dataclass
class Columns:
    """Units that are a kernel's targets, in all gates.

    Attributes:
        kernel: The `KernelView`.
    """

    kernel: KernelView

    axis = "columns"

    def weights(self, array):
        """The units' entries of an array like the kernel, `(n, units)`."""
        return array.reshape(-1, array.shape[-1])

    def write(self, alive):
        rows, _ = _factors(self.kernel)
        _write(self.kernel, rows, alive)


@dataclasses.dataclass
class Rows:
    """Units that are some of a kernel's sources.

    Attributes:
        kernel: The `KernelView`.
        first: The row of the first unit.
        units: How many there are.
        own: Whether they are its targets too. What a unit reads of itself is
            counted there.
    """

    kernel: KernelView
    first: int
    units: int
    own: bool = False

    axis = "rows"

    def weights(self, array):
        """The units' entries of an array like the kernel, `(n, units)`."""
        array = np.moveaxis(array[self._slice], 0, -1)
        if self.own:
            array = array * ~np.eye(self.units, dtype=bool)
        return array.reshape(-1, self.units)

    def write(self, alive):
        rows, columns = _factors(self.kernel)
        rows[self._slice] = alive
        _write(self.kernel, rows, columns)

    @property
    def _slice(self):
        return slice(self.first, self.first + self.units)


def _factors(kernel):
    """Which rows and columns live by a mask; no layer is without any."""
    mask = kernel.mask()
    return mask.any((1, 2)), mask.any((0, 1))


def _write(kernel, rows, columns):
    mask = rows[:, None, None] & columns
    kernel.write(np.broadcast_to(mask, kernel.shape))
