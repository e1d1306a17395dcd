"""Masks that hold: on a variable, inside the compiled training step.

A mask is a constraint of its variable (`keras.Variable.constraint`), which
Keras optimizers apply right after each update, in the same compiled step. The
layers, their configuration and what is saved stay those of a plain model.
"""

import keras
import numpy as np
from keras import ops

from keras_moduli.pruning import jax_step
from keras_moduli.utils.backend import retrace
from keras_moduli.utils.backend import strategy_scope


class MaskConstraint(keras.constraints.Constraint):
    """Keeps pruned weights at zero.

    Args:
        variable: The weight matrix. Its own constraint, if it has one, goes
            on acting on the weights that live.

    Attributes:
        mask: A boolean `keras.Variable`, true where a weight lives. A
            variable, so that a compiled step reads its present value.
        given: In its place, while a step is traced that takes masks as
            arguments; `None` otherwise.
        averages: Optimizer variables that average this weight over time and
            are masked along with it.
        owner: A weak reference to the callback that changes the mask, or
            `None`.
    """

    def __init__(self, variable):
        self.inner = variable.constraint
        self.mask = keras.Variable(
            np.ones(variable.shape, bool),
            dtype="bool",
            trainable=False,
            name="mask",
        )
        self.given = None
        self.averages = ()
        self.owner = None

    def __call__(self, w):
        for average in self.averages:
            average.assign(self.masked(average))
        if self.inner is None:
            return self.masked(w)
        # Before: so that a norm is that of the weights that live. After: so
        # that whatever the user's constraint does, pruned weights are zero.
        return self.masked(self.inner(self.masked(w)))

    def masked(self, w):
        mask = self.mask if self.given is None else self.given
        w, mask = ops.convert_to_tensor(w), ops.convert_to_tensor(mask)
        return ops.where(mask, w, ops.cast(0, w.dtype))

    def get_config(self):
        raise NotImplementedError(
            "A mask belongs to a variable, not to a layer's configuration. "
            "Save it with `keras_moduli.save_masks`."
        )


def constrain(model, variables):
    """Gives every variable a `MaskConstraint`, unless it has one.

    Args:
        model: The `keras.Model` they belong to.
        variables: Iterable of `keras.Variable`s.

    Returns:
        The list of the variables' constraints.
    """
    variables = list(variables)
    fresh = [v for v in variables if not is_masked(v)]
    with strategy_scope(model):
        for variable in fresh:
            variable.constraint = MaskConstraint(variable)
    if fresh:
        jax_step.carry(model, lambda: [v.constraint for v in _masked(model)])
        retrace(model)
    return [v.constraint for v in variables]


def release(model):
    """Takes the masks from all variables of a model."""
    masked = _masked(model)
    for variable in masked:
        variable.constraint = variable.constraint.inner
    if masked:
        jax_step.release(model)
        retrace(model)


def _masked(model):
    return [v for v in model.trainable_variables if is_masked(v)]


def is_masked(variable):
    """Whether a variable has a mask."""
    return isinstance(variable.constraint, MaskConstraint)


def owner_of(variable):
    """The callback that changes a variable's mask, or `None`."""
    if not is_masked(variable) or variable.constraint.owner is None:
        return None
    return variable.constraint.owner()


def set_mask(variable, mask):
    """Changes a constrained variable's mask, and zeroes what it prunes."""
    variable.constraint.mask.assign(mask)
    enforce(variable)


def enforce(variable):
    """Applies a variable's mask to it and to its averages now."""
    variable.assign(variable.constraint(variable))


def mask_of(variable):
    """The mask attached to a variable, else where it is not zero."""
    if is_masked(variable):
        return variable.constraint.mask.numpy()
    return variable.numpy() != 0
