"""The weights of a group in a given model, and which of them live."""

import numpy as np

from keras_moduli.models.kernels import gate_count
from keras_moduli.models.kernels import kernels
from keras_moduli.models.kernels import select
from keras_moduli.patterns import Unstructured
from keras_moduli.pruning.group import POOLS
from keras_moduli.pruning.kernel_view import KernelView
from keras_moduli.pruning.ranking import RANKINGS
from keras_moduli.pruning.ranking import highest_along
from keras_moduli.pruning.ranking import kept_count
from keras_moduli.pruning.ranking import same


class BoundGroup:
    """The kernels of a model that a group prunes.

    Args:
        group: A `PruningGroup`.
        model: A built `keras.Model`.

    Attributes:
        plan: The group's schedule; see `keras_moduli.pruning.schedules.get`.
        target: The sparsity last pruned to, `None` before the first time.
    """

    def __init__(self, group, model):
        self.group = group
        self.plan = None
        self.target = None
        found = kernels(model)
        self.kernels = [
            KernelView(path, variable, gate_count(path, found), group.gates)
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


def _check_no_nan(path, values):
    if np.isnan(values.max()):
        raise ValueError(
            f"'{path}' has NaN weights, which cannot be ranked: training has "
            "diverged. Lower the learning rate or clip gradients."
        )
