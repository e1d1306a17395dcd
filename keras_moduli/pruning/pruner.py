"""The pruning of one model: its groups, their masks and where they stand."""

import math
import weakref

from keras_moduli.models.layers import quantized_layers
from keras_moduli.models.optimizers import averages_of
from keras_moduli.pruning import mask_constraint
from keras_moduli.pruning import resuming
from keras_moduli.pruning.bound_group import BoundGroup
from keras_moduli.pruning.mask_constraint import constrain
from keras_moduli.pruning.mask_constraint import is_masked
from keras_moduli.pruning.mask_constraint import owner_of


class Pruner:
    """Prunes groups of weights of one model as their schedules ask.

    Args:
        groups: List of `PruningGroup`s.
        model: A built `keras.Model`.

    Attributes:
        step: The schedule's step that the masks belong to; `None` before
            `begin`.
        sparsity: The fraction of the groups' weights that is pruned.
    """

    def __init__(self, groups, model):
        _check_not_quantized(model)
        self._model = weakref.ref(model)
        self._members = [BoundGroup(group, model) for group in groups]
        _check_overlap(self._members)
        self._variables = _unique(
            variable
            for member in self._members
            for view in member.views
            for variable in view.variables
        )
        self.step = None
        self.sparsity = 0.0

    @property
    def model(self):
        return self._model()

    @property
    def plans(self):
        return [member.plan for member in self._members]

    @property
    def finished(self):
        """Whether all schedules that tell their end have come to it."""
        return self.step is not None and all(
            plan.final_step is None or self.step >= plan.final_step
            for plan in self.plans
        )

    def attach(self, owner):
        """Gives the weights masks, which `owner`, a callback, may change."""
        for variable in self._variables:
            other = owner_of(variable)
            same_fit = owner.params and other and other.params is owner.params
            if same_fit and other is not owner:
                raise ValueError(
                    f"'{variable.path}' is pruned by two callbacks in one "
                    "`fit`. Use one MagnitudePruning with `groups=[...]`."
                )
        if not all(map(is_masked, self._variables)):
            # New masks, or masks that were removed: to be found anew.
            for member in self._members:
                member.target = None
        for constraint in constrain(self.model, self._variables):
            constraint.owner = weakref.ref(owner)

    def begin(
        self, iterations, epoch=0, steps_per_epoch=None, steps=None, given=None
    ):
        """Finds the step at which the schedules stand, and the masks.

        Args:
            iterations: Steps that the optimizer has taken.
            epoch: The epoch that training begins with.
            steps_per_epoch: Optimizer steps per epoch, `None` if unknown.
            steps: Optimizer steps of the whole training, `None` if unknown.
            given: The step, if it is known.

        Returns:
            The schedule's step.
        """
        for member in self._members:
            member.plan = member.plan or member.group.plan(steps)
            member.check()
        for variable in self._variables:
            variable.constraint.averages = averages_of(self.model, variable)
        if self.step is not None:
            return self.step  # a later training goes on
        first = given
        if given is None:
            first = resuming.first_step(
                self._members, iterations, epoch, steps_per_epoch
            )
        if first > 0:
            for member in self._members:
                if member.plan.target(first):
                    member.adopt()
        return first

    def advance(self, step):
        """Prunes to what the schedules ask for after `step` steps.

        Returns:
            In how many steps they will ask for something else.
        """
        changed = [member.advance(step) for member in self._members]
        if any(changed):
            self._note_change()
        self.step = step
        actions = [plan.next_action(step) for plan in self.plans]
        return min(
            (action - step for action in actions if action is not None),
            default=math.inf,
        )

    def enforce(self):
        """Zeroes what is pruned, in the weights and their averages."""
        for variable in self._variables:
            mask_constraint.enforce(variable)

    def _note_change(self):
        pruned = sum(member.pruned() for member in self._members)
        self.sparsity = pruned / sum(member.size for member in self._members)


def _unique(variables):
    return list({id(variable): variable for variable in variables}.values())


def _check_not_quantized(model):
    for layer, mode in quantized_layers(model):
        if mode != "float8":  # its kernels stay floats, and are trained
            raise ValueError(
                "`model` must be pruned before it is quantized: what "
                "`quantize` makes of kernels is not trained. "
                f"Received: '{layer.path}' quantized to {mode}"
            )


def _check_overlap(members):
    """No weight may be in two groups, except with different gates.

    Or, with hidden units, as one layer's and as its reader's.
    """
    seen = set()
    for member in members:
        claims = set().union(*(view.claims for view in member.views))
        for path, gate, _ in sorted(claims & seen):
            raise ValueError(
                "`groups` must not overlap. Received: two groups with "
                f"'{path}' (gate {gate})"
            )
        seen |= claims
