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
from keras_moduli.pruning.unit_view import unit_views


class BoundGroup:
    """The weights of a model that a group prunes.

    Args:
        group: A `PruningGroup`.
        model: A built `keras.Model`.

    Attributes:
        views: List of `KernelView`s, or of `UnitView`s.
        plan: The group's schedule; see `keras_moduli.pruning.schedules.get`.
        target: The sparsity last pruned to, `None` before the first time.
    """

    def __init__(self, group, model):
        self.group = group
        self.plan = None
        self.target = None
        self.views = _views(group, model)
        self.check()
        if group.by_penalty:
            for view in self.views:
                view.penalty()  # an error now rather than at some step

    def check(self):
        """Raises a ValueError if the pattern fits no view or no schedule."""
        final = self.plan.final_sparsity if self.plan else None
        for view in self.views:
            self.group.pattern.check(view.path, view.shape, final)

    @property
    def size(self):
        """How many weights the group has."""
        return sum(view.size for view in self.views)

    def zeros(self):
        """The fraction of exact zeros, counted in whole units."""
        return self._dead(view.read() != 0 for view in self.views) / self.size

    def pruned(self):
        """How many weights the masks prune, counted in whole units."""
        return self._dead(view.mask() for view in self.views)

    def _dead(self, arrays):
        dead = 0
        for nonzero in arrays:
            alive = self._alive(nonzero)
            units = alive.size - np.count_nonzero(alive)
            dead += units * self.group.pattern.unit_size(nonzero.shape)
        return dead

    def resolution(self):
        """How far from its target the sparsity may lie by rounding."""
        return max(1 / self._rivals(view.shape) for view in self.views)

    def _rivals(self, shape):
        """How many units compete with each other."""
        pattern = self.group.pattern
        units = pattern.pool(np.zeros(shape, bool), np.any).shape
        axis = pattern.compete_axis
        return units[axis] if axis is not None else int(np.prod(units))

    def adopt(self):
        """Takes the masks from what is exactly zero in the weights."""
        self._write([self._alive(view.read() != 0) for view in self.views])

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
        for view, values in zip(self.views, scores, strict=True):
            _check_no_nan(view.path, values)
        self._write(self._keep(scores, sparsity, key))
        self.target = sparsity

    def _ranking(self):
        """One array of scores for each view, and the key they rank by.

        Most often the weights themselves will do, by their magnitudes. But
        where one lives at exactly 0 they do not tell it from pruned ones.
        """
        group = self.group
        if isinstance(group.pattern, Unstructured) and not group.by_penalty:
            weights = [view.read() for view in self.views]
            if all(
                np.count_nonzero(values) == np.count_nonzero(view.mask())
                for view, values in zip(self.views, weights, strict=True)
            ):
                return weights, np.abs
        return [self._scores(view) for view in self.views], same

    def _write(self, alive):
        for view, units in zip(self.views, alive, strict=True):
            view.write(self.group.pattern.expand(units, view.shape))

    def _alive(self, nonzero):
        """Which units have any entry that is not zero."""
        return self.group.pattern.pool(nonzero, np.any)

    def _scores(self, view):
        pattern, pool = self.group.pattern, POOLS[self.group.score]
        magnitudes = view.magnitudes()
        if self.group.by_penalty:
            penalty = view.penalty()
            mean = penalty.mean() or 1.0
            magnitudes *= mean / (mean + penalty)
        scores = pattern.pool(magnitudes, pool)
        # What is pruned, and so 0, stays so: below what lives at 0.
        scores -= ~self._alive(view.mask())
        return scores

    def _keep(self, scores, sparsity, key):
        pattern = self.group.pattern
        if pattern.compete_axis is None:
            return RANKINGS[self.group.ranking](
                scores,
                [pattern.unit_size(view.shape) for view in self.views],
                [view.shape for view in self.views],
                sparsity,
                key,
            )
        axis = pattern.compete_axis
        return [
            highest_along(s, kept_count(s.shape[axis], sparsity), axis)
            for s in scores
        ]


def _views(group, model):
    found, chosen = kernels(model), select(model, group.weights)

    def view(path):
        count = gate_count(path, found)
        return KernelView(path, found[path], count, group.gates)

    if group.pattern.joined:
        return unit_views(model, chosen, view)
    return [view(path) for path in chosen]


def _check_no_nan(path, values):
    if np.isnan(values.max()):
        raise ValueError(
            f"'{path}' has NaN weights, which cannot be ranked: training has "
            "diverged. Lower the learning rate or clip gradients."
        )
