"""Masks in JAX's compiled training step, which takes them along.

JAX compiles the values of variables that belong to neither the model nor its
optimizer into the step. Masks belong to neither, so that nothing of them is
saved: here they come as arguments, beside every batch.
"""

import contextlib

from keras_moduli.utils.backend import BAKES_MASKS

_REPLACED = "train_step", "make_train_function"


def carry(model, constraints):
    """Makes a model's training steps take the masks of constraints along.

    Args:
        model: The `keras.Model`.
        constraints: A function without arguments that returns the
            `MaskConstraint`s of its weights.
    """
    if BAKES_MASKS and not _carries(model):
        model.make_train_function = _MakeTrainFunction(model, constraints)


def release(model):
    """Gives a model its own training step back."""
    if _carries(model):
        model.make_train_function.undo()


def _carries(model):
    return isinstance(model.make_train_function, _MakeTrainFunction)


class _MakeTrainFunction:
    """A model's `make_train_function`, of a step that takes masks along.

    `fit` and `train_on_batch` call it, and again after every `compile`.
    """

    def __init__(self, model, constraints):
        self._own = {k: vars(model)[k] for k in _REPLACED if k in vars(model)}
        self._model, self._constraints = model, constraints
        self._step, self._make = model.train_step, model.make_train_function

    def __call__(self, force=False):
        model = self._model
        if model.train_function is not None and not force:
            return
        constraints = self._constraints()

        # A new function each time, of which nothing is compiled yet.
        def train_step(state, batch):
            data, masks = batch
            with _given(constraints, masks):
                return self._step(state, data)

        model.train_step = train_step
        self._make(force=True)
        train_function = model.train_function
        model.train_function = lambda state, iterator: train_function(
            state, _beside(iterator, constraints)
        )

    def undo(self):
        model = self._model
        for name in _REPLACED:
            if name in self._own:
                setattr(model, name, self._own[name])
            elif name in vars(model):
                delattr(model, name)


def _beside(iterator, constraints):
    """Batches, each with the present masks."""
    for data in iterator:
        yield data, [constraint.mask.value for constraint in constraints]


@contextlib.contextmanager
def _given(constraints, masks):
    """Where the masks of constraints are those that a step is traced with."""
    for constraint, mask in zip(constraints, masks, strict=True):
        constraint.given = mask
    try:
        yield
    finally:
        for constraint in constraints:
            constraint.given = None
