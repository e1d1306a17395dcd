"""The weights of a group in a given model, and which of them live."""

import re

import numpy as np
from keras import ops

from keras_moduli import masking
from keras_moduli.groups import POOLS
from keras_moduli.masks import RANKINGS
from keras_moduli.masks import highest_along
from keras_moduli.masks import kept_count
from keras_moduli.masks import same
from keras_moduli.patterns import Unstructured
from keras_moduli.selection import kernels
from keras_moduli.selection import select


class Members:
    """The kernels of a model that a group prunes.

    Args:
        group: A `PruningGroup`.
        model: A built `keras.Model`.

    Attributes:
        plan: The group's schedule; see `keras_moduli.schedules.plan`.
        target: The sparsity last pruned to, `None` before the first time.
    """

    def __init__(self, group, model):
        self.group = group
        self.plan = None
        self.target = None
        found = kernels(model)
        self.kernels = [
            Kernel(path, variable, _gate_count(path, found), group.gates)
            for path, variable in select(model, group.weights).items()
        ]
        self.check()
        if group.by_penalty:
            for kernel in self.kernels:
                kernel.penalty()  # an error now rather than at some step

    def check(self):
        """Raises a ValueError if the pattern fits no kernel or no schedule."""
        final = self.plan.final_sparsity if self.plan else None
        for kernel in self.kernels:
            self.group.pattern.check(kernel.path, kernel.shape, final)

    @property
    def size(self):
        """How many weights the group has."""
        return sum(kernel.size for kernel in self.kernels)

    def zeros(self):
        """The fraction of exact zeros, counted in whole units."""
        dead = sum(
            np.count_nonzero(~self._alive(k.read() != 0))
            * self.group.pattern.unit_size(k.shape)
            for k in self.kernels
        )
        return dead / self.size

    def resolution(self):
        """How far from its target the sparsity may lie by rounding."""
        group = self.group
        axis = group.pattern.compete_axis
        return max(
            1 / kernel.lines(group.pattern, axis) for kernel in self.kernels
        )

    def adopt(self):
        """Takes the masks from what is exactly zero in the weights."""
        self._write([self._alive(k.read() != 0) for k in self.kernels])

    def advance(self, step):
        """Prunes, if the schedule asks for another sparsity at this step.

        Returns:
            Whether it did.
        """
        target = self.plan.target(step)
        if target is None or target == self.target:
            return False
        self.prune(target)
        return True

    def prune(self, sparsity):
        """Ranks the units and prunes the lowest.

        Args:
            sparsity: The fraction of the group's weights to prune.
        """
        scores, key = self._ranking()
        for kernel, values in zip(self.kernels, scores, strict=True):
            _check_no_nan(kernel.path, values)
        self._write(self._keep(scores, sparsity, key))
        self.target = sparsity

    def _ranking(self):
        """One array of scores for each kernel, and the key they rank by.

        Most often the weights themselves will do, by their magnitudes. But
        where one lives at exactly 0 they do not tell it from pruned ones.
        """
        group = self.group
        if isinstance(group.pattern, Unstructured) and not group.by_penalty:
            weights = [kernel.read() for kernel in self.kernels]
            if all(
                np.count_nonzero(values) == np.count_nonzero(kernel.mask())
                for kernel, values in zip(self.kernels, weights, strict=True)
            ):
                return weights, np.abs
        return [self._scores(kernel) for kernel in self.kernels], same

    def _write(self, alive):
        for kernel, units in zip(self.kernels, alive, strict=True):
            kernel.write(self.group.pattern.expand(units, kernel.shape))

    def _alive(self, nonzero):
        """Which units have any entry that is not zero."""
        return self.group.pattern.pool(nonzero, np.any)

    def _scores(self, kernel):
        pattern, pool = self.group.pattern, POOLS[self.group.score]
        magnitudes = kernel.magnitudes()
        if self.group.by_penalty:
            penalty = kernel.penalty()
            mean = penalty.mean() or 1.0
            magnitudes *= mean / (mean + penalty)
        scores = pattern.pool(magnitudes, pool)
        # What is pruned, and so 0, stays so: below what lives at 0.
        scores -= ~self._alive(kernel.mask())
        return scores

    def _keep(self, scores, sparsity, key):
        pattern = self.group.pattern
        if pattern.compete_axis is None:
            return RANKINGS[self.group.ranking](
                scores,
                [pattern.unit_size(kernel.shape) for kernel in self.kernels],
                [kernel.shape for kernel in self.kernels],
                sparsity,
                key,
            )
        axis = pattern.compete_axis
        return [
            highest_along(s, kept_count(s.shape[axis], sparsity), axis)
            for s in scores
        ]


class Kernel:
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

    def lines(self, pattern, axis):
        """Units that compete with each other."""
        units = pattern.pool(np.zeros(self.shape, bool), np.any).shape
        return units[axis] if axis is not None else int(np.prod(units))

    def read(self):
        """The weights, as float32 where they are of lower precision."""
        return self._chosen(self._values())

    def magnitudes(self):
        """Their absolute values, in an array that may be written to."""
        return self._chosen(np.abs(self._values()))

    def _values(self):
        values = masking.peek(self.variable)
        if values.dtype != np.float64:
            values = values.astype(np.float32, copy=False)
        return values

    def mask(self):
        """Where the weights live by the mask attached."""
        return self._chosen(masking.peek(self.variable.constraint.mask))

    def write(self, alive):
        """Sets the mask, and zeroes the weights that it prunes."""
        if len(self.gates) == self.full_shape[1]:
            mask = alive
        else:
            mask = masking.mask_of(self.variable).reshape(self.full_shape)
            mask = np.array(mask)
            mask[:, list(self.gates), :] = alive
        masking.set_mask(self.variable, mask.reshape(self.variable.shape))

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


def _check_no_nan(path, values):
    if np.isnan(values.max()):
        raise ValueError(
            f"'{path}' has NaN weights, which cannot be ranked: training has "
            "diverged. Lower the learning rate or clip gradients."
        )


def _gate_count(path, found):
    """How many gates a recurrent layer's kernels have side by side.

    The recurrent kernel tells, for itself and for its sibling, the input
    kernel. Everything else is taken as one gate.
    """
    parts = re.fullmatch(r"(.*/|)(recurrent_)?kernel(#\d+)?", path)
    if parts is None:
        return 1
    sibling = f"{parts[1]}recurrent_kernel{parts[3] or ''}"
    if sibling not in found or len(found[sibling].shape) != 2:
        return 1
    rows, columns = found[sibling].shape
    return columns // rows if columns % rows == 0 else 1
